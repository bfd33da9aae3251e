"""What differs between machines comes from the environment, or from a .env file beside this module."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

FOLDER = Path(__file__).parent
SQLITE_URL = f"sqlite:///{FOLDER / 'blog.db'}"


class Settings(BaseSettings):
    """The app's settings: a field is read from the environment variable of the same name."""

    model_config = SettingsConfigDict(env_file=FOLDER / ".env", env_ignore_empty=True, extra="ignore")

    database_url: SecretStr = SecretStr(SQLITE_URL)
    # region step 6.17: without it, each process remembers for itself
    # starter: # TODO 6.17: cache_url, the URL of a Redis server, which need not be there.
    cache_url: SecretStr | None = None
    # endregion
    # region step 6.25: how long a writer waits for another one
    # starter: # TODO 6.25: sqlite_busy_timeout in milliseconds, 10000 unless something else is said.
    sqlite_busy_timeout: int = 10_000  # milliseconds
    # endregion
    # region step 6.28: without it, reports come from the main database
    # starter: # TODO 6.28: reporting_database_url, which need not be there.
    reporting_database_url: SecretStr | None = None
    # endregion


def parse_database_url(text: str, setting: str = "DATABASE_URL") -> URL:
    """Turn the text of a setting into a URL whose driver is installed."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # ValueError: the port is no number
        raise ValueError(f"{setting} is not the URL of a database") from None
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg2")
    if url.drivername not in {"sqlite", "postgresql+psycopg2"}:
        raise ValueError(f"{setting} must begin with sqlite:// or postgresql://")
    return url


settings = Settings()
