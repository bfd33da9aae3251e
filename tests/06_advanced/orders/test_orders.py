"""Lesson 6, orders: exact money, all or nothing, no piece sold twice, and requests that may be repeated."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from workshop.checks import Answer, App, Apps, Both, step
from workshop.verdicts import Failure

PASSWORD = "correct horse"
ANN, BOB = ("ann", PASSWORD), ("bob", PASSWORD)  # ann belongs to the staff
BUYERS, PIECES = 50, 10
PATIENCE = 15  # seconds that a request may take that waits for others, on a busy machine


def open_shop(apps: Apps, **stocks: int) -> list[Both]:
    """Sign ann and bob up, and let ann offer these products at 19.99 each; returns their ids."""
    for name in ("ann", "bob"):
        user = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        apps.post("/users", json=user, status_only=True)
    apps.sql("UPDATE users SET is_staff = true WHERE username = 'ann'")
    return [offer(apps, name, "19.99", stock)["id"] for name, stock in stocks.items()]


def offer(apps: Apps, name: str, price: object, stock: int, why: str = "") -> Both:
    """Let ann offer a product."""
    return apps.post("/products", json={"name": name, "price": price, "stock": stock}, auth=ANN, why=why)


def order(*lines: tuple[object, int]) -> dict[str, Any]:
    """The body of an order: pairs of product and quantity."""
    return {"items": [{"product_id": product, "quantity": quantity} for product, quantity in lines]}


def state(apps: Apps) -> str:
    """What the learner's shop holds, in a line."""
    stocks = apps.yours.sql("SELECT name, stock FROM products ORDER BY name")
    orders = apps.yours.sql("SELECT count(*) AS n FROM orders")[0]["n"]
    items = apps.yours.sql("SELECT count(*) AS n FROM order_items")[0]["n"]
    shelf = ", ".join(f"{row['name']} {row['stock']}" for row in stocks)
    return f"orders {orders}, order_items {items}, stock: {shelf}"


def expect_state(apps: Apps, what: str, expected: str, why: str) -> None:
    found = state(apps)
    apps.expect(found == expected, f"{what}, then the tables", expected=expected, yours=found, why=why)


# 6.18


@step("6.18")
def test_the_shop_has_rules_of_its_own(apps: Apps) -> None:
    """Money is NUMERIC, and the database itself refuses what must never be."""
    exact = "Money is Numeric, with two decimals: a Float can't hold 0.10. The page's table says how long."
    apps.same_schema(
        "products.price", "orders.total_amount", "order_items.price", parts=["type", "nullable"], why=exact
    )
    why = "The page's table of columns says what they are."
    columns = ("products.name", "products.stock", "orders.user_id", "orders.created_at")
    apps.same_schema(*columns, parts=["type", "nullable"], why=why)
    keys = ("order_items.order_id", "order_items.product_id", "order_items.quantity")
    apps.same_schema(*keys, parts=["type", "nullable"], why=why)
    apps.same_schema("orders.created_at", parts=["default"], why=f"{why} It is func.now().")
    open_shop(apps)
    why = "The checks fill in the columns of the page's table. A further one needs a server_default."
    apps.sql("INSERT INTO products (name, price, stock) VALUES ('mug', 19.90, 10)", why=why)
    apps.sql("INSERT INTO orders (user_id, total_amount) SELECT id, 39.80 FROM users", why=why)
    columns_of_item = "order_id, product_id, quantity, price"
    buyer = "users.id = user_id AND username = 'bob'"
    values = f"SELECT orders.id, products.id, 2, 19.90 FROM products, orders JOIN users ON {buyer}"
    apps.sql(f"INSERT INTO order_items ({columns_of_item}) {values}", why=why)
    refused = {
        "UPDATE products SET stock = -1": "CHECK (stock >= 0): a CheckConstraint of the table.",
        "UPDATE products SET price = -0.01": "CHECK (price >= 0): a CheckConstraint of the table.",
        "UPDATE order_items SET quantity = 0": "CHECK (quantity > 0): a CheckConstraint of the table.",
        "INSERT INTO products (name, price, stock) VALUES ('mug', 1, 1)": "A product's name is unique.",
        "INSERT INTO orders (user_id, total_amount) VALUES (4711, 0)": "orders.user_id is a foreign key.",
        "UPDATE order_items SET product_id = 4711": "order_items.product_id is a foreign key.",
        "UPDATE order_items SET order_id = 4711": "order_items.order_id is a foreign key.",
        "DELETE FROM products": "What was sold stays: no ON DELETE rule for product_id, or RESTRICT.",
        "DELETE FROM users WHERE username = 'ann'": "Who bought stays: no rule for user_id, or RESTRICT.",
    }
    for statement, reason in refused.items():
        apps.expect(
            _is_refused(apps, statement),
            statement,
            expected="the database refuses it",
            yours="it is done",
            why=f"{reason} It must be in the migration, too.",
        )


def _is_refused(apps: Apps, statement: str) -> bool:
    """Whether the learner's database refuses a statement. Nothing of it stays."""
    try:
        with apps.yours.connection() as connection:
            if apps.database == "sqlite":
                connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.execute(sa.text(statement))
            connection.rollback()
    except sa.exc.IntegrityError:
        return True
    return False


@step("6.18")
def test_the_staff_fills_the_shop(apps: Apps) -> None:
    """The staff adds products with exact prices, everyone sees them in pages."""
    open_shop(apps)
    mug = {"name": "mug", "price": "19.90", "stock": 10}
    apps.post("/products", json=mug, why="A request without a log-in is 401.")
    apps.post("/products", json=mug, auth=BOB, why="bob doesn't belong to the staff: 403.")
    why = "The new product: id, name, price and stock. The price is a Decimal, from the request to the table."
    apps.post("/products", json=mug, auth=ANN, why=why)
    apps.post("/products", json=mug | {"price": 1}, auth=ANN, why="There is a mug already: 409.")
    for wrong in ({"price": "-0.01"}, {"price": "1.999"}, {"price": "NaN"}, {"stock": -1}, {"name": ""}):
        body = mug | {"name": "cup"} | wrong
        apps.post("/products", json=body, auth=ANN, why="ProductCreate, in schemas.py, refuses it: 422.")
    for name, price in (("pen", 0.1), ("hat", 0), ("bag", 2.1)):
        offer(apps, name, price, 0, why=why)
    apps.sql("UPDATE users SET is_staff = true WHERE username = 'bob'")
    ship = {"name": "ship", "price": "99999999.99", "stock": 2**31 - 1}
    apps.post("/products", json=ship, auth=BOB, why=f"bob belongs to the staff now. {why}")
    apps.same_rows("SELECT name, price, stock FROM products", why=why)
    apps.sql("UPDATE products SET stock = 7 WHERE name = 'pen'")  # on PostgreSQL its row moves to the end
    paged = "The products in the order of their ids: skip leaves out the first, limit says how many at most."
    for query in ("limit=2", "skip=1&limit=3", "skip=10&limit=100", "limit=0", "limit=101"):
        apps.get(f"/products?{query}", ordered=True, why=paged)
    apps.get("/products", ordered=True, why=paged)


# 6.19


@step("6.19")
def test_an_order_adds_up(apps: Apps) -> None:
    """An order takes the pieces from the stock, keeps the prices of its day, and is seen by its buyer."""
    mug, ship = open_shop(apps, mug=20, ship=5000)
    pen = offer(apps, "pen", "0.10", 50)["id"]
    apps.sql("UPDATE products SET price = 99999999.99 WHERE name = 'ship'")
    apps.post("/orders", json=order((mug, 1)), why="Who buys is who asks: a request without a log-in is 401.")
    exact = "Decimal from the first to the last: 5 × 19.99 is 99.95, and 3 × 0.10 is 0.30."
    why = f"A new order: 201. {exact} And no commit in the route, for get_db does it."
    first = apps.post("/orders", json=order((mug, 5)), auth=BOB, why=why)
    merged = "Two lines of the same product are one line, with the pieces of both."
    apps.post("/orders", json=order((pen, 2), (mug, 1), (pen, 4)), auth=BOB, why=merged)
    apps.post("/orders", json=order((pen, 3)), auth=BOB, why=exact)
    large = "1000 × 99999999.99: the column total_amount must be long enough, NUMERIC(16, 2)."
    apps.post("/orders", json=order((ship, 1000)), auth=BOB, why=large)
    apps.post(
        "/orders", json=order((mug, 14)), auth=BOB, why="There are 14 mugs left: the last one can be sold."
    )
    apps.sql("UPDATE products SET price = 25")
    kept = "An order keeps the prices at which it was placed, whatever the products cost today."
    apps.get("/orders/{}", first["id"], auth=BOB, why=kept)
    _read_orders(apps, "All orders of bob, with their items, in the order of the orders' ids.")
    _read_orders(apps, "Lists come in pages, in the order of the orders' ids.", skip=1, limit=2)
    apps.get("/orders", auth=BOB, params={"limit": 101}, why="A page has 100 orders at most: PageQuery.")
    apps.get("/orders", auth=ANN, why="ann has ordered nothing, and bob's orders are bob's.")
    apps.get("/orders/{}", first["id"], auth=ANN, why="For everyone but bob this order isn't there: 404.")
    apps.get("/orders/4711", auth=BOB, why="There is no such order: 404.")
    apps.get("/orders/{}", first["id"], why="A request without a log-in is 401.")
    apps.get("/orders", why="A request without a log-in is 401.")
    apps.same_rows("SELECT name, stock FROM products", why="What was ordered is taken from the stock.")
    apps.same_rows("SELECT total_amount FROM orders", why=exact)
    apps.same_rows("SELECT quantity, price FROM order_items", why=merged)


def _read_orders(apps: Apps, why: str, **page: int) -> None:
    """A page of bob's orders. Their items may come in any order."""
    ids = [one["id"] for one in apps.get("/orders", auth=BOB, params=page, why=why).yours]
    apps.expect(ids == sorted(ids), "GET /orders: the ids", expected=sorted(ids), yours=ids, why=why)


@step("6.19")
def test_what_fails_leaves_nothing(apps: Apps) -> None:
    """An order that can't be, or whose client or database fails half-way, changes nothing."""
    mug, pen = open_shop(apps, mug=10, pen=3)
    before = state(apps)
    whole = "It is one transaction: commit nothing before the last line is through, and an error undoes all."
    refused = [
        (order((mug, 1), (4711, 1)), "There is no product 4711: 404."),
        (order((mug, 1), (pen, 4)), "There are 3 pens: 409."),
        (order((mug, 6), (mug, 5)), "6 and 5 are 11 mugs, and there are 10: 409."),
        (order((mug, 1), (pen, 0)), "0 pieces are no order: 422."),
        (order((mug, 1), (pen, -1)), "-1 pieces would raise the stock: 422."),
        (order(), "An order has a line at least: 422."),
    ]
    for body, why in refused:
        apps.post("/orders", json=body, auth=BOB, why=why)
        expect_state(apps, "An order that was refused", before, f"{why} {whole}")
    _fail_from_now_on(apps, "INSERT ON order_items", f"NEW.product_id = {pen.yours}")
    _expect_failure(apps, order((mug, 1), (pen, 1)), "the line of the pen", before, whole)
    _send_and_die(apps.yours, order((mug.yours, 1)), part=0.5)
    apps.get("/orders", auth=BOB, why="The client of the request before has died in the middle of its body.")
    expect_state(apps, "A client that dies in the middle of its request", before, whole)
    _fail_from_now_on(apps, "UPDATE ON products", f"NEW.id = {mug.yours}")
    _expect_failure(apps, order((mug, 1)), "the stock of the mug", before, whole)


def _expect_failure(apps: Apps, body: dict[str, Any], where: str, before: str, whole: str) -> None:
    """The database fails at this order, which leaves nothing."""
    answer = apps.yours.post("/orders", json=Both.side(body, "yours"), auth=BOB)
    what = f"An order of a mug{' and a pen' * (len(body['items']) > 1)}, where the database fails at {where}"
    apps.expect(answer.status >= 400, what, expected="an error, such as 500", yours=answer.status, why=whole)
    expect_state(apps, what, before, whole)


def _fail_from_now_on(apps: Apps, moment: str, condition: str) -> None:
    """Let the learner's database fail at such a change of a row."""
    name = f"fail_at_{moment.rsplit(maxsplit=1)[-1]}"
    if apps.database == "sqlite":
        apps.yours.sql(
            f"CREATE TRIGGER {name} BEFORE {moment} WHEN {condition}"
            " BEGIN SELECT RAISE(ABORT, 'the database fails half-way'); END"
        )
        return
    apps.yours.sql(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the database fails half-way'; END $$"
    )
    apps.yours.sql(
        f"CREATE TRIGGER {name} BEFORE {moment} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {name}()"
    )


class ClientDied(Exception):
    """What ends the client of `_send_and_die`."""


def _send_and_die(app: App, body: dict[str, Any], part: float = 1.0, key: str = "") -> None:
    """Send this part of bob's order, and hang up without waiting for an answer."""
    content = json.dumps(body).encode()

    def sent() -> Iterator[bytes]:
        yield content[: int(len(content) * part)]
        raise ClientDied

    headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    if key:
        headers["Idempotency-Key"] = key
    with suppress(ClientDied):
        app.post("/orders", content=sent(), headers=headers, auth=BOB)


# 6.20


THE_PRODUCT = "SELECT id FROM products WHERE id = :id FOR NO KEY UPDATE"
NEW_ORDERS = "LOCK TABLE orders IN SHARE MODE"


@contextmanager
def held(app: App, lock: str, **parameters: int) -> Iterator[None]:
    """Within the block, nobody else can change what the lock protects (on SQLite: anything)."""
    with app.connection() as connection:
        if app.url.get_backend_name() == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(sa.text(lock), parameters)
        try:
            yield
        finally:
            connection.rollback()


STUCK = (
    "Several orders were sent at once, and they wait for each other. A route that is async def stops its "
    "whole process while it waits for a lock: write def. A session dependency of your own needs what "
    'SessionDep has: scope="function" and max_concurrency=10. If 40 requests wait in all the threads that '
    "there are, the one that they wait for finds none."
)


class Queue:
    """Requests that are on their way to apps, and may be waiting for a lock."""

    WRITE = re.compile(r"\s*(BEGIN (IMMEDIATE|EXCLUSIVE)|INSERT|UPDATE|DELETE|REPLACE|WITH)\b", re.IGNORECASE)
    WAITING = sa.text(
        "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IN"
        " (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
    )

    def __init__(self, pool: ThreadPoolExecutor, *apps: App) -> None:
        self._pool, self._apps = pool, apps
        self._since = [app.count_statements() for app in apps]
        self.sent: list[Future[Answer]] = []

    def post(self, app: App, body: dict[str, Any], buyer: tuple[str, str] = BOB, **keywords: Any) -> None:
        """Send an order."""
        body = Both.side(body, "yours")
        self.sent.append(
            self._pool.submit(app.post, "/orders", json=body, auth=buyer, timeout=PATIENCE, **keywords)
        )

    def settle(self, seconds: float = 2.0) -> None:
        """Wait until each request waits for a lock or is through. Who waits in Python is seen by neither."""
        until = time.monotonic() + seconds
        with self._apps[0].connection() as connection:
            many = len(self.sent) if connection.dialect.name == "postgresql" else len(self._apps)
            while self._waiting(connection) + sum(one.done() for one in self.sent) < many:
                if time.monotonic() > until:
                    return
                time.sleep(0.005)

    def _waiting(self, connection: sa.Connection) -> int:
        """How many connections wait for a lock. SQLite can't tell: how many apps have begun to write."""
        if connection.dialect.name == "sqlite":
            return self._writing()
        connection.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
        return int(connection.scalar(self.WAITING) or 0)

    def _writing(self) -> int:
        """How many apps have begun to write: what comes next is that SQLite lets them."""
        return sum(
            any(self.WRITE.match(statement) for statement in app.statements(since))
            for app, since in zip(self._apps, self._since, strict=True)
        )

    def answers(self) -> list[Answer]:
        """The answers to all requests, in the order in which they were sent."""
        wait(self.sent)
        try:
            return [one.result() for one in self.sent]
        except Failure as failure:
            raise Failure(replace(failure.finding, why=STUCK)) from None


def told(answers: Sequence[Answer]) -> str:
    """How often each status came, and the first error of the server."""
    times = Counter(answer.status for answer in answers)
    line = ", ".join(f"{count} times {status}" for status, count in sorted(times.items()))
    failed = next((answer for answer in answers if answer.status >= 500), None)
    if failed is None:
        return line
    detail = failed.error or (failed.body.get("detail") if isinstance(failed.body, dict) else failed.body)
    return f"{line} ({detail})"


def read_too_early(apps: Apps) -> str:
    """What goes wrong when two orders meet, and what helps on this database."""
    helps = "Read the products with_for_update(), or let one UPDATE compare and subtract."
    if apps.database == "sqlite":
        helps = (
            "SQLite ignores FOR UPDATE: there a transaction that will write begins with BEGIN IMMEDIATE, "
            "before it reads. (Without it, it reads too early, or ends with: database is locked.)"
        )
    return (
        f"Between reading the stock and changing it, somebody else has changed it. {helps} "
        "A lock in Python is no help, for two processes serve this app."
    )


@step("6.20")
def test_no_piece_is_sold_twice(apps: Apps) -> None:
    """Two orders that meet at two server processes, and 50 at once, buy what is there and no more."""
    mug, pen = open_shop(apps, mug=10, pen=PIECES)
    with ExitStack() as stack:
        other = stack.enter_context(apps.twin())
        pool = stack.enter_context(ThreadPoolExecutor(BUYERS))
        queue = Queue(pool, apps.yours, other)
        with held(apps.yours, THE_PRODUCT, id=mug.yours):
            queue.post(apps.yours, order((mug, 6)))
            queue.post(other, order((mug, 6)), ANN)
            queue.settle()
        _expect_sold(apps, queue.answers(), 1, "Two orders of 6 mugs at the same moment, where there are 10")
        queue = Queue(pool, apps.yours, other)
        every = 10 if apps.database == "postgresql" else 2  # 45 in one process: are there threads enough?
        for number in range(BUYERS):
            queue.post(apps.yours if number % every else other, order((pen, 1)))
        what = f"{BUYERS} orders of a pen at once, where there are {PIECES}"
        _expect_sold(apps, queue.answers(), PIECES, what)
    all_sold = f"orders {PIECES + 1}, order_items {PIECES + 1}, stock: mug 4, pen 0"
    expect_state(apps, "All these orders", all_sold, read_too_early(apps))


def _expect_sold(apps: Apps, found: Sequence[Answer], sold: int, what: str) -> None:
    """So many orders were placed, and all others refused with 409."""
    refused = len(found) - sold
    apps.expect(
        Counter(answer.status for answer in found) == {201: sold, 409: refused},
        what,
        expected=f"{sold} times 201, {refused} times 409",
        yours=told(found),
        why=read_too_early(apps),
    )


@step("6.20", databases=["postgresql"])
def test_opposite_orders_never_block_each_other(apps: Apps) -> None:
    """Orders with the same products in opposite order are both placed: no deadlock."""
    bag, hat, mug = open_shop(apps, bag=10, hat=10, mug=10)
    app = apps.yours
    app.sql("ANALYZE products")
    with ExitStack() as stack:
        queue = Queue(stack.enter_context(ThreadPoolExecutor(2)), app)
        with held(app, THE_PRODUCT, id=hat.yours):
            with app.connection() as moving:  # the row of the bag gets a new place, behind the mug's
                moving.execute(sa.text("UPDATE products SET price = 5 WHERE id = :id"), {"id": bag.yours})
                queue.post(app, order((bag, 1), (hat, 2), (mug, 3)))
                queue.settle()  # it wants the bag
                moving.commit()
            queue.settle()  # it has the bag, if it takes that one first, and wants the hat
            queue.post(app, order((mug, 1), (bag, 2)))
            queue.settle()  # it has the mug, if it takes that one first, and wants the bag
        found = queue.answers()
    apps.expect(
        [answer.status for answer in found] == [201, 201],
        "An order of bag, hat and mug, while another one wants mug and bag",
        expected="2 times 201",
        yours=told(found),
        why="Each has locked what the other one needs, so PostgreSQL ends one of them: a deadlock. Everyone "
        "must lock in the same order, whatever the order of the lines: sort by id, or order_by(Product.id) "
        "beside with_for_update().",
    )
    expect_state(
        apps, "Both orders", "orders 2, order_items 5, stock: bag 7, hat 8, mug 6", read_too_early(apps)
    )


# 6.21

REPEATED = (
    "The key belongs to this buyer's order: the second request is answered with the order of the first and "
    "200, takes nothing from the stock, and doesn't ask whether there is enough."
)


@step("6.21")
def test_a_repeated_request_is_one_order(apps: Apps) -> None:
    """A POST with the same Idempotency-Key is answered with the order that there is."""
    mug, pen, hat = open_shop(apps, mug=10, pen=50, hat=1)
    key = {"Idempotency-Key": "7f3a"}
    body = order((mug, 9), (pen, 2), (mug, 1))
    apps.post("/orders", json=body, auth=BOB, headers=key, why="The key is new, so this is a new order: 201.")
    apps.post("/orders", json=body, auth=BOB, headers=key, why=REPEATED)
    apps.sql("UPDATE products SET price = 25")
    apps.post("/orders", json=body, auth=BOB, headers=key, why=f"{REPEATED} Its price is the old one.")
    why = "The same key with other products or quantities is a mistake of the client: 409."
    for other in (order((pen, 2)), order((mug, 2), (pen, 10)), order((mug, 10), (pen, 2), (hat, 1))):
        apps.post("/orders", json=other, auth=BOB, headers=key, why=why)
    why = "A key belongs to its buyer: ann may use the same one, and gets an order of her own."
    apps.post("/orders", json=order((pen, 1)), auth=ANN, headers=key, why=why)
    for _ in range(2):
        apps.post("/orders", json=order((pen, 1)), auth=BOB, why="Without a key, each request is an order.")
    late = {"Idempotency-Key": "x" * 64}
    why = "An order that was refused has left nothing, its key neither: once there are mugs, it is 201."
    apps.post("/orders", json=order((mug, 1)), auth=BOB, headers=late, why="There are no mugs: 409.")
    apps.sql("UPDATE products SET stock = 1 WHERE name = 'mug'")
    apps.post("/orders", json=order((mug, 1)), auth=BOB, headers=late, why=why)
    too_long = {"Idempotency-Key": "x" * 65}
    apps.post("/orders", json=order((pen, 1)), auth=BOB, headers=too_long, why="At most 64 characters: 422.")
    apps.same_rows("SELECT total_amount FROM orders", why=REPEATED)
    apps.same_rows("SELECT name, stock FROM products", why=REPEATED)


@step("6.21")
def test_twins_and_clients_that_die(apps: Apps) -> None:
    """Requests with the same key at the same moment, or after a client has died, are one order."""
    key = {"Idempotency-Key": "7f3a"}
    with ExitStack() as stack:
        other = stack.enter_context(apps.twin())
        mug, pen = open_shop(apps, mug=10, pen=10)
        queue = Queue(stack.enter_context(ThreadPoolExecutor(3)), apps.yours, other)
        with held(apps.yours, NEW_ORDERS):
            queue.post(apps.yours, order((mug, 2)), headers=key)
            queue.post(other, order((mug, 2)), headers=key)
            queue.post(other, order((pen, 1)), headers=key)
            queue.settle()
        found = queue.answers()
    why = (
        "They have looked for the key before one of them has stored it. Look when the products are locked, "
        "and let a unique constraint over user and key decide: a request for other products waits for "
        "nothing else. Its IntegrityError is no 500."
    )
    what = "An order of 2 mugs, the same again, and an order of a pen, with the same key at the same moment"
    *mugs, pens = (answer.status for answer in found)
    apps.expect(
        (sorted(mugs), pens) in (([200, 201], 409), ([201, 409], 409), ([409, 409], 201)),
        what,
        expected="once 201, for the other ones 409, or 200 with the order of the same products",
        yours=told(found),
        why=why,
    )
    left = (10, 9) if pens == 201 else (8, 10)
    expect_state(apps, what, "orders 1, order_items 1, stock: mug {}, pen {}".format(*left), why)
    dying = {"Idempotency-Key": "b81c"}
    _send_and_die(apps.yours, order((mug.yours, 3)), key="b81c")
    again = apps.yours.post("/orders", json=order((mug.yours, 3)), auth=BOB, headers=dying, timeout=PATIENCE)
    what = "A client dies before it hears the answer, and asks again with the same key"
    apps.expect(
        again.status in {200, 201, 409}, what, expected="200 or 201", yours=told([again]), why=REPEATED
    )
    stock = f"mug {left[0] - 3}, pen {left[1]}"
    expect_state(apps, what, f"orders 2, order_items 2, stock: {stock}", REPEATED)
