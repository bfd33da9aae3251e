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

    # TODO 2.1: a field database_url, with SQLITE_URL as its default, and the .env file beside this module.


def parse_database_url(text: str) -> URL:
    """Turn the text of DATABASE_URL into a URL whose driver is installed."""
    # TODO 2.2: make postgresql:// and postgres:// use the driver psycopg2.
    # TODO 2.6: a clear error for a text that is no URL, and for another kind of database.
    return make_url(text)


settings = Settings()
