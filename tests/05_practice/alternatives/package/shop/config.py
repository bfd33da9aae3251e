from dataclasses import dataclass, field
from os import environ
from pathlib import Path

from sqlalchemy import URL, make_url

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Config:
    url: URL = field(repr=False)

    @classmethod
    def read(cls) -> "Config":
        data = ROOT / "data"
        data.mkdir(exist_ok=True)
        url = make_url(environ.get("DATABASE_URL") or f"sqlite:///{data}/shop.db")
        match url.get_backend_name():
            case "postgresql":
                return cls(url.set(drivername="postgresql+psycopg2"))
            case _:
                return cls(url)
