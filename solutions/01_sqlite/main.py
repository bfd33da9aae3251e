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
    # region step 1.4: at start-up, not on import, so importing this module touches no database
    # starter: # TODO 1.4: create the tables that the models describe.
    Base.metadata.create_all(engine)
    # endregion
    yield


app = FastAPI(title="Blog", lifespan=lifespan)


@app.get("/")
def read_root() -> dict[str, str]:
    # region step 1.4: true by now, for the server answers only after its start-up
    # starter: return {"message": "Hello! No tables yet."}
    return {"message": "Database tables created!"}
    # endregion


@app.get("/health")
def read_health(session: SessionDep) -> dict[str, str | None]:
    """Ask the database for its version, to show that the way there is open."""
    return {"sqlite": session.scalar(text("SELECT sqlite_version()"))}


# region step 1.6: add stages a row, and commit writes it for good
# starter: # TODO 1.6: POST /users stores a user, GET /users lists them all.
@app.post("/users", response_model=UserOut, status_code=status.HTTP_201_CREATED)
def create_user(data: UserCreate, session: SessionDep) -> User:
    user = User(username=data.username)
    session.add(user)
    # region step 1.7: the database decides, so two requests at once can't both get the name
    # starter: session.commit()
    try:
        session.commit()
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "Username already taken") from error
    # endregion
    return user


@app.get("/users", response_model=list[UserOut])
def read_users(session: SessionDep) -> Sequence[User]:
    return session.scalars(select(User).order_by(User.id)).all()


# endregion


# region step 1.7: get looks a row up by its primary key, and gives None when there is none
# starter: # TODO 1.7: GET /users/{user_id} finds one user or answers 404; POST /users answers 409 for a taken name.
@app.get("/users/{user_id}", response_model=UserOut)
def read_user(user_id: int, session: SessionDep) -> User:
    user = session.get(User, user_id)
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "User not found")
    return user


# endregion


# region step 1.8: the foreign key refuses a post whose owner doesn't exist
# starter: # TODO 1.8: POST /posts stores a post, or answers 409 if there is no such owner; GET /posts lists them all.
@app.post("/posts", response_model=PostOut, status_code=status.HTTP_201_CREATED)
def create_post(data: PostCreate, session: SessionDep) -> Post:
    post = Post(title=data.title, owner_id=data.owner_id)
    session.add(post)
    try:
        session.commit()
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "No such owner") from error
    return post


@app.get("/posts", response_model=list[PostOut])
def read_posts(session: SessionDep) -> Sequence[Post]:
    return session.scalars(select(Post).order_by(Post.id)).all()


# endregion
