"""A frozen dataclass holds the settings; its URL hides the password in repr()."""

from dataclasses import dataclass
from os import environ
from pathlib import Path

from dotenv import dotenv_values
from sqlalchemy import URL, make_url

FOLDER = Path(__file__).resolve().parents[1]


class ConfigurationError(Exception):
    """The environment is not what the app needs."""


@dataclass(frozen=True)
class Config:
    url: URL


def read() -> Config:
    values = {**dotenv_values(FOLDER / ".env"), **environ}
    text = values.get("DATABASE_URL") or f"sqlite:///{FOLDER}/blog.db"
    try:
        url = make_url(text)
    except Exception:
        raise ConfigurationError("the value of DATABASE_URL is not a URL") from None
    match url.drivername:
        case "sqlite" | "postgresql+psycopg2":
            return Config(url)
        case "postgres" | "postgresql":
            return Config(url.set(drivername="postgresql+psycopg2"))
        case other:
            raise ConfigurationError(f"DATABASE_URL names {other}, and this app speaks SQLite and PostgreSQL")
