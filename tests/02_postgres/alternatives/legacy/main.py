"""The older style: Column and Query, declarative_base(), Depends as a default, and a ping of our own."""

import logging
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

import models
from database import Base, engine, get_db
from schemas import PostCreate, PostOut, UserCreate, UserOut

logging.basicConfig(level=logging.INFO)
log = logging.getLogger("blog")


@asynccontextmanager
async def lifespan(app):
    log.info("database %s on %s", engine.url.database, engine.url.host or "this machine")
    try:
        Base.metadata.create_all(bind=engine)
    except OperationalError as error:
        raise ConnectionError(f"DATABASE_URL: {error.orig}") from error
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
def root():
    return {"message": "Database tables created!"}


@app.get("/health")
def health(db: Session = Depends(get_db)):
    return {"status": "ok", "database": engine.name, "driver": engine.driver}


@app.post("/users", response_model=UserOut, status_code=201)
def create_user(data: UserCreate, db: Session = Depends(get_db)):
    user = models.User(username=data.username)
    db.add(user)
    try:
        db.commit()
    except IntegrityError:
        raise HTTPException(409, "taken")
    db.refresh(user)
    return user


@app.get("/users", response_model=list[UserOut])
def read_users(db: Session = Depends(get_db)):
    return db.query(models.User).all()


@app.get("/users/{user_id}", response_model=UserOut)
def read_user(user_id: int, db: Session = Depends(get_db)):
    user = db.query(models.User).filter(models.User.id == user_id).first()
    if not user:
        raise HTTPException(404, "not found")
    return user


@app.post("/posts", response_model=PostOut, status_code=201)
def create_post(data: PostCreate, db: Session = Depends(get_db)):
    post = models.Post(**data.model_dump())
    db.add(post)
    try:
        db.commit()
    except IntegrityError:
        raise HTTPException(409, "no owner")
    db.refresh(post)
    return post


@app.get("/posts", response_model=list[PostOut])
def read_posts(db: Session = Depends(get_db)):
    return db.query(models.Post).all()
