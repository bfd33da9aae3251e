"""Query, defaults for dependencies, an on_event function, and check-then-insert with a net below."""

# mypy: ignore-errors
from fastapi import Depends, FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pwdlib import PasswordHash
from sqlalchemy import or_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import models
import schemas
from database import Base, engine, get_db

app = FastAPI()
pwd_context = PasswordHash.recommended()


@app.on_event("startup")
def startup():
    Base.metadata.create_all(bind=engine)


@app.exception_handler(RequestValidationError)
async def invalid(request, exc):
    errors = exc.errors()
    for error in errors:
        error.pop("input", None)
        error.pop("ctx", None)
    return JSONResponse(status_code=422, content={"detail": errors})


@app.get("/")
def root():
    return {"message": "Database tables created!"}


@app.post("/users", response_model=schemas.UserOut, status_code=201)
def create_user(user: schemas.UserCreate, db: Session = Depends(get_db)):
    email = str(user.email).lower()
    taken = db.query(models.User).filter(
        or_(models.User.username == user.username, models.User.email == email)
    )
    if taken.first():
        raise HTTPException(status_code=409, detail="Username or email already registered")
    hashed = pwd_context.hash(user.password.get_secret_value())
    db_user = models.User(username=user.username, email=email, password_hash=hashed)
    db.add(db_user)
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        raise HTTPException(status_code=409, detail="Username or email already registered")
    db.refresh(db_user)
    return db_user


@app.get("/users", response_model=list[schemas.UserOut])
def list_users(db: Session = Depends(get_db)):
    return db.query(models.User).all()


@app.get("/users/{user_id}", response_model=schemas.UserOut)
def get_user(user_id: int, db: Session = Depends(get_db)):
    user = db.query(models.User).filter(models.User.id == user_id).first()
    if not user:
        raise HTTPException(status_code=404, detail="User not found")
    return user


@app.post("/posts", response_model=schemas.PostOut, status_code=201)
def create_post(post: schemas.PostCreate, db: Session = Depends(get_db)):
    if not db.query(models.User).filter(models.User.id == post.owner_id).first():
        raise HTTPException(status_code=409, detail="No such owner")
    db_post = models.Post(**post.model_dump())
    db.add(db_post)
    db.commit()
    db.refresh(db_post)
    return db_post


@app.get("/posts", response_model=list[schemas.PostOut])
def list_posts(db: Session = Depends(get_db)):
    return db.query(models.Post).order_by(models.Post.title.desc()).all()


@app.post("/posts/{post_id}/publish", response_model=schemas.PostOut)
def publish(post_id: int, db: Session = Depends(get_db)):
    changed = db.query(models.Post).filter(models.Post.id == post_id).update({"published": True})
    db.commit()
    if not changed:
        raise HTTPException(status_code=404, detail="Post not found")
    return db.query(models.Post).filter(models.Post.id == post_id).one()
