"""Step 2.5: which database it is may be seen everywhere, its password nowhere."""

import socket
from contextlib import suppress
from urllib.parse import quote, quote_plus

from workshop.checks import Apps, step
from workshop.verdicts import Failure

PASSWORD = "Tr0ub4dor@3"


@step("2.5")
def test_health_names_the_kind(apps: Apps) -> None:
    """GET /health answers {"status": "ok", "database": "sqlite"} or "postgresql"."""
    apps.get("/health", why="The engine knows its kind of database: engine.dialect.name.")


@step("2.5")
def test_the_log_names_the_database(apps: Apps) -> None:
    """While it starts, the app writes a line that names its database."""
    name = "notes.db" if apps.database == "sqlite" else str(apps.yours.url.database)
    apps.yours.start({"DATABASE_URL": "sqlite:///notes.db"} if apps.database == "sqlite" else {})
    apps.expect(
        name in apps.yours.output,
        "What your app prints or logs while it starts",
        expected=f"a line with the name of the database: {name}",
        yours="no such line",
        why='Log the URL in lifespan. uvicorn shows the lines of logging.getLogger("uvicorn.error"); those '
        "of other loggers below WARNING are not shown.",
    )


def show_settings() -> list[str]:
    """Print the settings."""
    import sys

    module = sys.modules.get("settings")
    settings = getattr(module, "settings", "")
    return [repr(settings), str(settings)]


@step("2.5", databases=["postgresql"])
def test_the_password_stays_inside(apps: Apps) -> None:
    """The password is in no output, in no answer and not in the printed settings."""
    app = apps.yours
    role = f"{app.prefix}ann"
    with app.connection() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        connection.exec_driver_sql(f"GRANT ALL ON SCHEMA public TO {role}")
    url = app.url.set(username=role, password=PASSWORD)
    app.start({"DATABASE_URL": url.render_as_string(hide_password=False)})
    user = {"username": "Ann"}
    answers = [
        app.get("/"),
        app.get("/health"),
        app.post("/users", json=user),
        app.post("/users", json=user),
        app.get("/users/0"),
        app.get("/openapi.json"),
    ]
    app.sql("SELECT username FROM users")
    for answer in answers:
        expect_no_password(apps, f"{answer.body} {answer.headers}", answer.asked)
    expect_no_password(apps, str(app.probe(show_settings)), "print(settings)")
    expect_no_password(apps, app.output, "What your app prints or logs")
    with suppress(Failure):
        app.start(
            {"DATABASE_URL": f"postgresql://bloguser:{quote(PASSWORD)}@127.0.0.1:{closed_port()}/blogdb"}
        )
    expect_no_password(apps, app.output, "What your app prints when its server isn't there")


def expect_no_password(apps: Apps, text: str, where: str) -> None:
    """Fail the check if the password is in the text, as it is or as it stands in a URL."""
    shown = next((form for form in (PASSWORD, quote(PASSWORD), quote_plus(PASSWORD)) if form in text), "")
    before = text[max(0, text.find(shown) - 60) : text.find(shown)].replace(apps.yours.prefix, "")
    apps.expect(
        not shown,
        where,
        expected="no password",
        yours=f"the password is there: …{before[-30:]}{shown}",
        why="Logs and answers are read by people who may not read the database. Show the URL with "
        "render_as_string(hide_password=True), and keep the text of DATABASE_URL in a SecretStr.",
    )


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
