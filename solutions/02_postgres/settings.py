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

    # region step 2.1: the environment wins over the file, the file over the default; an empty value is none
    # starter: # TODO 2.1: a field database_url, with SQLITE_URL as its default, and the .env file beside this module.
    model_config = SettingsConfigDict(env_file=FOLDER / ".env", env_ignore_empty=True, extra="ignore")

    # region step 2.5: a SecretStr shows stars wherever it is printed
    # starter: database_url: str = SQLITE_URL  # TODO 2.5: whoever prints the settings prints the password.
    database_url: SecretStr = SecretStr(SQLITE_URL)
    # endregion
    # endregion


def parse_database_url(text: str) -> URL:
    """Turn the text of DATABASE_URL into a URL whose driver is installed."""
    # region step 2.2: SQLAlchemy's own choice for postgresql:// is psycopg 3; psycopg2 is what is installed
    # starter: # TODO 2.2: make postgresql:// and postgres:// use the driver psycopg2.
    # starter: # TODO 2.6: a clear error for a text that is no URL, and for another kind of database.
    # starter: return make_url(text)
    # region step 2.6: say what is wrong, but never repeat the text: a password may stand in it
    # starter: # TODO 2.6: a clear error for a text that is no URL, and for another kind of database.
    # starter: url = make_url(text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # ValueError: the port is no number
        raise ValueError("DATABASE_URL is not the URL of a database") from None
    # endregion
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg2")
    # region step 2.6: without this, the error is about a module that nobody has heard of
    if url.drivername not in {"sqlite", "postgresql+psycopg2"}:
        raise ValueError("DATABASE_URL must begin with sqlite:// or postgresql://")
    # endregion
    return url
    # endregion


settings = Settings()
