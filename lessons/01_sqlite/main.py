"""A small blog on SQLite: write to the database, and read it back."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, status
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from database import Base, SessionDep, engine
from models import Post, User
from schemas import PostCreate, PostOut, UserCreate, UserOut


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Run once when the server starts (above the yield) and once when it stops (below)."""
    # TODO 1.4: create the tables that the models describe.
    yield


app = FastAPI(title="Blog", lifespan=lifespan)


@app.get("/")
def read_root() -> dict[str, str]:
    return {"message": "Hello! No tables yet."}


@app.get("/health")
def read_health(session: SessionDep) -> dict[str, str | None]:
    """Ask the database for its version, to show that the way there is open."""
    return {"sqlite": session.scalar(text("SELECT sqlite_version()"))}


# TODO 1.6: POST /users stores a user, GET /users lists them all.


# TODO 1.7: GET /users/{user_id} finds one user or answers 404; POST /users answers 409 for a taken name.


# TODO 1.8: POST /posts stores a post, or answers 409 if there is no such owner; GET /posts lists them all.
