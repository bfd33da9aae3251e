"""Rows that a path names, or 404."""

from typing import Annotated

from fastapi import Depends, HTTPException
from sqlalchemy import select
from sqlalchemy.orm import immediateload

from database import SessionDep
from models import Post, User
from schemas import RowId


def find_user(user_id: RowId, session: SessionDep) -> User:
    if user := session.get(User, user_id):
        return user
    raise HTTPException(404)


def find_author(user_id: RowId, session: SessionDep) -> User:
    query = select(User).where(User.id == user_id).options(immediateload(User.posts))
    if user := session.scalar(query):
        return user
    raise HTTPException(404)


def find_post(post_id: RowId, session: SessionDep) -> Post:
    if post := session.get(Post, post_id):
        return post
    raise HTTPException(404)


FoundUser = Annotated[User, Depends(find_user)]
FoundAuthor = Annotated[User, Depends(find_author)]
FoundPost = Annotated[Post, Depends(find_post)]
