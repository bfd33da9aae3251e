"""async def throughout. It blocks the event loop while SQLite works, which this lesson allows."""

from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Response
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from database import Base, engine, get_db
from models import Post, User
from schemas import PostCreate, PostOut, UserCreate, UserOut


def create_tables() -> None:
    for table in Base.metadata.sorted_tables:
        table.create(engine, checkfirst=True)


@asynccontextmanager
async def lifespan(_app: FastAPI):
    create_tables()
    yield


app = FastAPI(lifespan=lifespan)
Db = Annotated[Session, Depends(get_db)]


@app.get("/")
async def read_root():
    return {"message": "Database tables created!"}


@app.get("/health")
async def read_health(db: Db):
    return {"sqlite": db.scalar(text("SELECT sqlite_version()"))}


async def store(db: Session, row: User | Post) -> None:
    db.add(row)
    try:
        db.commit()
    except IntegrityError:
        raise HTTPException(409) from None


@app.post("/users")
async def create_user(data: UserCreate, db: Db, response: Response) -> UserOut:
    user = User(username=data.username)
    await store(db, user)
    response.status_code = 201
    return UserOut(id=user.id, username=user.username)


@app.get("/users")
async def read_users(db: Db) -> list[UserOut]:
    return [UserOut(id=user.id, username=user.username) for user in db.scalars(select(User))]


@app.get("/users/{user_id}")
async def read_user(user_id: int, db: Db) -> UserOut:
    user = db.scalar(select(User).where(User.id == user_id))
    if not user:
        raise HTTPException(404)
    return UserOut(id=user.id, username=user.username)


@app.post("/posts")
async def create_post(data: PostCreate, db: Db, response: Response) -> PostOut:
    post = Post(title=data.title, owner_id=data.owner_id)
    await store(db, post)
    response.status_code = 201
    return PostOut(id=post.id, title=post.title, owner_id=post.owner_id)


@app.get("/posts")
async def read_posts(db: Db) -> list[PostOut]:
    return [
        PostOut(id=post.id, title=post.title, owner_id=post.owner_id) for post in db.scalars(select(Post))
    ]
