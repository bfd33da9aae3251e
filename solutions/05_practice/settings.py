"""What differs between machines comes from the environment, or from a .env file beside this module."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, make_url

FOLDER = Path(__file__).parent


class Settings(BaseSettings):
    """The app's settings: a field is read from the environment variable of the same name."""

    model_config = SettingsConfigDict(env_file=FOLDER / ".env", env_ignore_empty=True, extra="ignore")

    database_url: SecretStr = SecretStr(f"sqlite:///{FOLDER / 'shop.db'}")


def read_url(text: str) -> URL:
    """Turn the text of DATABASE_URL into a URL whose driver is installed."""
    url = make_url(text)
    if url.drivername == "postgresql":
        return url.set(drivername="postgresql+psycopg2")
    return url


settings = Settings()
database_url = read_url(settings.database_url.get_secret_value())
