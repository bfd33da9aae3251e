"""Step 1.5, and 1.8 again: every request gives its connection back."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from workshop.checks import Apps, step

# Step 1.5


def be_strict(database: Any) -> int:
    """Let the pool lend few connections, wait a second at most, and get none back by luck; tell how many."""
    from sqlalchemy import event

    kept: list[Any] = []  # what is in it can't be closed by the garbage collector
    event.listen(database.engine, "checkout", lambda _driver, _record, lent: kept.append(lent))
    pool = database.engine.pool
    pool._max_overflow = 0  # else 10
    pool._timeout = 1  # else 30
    size: int = pool.size() if hasattr(pool, "size") else 5
    return min(size, 30)


def add_failing_routes(app: Any, database: Any) -> None:
    """Add two routes that use get_db and fail, and remember their sessions until they are closed."""
    import threading

    from fastapi import Depends, HTTPException
    from sqlalchemy import text
    from sqlalchemy.orm import scoped_session

    class Crash(Exception):
        pass

    given = Depends(database.get_db)
    app.state.open, app.state.changed = {}, threading.Condition()

    def remember(session: Any) -> None:
        session = session() if isinstance(session, scoped_session) else session
        app.state.open[id(session)] = session
        for name in ("close", "reset", "invalidate"):
            setattr(session, name, forgetting(session, getattr(session, name)))

    def forgetting(session: Any, close: Any) -> Any:
        def close_and_forget(*given: Any, **named: Any) -> None:
            close(*given, **named)
            with app.state.changed:
                app.state.open.pop(id(session), None)
                app.state.changed.notify_all()

        return close_and_forget

    def answer_404(session: Any = given) -> None:
        remember(session)
        session.execute(text("SELECT 1"))
        raise HTTPException(404)

    def crash(session: Any = given) -> None:
        remember(session)
        session.execute(text("SELECT 1"))
        raise Crash("a route crashed, as the check wants it to")

    for path, route in (("/check/404", answer_404), ("/check/500", crash)):
        app.add_api_route(path, route)
        app.router.routes.insert(0, app.router.routes.pop())  # before one that takes every path


def wait_until_closed(app: Any) -> int:
    """Wait until the sessions of the failing routes are closed, two seconds at most; tell how many aren't."""
    with app.state.changed:
        app.state.changed.wait_for(lambda: not app.state.open, 2)
        return len(app.state.open)


def add_meeting_route(app: Any, database: Any) -> None:
    """Add a route that uses get_db and answers when three requests are in it."""
    import asyncio
    import threading

    from fastapi import Depends

    app.state.inside, app.state.entered, meeting = 0, threading.Condition(), asyncio.Event()
    given = Depends(database.get_db)

    async def meet(session: Any = given) -> int:
        with app.state.entered:
            app.state.inside += 1
            app.state.entered.notify_all()
        if app.state.inside == 3:
            meeting.set()
        await asyncio.wait_for(meeting.wait(), 8)
        return id(session)

    app.add_api_route("/check/meet", meet)
    app.router.routes.insert(0, app.router.routes.pop())  # before one that takes every path


def wait_until_inside(app: Any, number: int) -> int:
    """Wait until so many requests are in the meeting route, a second at most; tell how many are."""
    with app.state.entered:
        app.state.entered.wait_for(lambda: app.state.inside >= number, 1)
        found: int = app.state.inside
        return found


def count_lent_connections(app: Any, database: Any) -> None:
    """Count the connections that are lent and not yet given back."""
    import threading

    from sqlalchemy import event

    app.state.lent, app.state.changed = 0, threading.Condition()
    kept: list[Any] = []  # what is in it can't be closed by the garbage collector

    def change(by: int) -> None:
        with app.state.changed:
            app.state.lent += by
            app.state.changed.notify_all()

    @event.listens_for(database.engine, "checkout")
    def lend(_driver: Any, _record: Any, lent: Any) -> None:
        kept.append(lent)
        change(1)

    @event.listens_for(database.engine, "checkin")
    def take_back(*_: Any) -> None:
        change(-1)


def wait_until_given_back(app: Any) -> int:
    """Wait until all lent connections are given back, two seconds at most; tell how many are not."""
    with app.state.changed:
        app.state.changed.wait_for(lambda: app.state.lent <= 0, 2)
        left: int = app.state.lent
        return left


def expect_all_given_back(apps: Apps, what: str, why: str = "") -> None:
    """A pool without a limit hides a leak and doesn't close it: count instead."""
    left = apps.probe(wait_until_given_back, "app", compare=False).yours
    apps.expect(
        left == 0,
        f"{what}, then the connections that were not given back",
        expected="0",
        yours=left,
        why=f"{why} A session gives its connection back when it is closed, whatever the pool's settings.",
    )


def exhaust(apps: Apps, path: str, lent: int, what: str) -> None:
    """Send as many requests as the pool lends connections, then one that needs another connection."""
    for _ in range(lent):
        apps.get(path, status_only=True, why=what)
    apps.get(
        "/health",
        status_only=True,
        why=f"This was request {lent + 1}, after {lent} of GET {path}. {what} In this check the pool lends "
        f"{lent} connections, and a session gives its own back when it is closed. One that is closed too "
        "early, by return within `with`, opens again: yield it.",
    )


@step("1.5")
def test_each_request_has_its_own_session(apps: Apps) -> None:
    """Each request has a session of its own, which is closed after the answer."""
    apps.probe(add_meeting_route, "app", "database")
    sent = []
    with ThreadPoolExecutor(3) as pool:
        for number in range(3):  # one after another, so that a thread may serve two of them
            sent.append(pool.submit(apps.yours.get, "/check/meet", timeout=10))
            apps.yours.probe(wait_until_inside, "app", number=number + 1)
    answers = [one.result() for one in sent]
    statuses = [answer.status for answer in answers]
    error = next((answer.error for answer in answers if answer.error), "")
    sessions = len({str(answer.body) for answer in answers})
    apps.expect(
        statuses == [200] * 3 and sessions == 3,
        "Three requests at the same time, each with Depends(get_db)",
        expected="three sessions",
        yours=f"sessions: {sessions}" if statuses == [200] * 3 else f"answers {statuses}  {error}".strip(),
        why="What one request adds or rolls back, the other would add or roll back too. "
        "Make the session inside get_db, a new one for each request, not one for each thread."
        if statuses == [200] * 3
        else "get_db must work with Depends(get_db), in an async route as well.",
    )
    lent = apps.probe(be_strict, "database", compare=False).yours
    apps.probe(count_lent_connections, "app", "database")
    exhaust(apps, "/health", lent, "Its route uses a session of get_db.")
    expect_all_given_back(apps, f"{lent + 1} requests GET /health")


@step("1.5")
def test_a_session_is_closed_after_an_error(apps: Apps) -> None:
    """A session is closed as well when the route raises a 404 or crashes."""
    lent = apps.probe(be_strict, "database", compare=False).yours
    apps.probe(add_failing_routes, "app", "database")
    apps.probe(count_lent_connections, "app", "database")
    exhaust(
        apps,
        "/check/404",
        lent,
        "The check has added this route. It uses a session of get_db, then raises HTTPException(404).",
    )
    exhaust(
        apps,
        "/check/500",
        lent,
        "The check has added this route. It uses a session of get_db, then raises an exception.",
    )
    expect_all_given_back(apps, "Requests whose routes fail")
    left = apps.probe(wait_until_closed, "app", compare=False).yours
    apps.expect(
        left == 0,
        "Requests whose routes fail, then the sessions that were not closed",
        expected="0",
        yours=left,
        why="A commit or a rollback gives the connection back, and leaves the session open. Close it, "
        "whatever happens.",
    )


# Step 1.8


@step("1.8")
def test_routes_give_connections_back(apps: Apps) -> None:
    """Every request of the blog gives its connection back, whatever its answer."""
    apps.probe(count_lent_connections, "app", "database")
    ann = apps.post("/users", json={"username": "ann"})
    apps.post("/users", json={"username": "ann"})
    apps.get("/users")
    apps.get("/users/{}", ann["id"])
    apps.get("/users/99")
    apps.post("/posts", json={"title": "Hello", "owner_id": ann["id"]})
    apps.post("/posts", json={"title": "Lost", "owner_id": 99})
    apps.get("/posts")
    expect_all_given_back(
        apps, "One request of each kind", "Take the session from get_db, as a parameter: session: SessionDep."
    )
