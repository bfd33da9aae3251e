"""503 from a middleware, routes made by functions, async routes where nothing waits, logging by print."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from starlette.middleware.base import RequestResponseEndpoint

from database import Base, SessionDep, engine
from models import Post, User
from schemas import PostCreate, PostOut, UserCreate, UserOut


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    print(f"blog uses {engine.url!r}", flush=True)
    try:
        with engine.connect():
            pass
    except OperationalError:
        raise RuntimeError("can't connect: look at DATABASE_URL, and at the database it names") from None
    Base.metadata.create_all(engine)
    yield
    engine.dispose()


app = FastAPI(title="Blog", lifespan=lifespan)


@app.middleware("http")
async def unavailable(request: Request, call_next: RequestResponseEndpoint) -> Response:
    try:
        return await call_next(request)
    except (OperationalError, InterfaceError) as error:
        print("database is away:", error.orig, flush=True)
        return JSONResponse({"detail": "try again later"}, 503, {"Retry-After": "10"})


@app.get("/")
async def read_root() -> dict[str, str]:
    return {"message": "Database tables created!"}


@app.get("/health")
def read_health(session: SessionDep) -> dict[str, str | int]:
    users = session.scalar(select(func.count()).select_from(User)) or 0
    return {"status": "ok", "database": session.get_bind().dialect.name, "users": users}


@app.post("/users", response_model=UserOut, status_code=201)
def create_user(data: UserCreate, session: SessionDep) -> User:
    user = User(username=data.username)
    session.add(user)
    try:
        session.flush()
    except IntegrityError:
        raise HTTPException(409) from None
    session.commit()
    return user


@app.get("/users", response_model=list[UserOut])
def read_users(session: SessionDep) -> list[User]:
    return list(session.scalars(select(User)))


@app.get("/users/{user_id}", response_model=UserOut)
def read_user(user_id: int, session: SessionDep) -> User:
    user = session.scalar(select(User).where(User.id == user_id))
    if not user:
        raise HTTPException(404)
    return user


@app.post("/posts", response_model=PostOut, status_code=201)
def create_post(data: PostCreate, session: SessionDep) -> Post:
    post = Post(**data.model_dump())
    try:
        session.add(post)
        session.commit()
    except IntegrityError:
        raise HTTPException(409) from None
    return post


@app.get("/posts", response_model=list[PostOut])
def read_posts(session: SessionDep) -> list[Post]:
    return list(session.scalars(select(Post)))
