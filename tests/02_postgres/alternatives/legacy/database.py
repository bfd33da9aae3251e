import os

from dotenv import load_dotenv
from fastapi import HTTPException
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import declarative_base, sessionmaker

BASE_DIR = os.path.dirname(os.path.abspath(__file__))
load_dotenv(os.path.join(BASE_DIR, ".env"))
SQLALCHEMY_DATABASE_URL = os.getenv("DATABASE_URL") or "sqlite:///" + os.path.join(BASE_DIR, "blog.db")


def engine_for(text):
    for scheme in ("postgresql://", "postgres://"):
        if text.startswith(scheme):
            text = "postgresql+psycopg2://" + text[len(scheme) :]
    if not text.startswith(("sqlite://", "postgresql+psycopg2://")):
        raise ValueError("DATABASE_URL must name SQLite or PostgreSQL")
    options = {"connect_args": {"check_same_thread": False}} if text.startswith("sqlite") else {}
    try:
        return create_engine(text, **options)
    except Exception as error:
        raise ValueError("DATABASE_URL can't be used: " + type(error).__name__) from None


engine = engine_for(SQLALCHEMY_DATABASE_URL)


def on_connect(dbapi_connection, connection_record):
    cursor = dbapi_connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()


if make_url(SQLALCHEMY_DATABASE_URL).get_backend_name() == "sqlite":
    event.listen(engine, "connect", on_connect)

SessionLocal = sessionmaker(autocommit=False, autoflush=False, bind=engine)
Base = declarative_base()


def open_session():
    """A session whose connection has been tried. A dead one empties the pool, so the second is new."""
    for _ in range(2):
        db = SessionLocal()
        try:
            db.execute(text("SELECT 1"))
            return db
        except OperationalError:
            db.close()
    raise HTTPException(503, "database is away")


def get_db():
    db = open_session()
    try:
        yield db
    except DBAPIError as error:
        if error.connection_invalidated:
            raise HTTPException(503, "database is away") from error
        raise
    finally:
        db.close()
