"""Who is asking, and what they may do: HTTP Basic against the stored hashes."""

from functools import cache
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pwdlib import PasswordHash
from sqlalchemy import select

from database import SessionLocal
from errors import NotAllowed, NotLoggedIn
from models import User

password_hasher = PasswordHash.recommended()
# region step 6.1: one place that knows how a client proves who it is
# starter: # TODO 6.1: CurrentUser, a dependency: the User who sent the request, or NotLoggedIn.
# starter: # TODO 6.2: Staff, another one: the same User, but NotAllowed unless they belong to the staff.
# starter: # TODO 6.5: who isn't active can't log in.
# starter: # TODO 6.9: who was deleted can't log in.
basic = HTTPBasic(auto_error=False)


def authenticate(username: str, password: str) -> User | None:
    """The user of that name, if the password is theirs. For a name that nobody has, it takes as long."""
    with SessionLocal() as session:  # closed before the slow part: no connection waits for a hash
        found = select(User).where(User.username == username, User.status == "active")
        # region step 6.5: who was deactivated can't log in
        # starter: # TODO 6.5: only users who are active.
        found = found.where(User.is_active)
        # endregion
        # region step 6.9: nor who was deleted
        # starter: # TODO 6.9: only users who are not deleted: User.is_live.
        found = found.where(User.is_live)
        # endregion
        user = session.scalar(found)
    matches = password_hasher.verify(password, user.password_hash if user else hash_of_nobody())
    return user if matches else None


@cache
def hash_of_nobody() -> str:
    return password_hasher.hash("a password that opens nothing")


def get_current_user(given: Annotated[HTTPBasicCredentials | None, Depends(basic)]) -> User:
    """The user who sent the request."""
    user = None
    if given and "\x00" not in given.username:  # PostgreSQL can't be asked for a name with that character
        user = authenticate(given.username, given.password)
    if user is None:
        raise NotLoggedIn("Log in with your username and password")
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


# region step 6.2: a dependency says it where the route is declared
# starter: # TODO 6.2: Staff, the same User, but NotAllowed unless they belong to the staff.
def get_staff(user: CurrentUser) -> User:
    """The user who sent the request, if they belong to the staff."""
    if not user.is_staff:
        raise NotAllowed("Only staff may do this")
    return user


Staff = Annotated[User, Depends(get_staff)]


def require_self_or_staff(user: User, user_id: int) -> None:
    """Raise NotAllowed unless it is about the user, or the user belongs to the staff."""
    if user.id != user_id and not user.is_staff:
        raise NotAllowed("You may do this only for yourself")


# endregion
# endregion
