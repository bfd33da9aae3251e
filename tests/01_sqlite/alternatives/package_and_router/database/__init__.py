"""A package for the way to the database, with its parts in modules of their own."""

from .engine import engine
from .session import Base, Db, SessionLocal, get_db

__all__ = ["Base", "Db", "SessionLocal", "engine", "get_db"]
