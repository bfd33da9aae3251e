"""Steps 5.14 to 5.17: what the routes store and show, and what stays true when things go wrong."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from workshop.checks import Apps, Both, step

BOOKS = {"name": "Books", "description": "To read."}
TOO_LARGE = 10**20


def _migrated(apps: Apps) -> None:
    """Make the tables, with the migrations of each side."""
    apps.alembic("upgrade", "head")


def _add_category(apps: Apps, name: str = "Books") -> Both:
    """Insert a category as another program would; returns its id."""
    return apps.sql("INSERT INTO categories (name) VALUES (:name) RETURNING id", name=name)[0]["id"]


# 5.14


@step("5.14")
def test_categories_are_stored_and_listed(apps: Apps) -> None:
    """POST /categories stores a category, and GET /categories lists them all."""
    _migrated(apps)
    apps.get("/categories", why="There is no category yet: the answer is an empty list.")
    _add_category(apps, "Maps")
    apps.get("/categories", why="Maps was stored by another program; ask the database anew for each request.")
    apps.post("/categories", json=BOOKS, why="201 with the id that the database gave, name and description.")
    why = "The answer came, but the row isn't in the database. Only a commit writes for good."
    apps.same_rows("SELECT name, description FROM categories", why=why)
    apps.post("/categories", json={"name": "G"}, why="Without a description it is null. G is a name, too.")
    shelves = ", ".join(f"('Shelf {number}', 'To read.')" for number in range(300))
    apps.sql(f"INSERT INTO categories (name, description) VALUES {shelves}")
    why = "Another program stored the shelves. Ask the database anew for each request, and list them all."
    apps.get("/categories", why=why)


@step("5.14")
def test_a_category_has_its_own_name(apps: Apps) -> None:
    """A taken name is answered 409, a bad one 422, and nothing of them is stored."""
    _migrated(apps)
    _add_category(apps)
    apps.post("/categories", json=BOOKS, why="Books is in the table: the insert raises IntegrityError. 409.")
    for body, why in (
        ({"name": ""}, "A name has 1 to 50 characters."),
        ({"name": "x" * 51}, "A name has 1 to 50 characters. SQLite stores 51, PostgreSQL raises an error."),
        ({"description": "No name."}, "The name is required."),
    ):
        apps.post("/categories", json=body, status_only=True, why=why)
    why = (
        "50 characters are allowed, also after a 409, and so is null as a description. (A session whose "
        "insert failed needs a rollback.)"
    )
    apps.post("/categories", json={"name": "é" * 50, "description": None}, why=why)
    apps.same_rows("SELECT name, description FROM categories", why="A refused request changes nothing.")


@step("5.14", databases=["sqlite"])
def test_app_and_alembic_find_the_same_file(apps: Apps) -> None:
    """Without DATABASE_URL, Alembic and the app use one file, wherever the app is started."""
    without = {"DATABASE_URL": None}
    same = (
        "Without DATABASE_URL, Alembic works on the app's own SQLite file. Take the URL from the app's code."
    )
    apps.alembic("upgrade", "head", environment=without, why=same)
    why = "Without DATABASE_URL, Alembic made the tables in one file, and the app looks into another one."
    apps.start(without, cwd="elsewhere", why=why)
    apps.post("/categories", json=BOOKS, why=why)
    apps.start(without)
    apps.get(
        "/categories",
        why="The app was started from another folder, stored Books, and was started again here.",
    )
    folder = apps.yours.folder
    found = [path.name for path in folder.rglob("*") if path.is_file() and _holds(path, b"Books")]
    apps.expect(
        bool(found),
        "Without DATABASE_URL, the file that holds the category",
        expected="a SQLite file in the app's own folder",
        yours="it lies outside",
        why="Build the path from __file__, so that each copy of the app has its own file.",
    )


def _holds(path: Path, text: bytes) -> bool:
    """Whether a SQLite file holds a text; in WAL mode it may still be in the file beside it."""
    log, content = path.with_name(f"{path.name}-wal"), path.read_bytes()
    return content.startswith(b"SQLite format 3\0") and text in content + (
        log.read_bytes() if log.exists() else b""
    )


# 5.15


@step("5.15")
def test_a_product_keeps_its_price(apps: Apps) -> None:
    """POST /products stores a product, and its price is exact."""
    _migrated(apps)
    _add_category(apps, "Maps")
    books = _add_category(apps)
    why = "What was sent is stored and answered. A price is a Decimal on its whole way; a float isn't exact."
    for price in ("19.90", 19.99, 0.29, "0.05", "99999999.99"):
        body = {"name": f"For {price}", "price": price, "stock": 7, "category_id": books}
        apps.post("/products", json=body, why=why)
    apps.post(
        "/products",
        json={"name": "x" * 100, "price": "0.10", "category_id": books},
        why="The stock is optional, and 0 if it isn't sent. 100 characters are allowed.",
    )
    extremes = {"name": "For 0.05", "price": 0, "stock": 2**31 - 1, "category_id": books}
    apps.post(
        "/products",
        json=extremes,
        status_only=True,
        why="A price of 0 and a stock of 2147483647 are allowed, and so are two products of one name.",
    )
    apps.same_rows("SELECT name, price, stock, category_id FROM products", why=why)
    times = apps.sql("SELECT count(*) AS n FROM products WHERE created_at IS NULL")
    apps.expect(times.yours == [{"n": 0}], "created_at of new products", expected="a time", yours="NULL")


@step("5.15")
def test_a_bad_product_is_refused(apps: Apps) -> None:
    """A product of no category is answered 404, a bad one 422, and none is stored."""
    _migrated(apps)
    atlas = {"name": "Atlas", "price": "19.90", "stock": 7, "category_id": _add_category(apps)}
    elsewhere = {"category_id": 4711}
    lost = {**elsewhere, **atlas, **elsewhere}  # what matters comes first in the message
    unknown = "There is no category 4711. SQLite checks that only with PRAGMA foreign_keys = ON."
    apps.post("/products", json=lost, status_only=True, why=unknown)
    invalid: list[tuple[dict[str, Any], str]] = [
        ({"price": "-0.01"}, "A price is 0 or more."),
        ({"price": "19.999"}, "A price has at most 2 decimals; Field(decimal_places=2) refuses more."),
        ({"price": "NaN"}, "NaN is no price, and a float takes it."),
        ({"price": "Infinity"}, "Infinity is no price, and a float takes it."),
        ({"price": "100000000"}, "Numeric(10, 2) holds at most 99999999.99; max_digits=10 says so."),
        ({"stock": -1}, "A stock is 0 or more."),
        ({"stock": 2**31}, "An INTEGER of PostgreSQL ends at 2147483647, and SQLite's goes on."),
        ({"name": ""}, "A name has 1 to 100 characters."),
        ({"name": "x" * 101}, "A name has 1 to 100 characters."),
    ]
    for change, why in invalid:
        apps.post("/products", json={**change, **atlas, **change}, status_only=True, why=why)
    answer = apps.yours.post("/products", json=atlas | {"category_id": TOO_LARGE})
    apps.expect(
        answer.status in {404, 422},
        f"POST /products with category_id {TOO_LARGE}",
        expected="404 or 422",
        yours=f"{answer.status}  {answer.error}",
        why="No integer column holds that number. Bound category_id in the schema.",
    )
    apps.same_rows("SELECT name FROM products", why="A refused product isn't stored.")
    good = {"name": "A", "stock": 0}
    why = "After refused requests a good one works; a name of one letter and a stock of 0 are allowed."
    apps.post("/products", json={**good, **atlas, **good}, why=why)


# 5.16


def link_a_product() -> list[str]:
    """Give a new product a category through its relationship, and look for it in the category's products."""
    import gc

    from sqlalchemy import inspect
    from sqlalchemy.orm import Mapper, configure_mappers
    from sqlalchemy.orm.attributes import set_attribute

    configure_mappers()
    mappers = [one for one in gc.get_objects() if issubclass(type(one), Mapper)]
    living = [one for one in mappers if inspect(one.class_, raiseerr=False) is one]
    tables = {getattr(mapper.local_table, "name", ""): mapper for mapper in living}
    categories, products = tables.get("categories"), tables.get("products")
    if categories is None or products is None:
        return ["no class is mapped to products, or none to categories"]
    down = [one for one in categories.relationships if one.mapper is products and one.uselist]
    up = [one for one in products.relationships if one.mapper is categories and not one.uselist]
    if not down or not up:
        there, back = ("yes" if found else "none" for found in (down, up))
        return [f"relationship from category to products: {there}; from product to category: {back}"]
    name = products.get_property_by_column(products.local_table.c.name).key
    for one in up:
        category, product = categories.class_manager.new_instance(), products.class_manager.new_instance()
        set_attribute(product, name, "Atlas")
        setattr(product, one.key, category)
        if any(product in (inspect(category).attrs[other.key].load_history().added or ()) for other in down):
            return []
    return ["it isn't among the category's products"]


@step("5.16", databases=["sqlite"])
def test_categories_and_products_know_each_other(apps: Apps) -> None:
    """A category has its products, a product has its category, and the two sides belong together."""
    _migrated(apps)
    apps.get("/products", why="There is no product yet: the answer is an empty list.")
    told = apps.probe(link_a_product, compare=False)
    apps.expect(
        not told.yours,
        "A new product gets a category through its relationship",
        expected="it is among the products of that category",
        yours="; ".join(told.yours),
        why="relationship(back_populates=...) on both classes, each naming the other's attribute.",
    )


@step("5.16")
def test_products_come_with_their_categories(apps: Apps) -> None:
    """GET /products lists every product once, with its category's name, in a fixed number of statements."""
    _migrated(apps)
    books = _add_category(apps)
    atlas = {"name": "Atlas", "price": "19.99", "stock": 7, "category_id": books}
    apps.post("/products", json=atlas)
    why = "Each product has a category, an object with its id and name."
    apps.get("/products", why=why)
    with apps.recorded() as few:
        apps.get("/products", why=why)
    shelves = ", ".join(f"('Shelf {number}')" for number in range(30))
    apps.sql(f"INSERT INTO categories (name) VALUES {shelves}")
    prices = ", ".join(f"({number}.07)" for number in range(20))
    apps.sql(
        "INSERT INTO products (name, price, category_id)"
        f" SELECT name || column1, column1, id FROM categories CROSS JOIN (VALUES {prices}) AS prices"
        " WHERE name LIKE 'Shelf%'"
    )
    _add_category(apps, "Empty")
    why = "Another program stored 600 products in 30 categories. Each is listed once."
    with apps.recorded() as many:
        apps.get("/products", why=why)
    apps.expect(
        len(many.yours) <= len(few.yours) + 2,  # not 30 more
        "GET /products, with 601 products in 31 categories",
        expected=f"as many SQL statements as for one product, which were {len(few.yours)}",
        yours=f"{len(many.yours)} SQL statements",
        why="Loading each category when it is asked for is one statement for each. Ask for all of them with "
        "the products: joinedload or selectinload.",
        statements=many.yours,
    )
    apps.sql("UPDATE categories SET name = 'Old books' WHERE id = :id", id=books)
    apps.get("/products", why="Another program renamed a category. Ask the database anew for each request.")


# 5.17


def watch_lent_connections() -> None:
    """Note which connections are lent and not yet given back."""
    import gc
    import sys
    import threading

    from sqlalchemy import Engine, event

    lent: Any = threading.Condition()
    lent.records, lent.kept = set(), []  # what is kept can't be closed by the garbage collector
    sys.modules["_check_lent"] = lent

    def lend(_driver: Any, record: Any, connection: Any) -> None:
        with lent:
            lent.kept.append((record, connection))
            lent.records.add(record)

    def take_back(_driver: Any, record: Any) -> None:
        with lent:
            lent.records.discard(record)
            lent.notify_all()

    for engine in [one for one in gc.get_objects() if issubclass(type(one), Engine)]:
        event.listen(engine, "checkout", lend)
        event.listen(engine, "checkin", take_back)


def wait_until_given_back() -> int:
    """Wait until all lent connections are given back, two seconds at most; tell how many are not."""
    import sys

    lent: Any = sys.modules["_check_lent"]
    with lent:
        lent.wait_for(lambda: not lent.records, 2)
        return len(lent.records)


def _expect_given_back(apps: Apps, asked: str) -> None:
    left = apps.yours.probe(wait_until_given_back)
    apps.expect(
        not left,
        asked,
        expected="its connection is given back when the request is over",
        yours=f"{left} connection is still lent",
        why="A pool has few connections; when all are lent, every request waits. An error leaves the route, "
        "too: close each session in a with block around the yield, or in a finally.",
    )


@step("5.17")
def test_every_session_is_closed(apps: Apps) -> None:
    """After each answer, also after an error, the connection is given back."""
    _migrated(apps)
    atlas = {"name": "Atlas", "price": "19.90", "category_id": _add_category(apps, "Maps").yours}
    apps.get("/categories")
    apps.yours.probe(watch_lent_connections)
    requests: list[tuple[str, str, Any]] = [
        ("GET", "/health", None),
        ("POST", "/categories", BOOKS),
        ("POST", "/categories", BOOKS),
        ("GET", "/categories", None),
        ("POST", "/products", atlas),
        ("POST", "/products", atlas | {"category_id": 4711}),
        ("GET", "/products", None),
    ]
    for method, path, body in requests:
        answer = apps.yours.request(method, path, json=body)
        _expect_given_back(apps, f"{method} {path}, answered {answer.status}")
    apps.yours.sql("DROP TABLE products")
    apps.yours.sql("DROP TABLE categories")
    for path, body in (("/categories", BOOKS), ("/products", atlas)):
        asked = f"POST {path} after somebody has dropped the tables"
        answer = apps.yours.post(path, json=body)
        _expect_given_back(apps, asked)
        _expect_server_error(apps, asked, answer.status)


def _expect_server_error(apps: Apps, asked: str, status: int) -> None:
    why = "409 is for a taken name and 404 for a missing category: catch IntegrityError, and nothing wider."
    if status < 400:
        why = (
            "The client would believe that it is stored. Commit before the answer is sent: in the route, or "
            'in a dependency with scope="function".'
        )
    apps.expect(status >= 500, asked, expected="500", yours=status, why=why)


def let_inserts_meet() -> None:
    """Hold each INSERT of a category until all ten requests are about to send theirs."""
    import gc
    import threading
    from contextlib import suppress

    from sqlalchemy import Engine, event

    meeting = threading.Barrier(10)

    def wait_for_the_others(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        words = statement.upper().replace('"', "").replace("(", " ").split()
        if words[0] == "INSERT" and "CATEGORIES" in words[:6]:  # also INSERT OR IGNORE, over several lines
            with suppress(threading.BrokenBarrierError):  # they don't come: they take turns
                meeting.wait(1)

    for engine in [one for one in gc.get_objects() if issubclass(type(one), Engine)]:
        event.listen(engine, "before_cursor_execute", wait_for_the_others)


@step("5.17")
def test_ten_requests_want_one_name(apps: Apps) -> None:
    """Of ten simultaneous POST /categories of one name, one is answered 201 and nine 409."""
    _migrated(apps)
    apps.get("/categories")
    apps.yours.probe(let_inserts_meet)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: apps.yours.post("/categories", json=BOOKS, timeout=15), range(10)))
    statuses = sorted(answer.status for answer in answers)
    told = ", ".join(f"{statuses.count(status)} × {status}" for status in sorted(set(statuses)))
    rows = apps.yours.sql("SELECT name FROM categories")
    error = next((answer.error for answer in answers if answer.status >= 500 and answer.error), "")
    apps.expect(
        statuses == [201] + [409] * 9 and len(rows) == 1,
        f"Ten requests at once: POST /categories {BOOKS['name']}",
        expected="1 × 201, 9 × 409, and 1 row",
        yours=f"{told}, and {len(rows)} row{'' if len(rows) == 1 else 's'}{error and '; ' + error}",
        why="All of them looked before one had written. Looking first can't prevent that, and the unique "
        "constraint does: catch its IntegrityError.",
    )


def let_commits_fail() -> None:
    """Let every commit fail, as on a full disk."""
    import gc

    from sqlalchemy import Engine, event

    def fail(_connection: Any) -> None:
        raise OSError("the disk is full, says the check")

    for engine in [one for one in gc.get_objects() if issubclass(type(one), Engine)]:
        event.listen(engine, "commit", fail)


@step("5.17")
def test_what_is_answered_201_is_committed(apps: Apps) -> None:
    """When the commit fails, the answer is an error of the server and not a 201."""
    _migrated(apps)
    atlas = {"name": "Atlas", "price": "19.90", "category_id": _add_category(apps, "Maps").yours}
    apps.get("/categories")
    apps.yours.probe(watch_lent_connections)
    apps.yours.probe(let_commits_fail)
    for path, body in (("/categories", BOOKS), ("/products", atlas)):
        asked = f"POST {path} while no commit succeeds (the disk is full)"
        _expect_server_error(apps, asked, apps.yours.post(path, json=body).status)
        _expect_given_back(apps, asked)


def delete_categories_before_products() -> None:
    """Delete all categories at the last moment, when a product is about to be inserted."""
    import gc

    from sqlalchemy import Engine, event

    def delete(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        words = statement.upper().replace('"', "").replace("(", " ").split()
        if words[0] == "INSERT" and "PRODUCTS" in words[:6]:
            connection.exec_driver_sql("DELETE FROM categories")

    for engine in [one for one in gc.get_objects() if issubclass(type(one), Engine)]:
        event.listen(engine, "before_cursor_execute", delete)
        if not engine.dialect.is_async:
            engine.dispose()  # new connections, without a pragma that was sent once


@step("5.17", databases=["sqlite"])
def test_no_product_without_a_category(apps: Apps) -> None:
    """A product whose category is deleted a moment before is not stored."""
    _migrated(apps)
    atlas = {"name": "Atlas", "price": "19.90", "category_id": _add_category(apps).yours}
    apps.get("/categories")
    apps.yours.probe(delete_categories_before_products)
    answer = apps.yours.post("/products", json=atlas)
    rows = apps.yours.sql(
        "SELECT p.id FROM products p LEFT JOIN categories c ON c.id = p.category_id WHERE c.id IS NULL"
    )
    apps.expect(
        answer.status >= 400 and not rows,
        "POST /products, whose category is deleted between your look and your INSERT",
        expected="it is refused, and no product is stored",
        yours=f"{answer.status}, and {len(rows)} product without a category",
        why="SQLite enforces foreign keys only on connections that have run PRAGMA foreign_keys = ON, and a "
        "pool makes new ones at any time: send it in a listener for connect, and not once at the start.",
    )
