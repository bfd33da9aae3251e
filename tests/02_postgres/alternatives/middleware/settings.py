"""The URL itself is the setting: a validator makes it from the text."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

HERE = Path(__file__).resolve().parent


def to_url(text: str) -> URL:
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError):
        raise ValueError("DATABASE_URL has no URL in it") from None
    if url.get_backend_name() not in {"sqlite", "postgresql", "postgres"}:
        raise ValueError("DATABASE_URL has a URL of another database")
    if url.drivername.startswith("postgres"):
        url = url.set(drivername="postgresql+psycopg2")
    return url


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=HERE / ".env",
        env_ignore_empty=True,
        extra="ignore",
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    url: Annotated[URL, NoDecode, BeforeValidator(to_url)] = Field(
        default=f"sqlite:///{HERE / 'blog.db'}", validation_alias="DATABASE_URL"
    )  # type: ignore[assignment]


settings = Settings()
