"""Query with options, savepoints, dependencies as defaults, and joined loads of lists."""

# mypy: ignore-errors
from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pwdlib import PasswordHash
from sqlalchemy import or_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, contains_eager, joinedload, subqueryload

import models
import schemas
from database import Base, engine, get_transaction

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
def create_user(user: schemas.UserCreate, db: Session = get_transaction):
    email = str(user.email).lower()
    taken = db.query(models.User).filter(
        or_(models.User.username == user.username, models.User.email == email)
    )
    if taken.first():
        raise HTTPException(status_code=409, detail="Username or email already registered")
    hashed = pwd_context.hash(user.password.get_secret_value())
    db_user = models.User(username=user.username, email=email, password_hash=hashed)
    try:
        with db.begin_nested():
            db.add(db_user)
    except IntegrityError:
        raise HTTPException(status_code=409, detail="Username or email already registered")
    return db_user


@app.get("/users", response_model=list[schemas.UserOut])
def list_users(db: Session = get_transaction):
    return db.query(models.User).all()


@app.get("/users/{user_id}", response_model=schemas.UserOut)
def get_user(user_id: schemas.RowId, db: Session = get_transaction):
    user = db.query(models.User).filter(models.User.id == user_id).first()
    if not user:
        raise HTTPException(status_code=404, detail="User not found")
    return user


@app.get("/users/{user_id}/posts", response_model=schemas.UserWithPosts)
def get_user_posts(user_id: schemas.RowId, db: Session = get_transaction):
    user = (
        db.query(models.User)
        .outerjoin(models.User.posts)
        .options(contains_eager(models.User.posts))
        .filter(models.User.id == user_id)
        .one_or_none()
    )
    if not user:
        raise HTTPException(status_code=404, detail="User not found")
    return user


@app.get("/users-with-posts", response_model=list[schemas.UserWithPosts])
def list_users_with_posts(db: Session = get_transaction):
    return db.query(models.User).options(joinedload(models.User.posts)).all()


@app.delete("/users/{user_id}", status_code=204)
def delete_user(user_id: schemas.RowId, db: Session = get_transaction):
    if not db.query(models.User).filter(models.User.id == user_id).delete():
        raise HTTPException(status_code=404, detail="User not found")


@app.post("/posts", response_model=schemas.PostOut, status_code=201)
def create_post(post: schemas.PostCreate, db: Session = get_transaction):
    if not db.query(models.User).filter(models.User.id == post.owner_id).first():
        raise HTTPException(status_code=409, detail="No such owner")
    db_post = models.Post(**post.model_dump())
    db.add(db_post)
    db.flush()
    db.refresh(db_post)
    return db_post


@app.get("/posts", response_model=list[schemas.PostWithOwner])
def list_posts(db: Session = get_transaction):
    return (
        db.query(models.Post)
        .options(subqueryload(models.Post.owner))
        .order_by(models.Post.title.desc())
        .all()
    )


@app.post("/posts/{post_id}/publish", response_model=schemas.PostOut)
def publish(post_id: schemas.RowId, db: Session = get_transaction):
    changed = db.query(models.Post).filter(models.Post.id == post_id).update({"published": True})
    if not changed:
        raise HTTPException(status_code=404, detail="Post not found")
    return db.query(models.Post).filter(models.Post.id == post_id).one()
