# region step 6.4: what is special about users
"""Users: they sign up, change, and go."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

# region step 6.17: an answer that is kept may have to be forgotten
import cache

# endregion
from database import SessionDep
from errors import Conflict, NotFound
from models import User
from schemas import UserCreate, UserFilter, UserUpdate
from security import password_hasher
from services.base import BaseService


class UserService(BaseService[User, UserCreate, UserUpdate]):
    def __init__(self, session: Session) -> None:
        super().__init__(User, session)

    # region step 6.9: who was deleted can't be found
    # starter: # TODO 6.9: get finds only users who are not deleted, and so does get_by_email.
    def get(self, row_id: int) -> User | None:
        return self.session.scalar(select(User).where(User.id == row_id, User.is_live))

    # endregion
    def get_by_email(self, email: str) -> User | None:
        """The user with this email address, in whatever letters it is written."""
        # region step 6.9: for somebody else may have the address now
        # starter: return self.session.scalar(select(User).where(User.email == email.lower()))
        return self.session.scalar(select(User).where(User.email == email.lower(), User.is_live))
        # endregion

    def create(self, data: UserCreate) -> User:
        user = User(**columns_of(data))
        with refuse_taken_names():
            self.session.add(user)
            self.session.flush()
        return user

    def update(self, row_id: int, data: UserUpdate) -> User | None:
        with refuse_taken_names():
            return super().update(row_id, data)

    # region step 6.5: active means the same everywhere
    # starter: # TODO 6.5: get_active_users.
    def get_active_users(self, skip: int = 0, limit: int = 100) -> Sequence[User]:
        """The users whom nobody has deactivated, in the order of their ids."""
        # region step 6.9: one definition for all queries
        # starter: active = select(User).where(User.is_active)
        active = select(User).where(User.is_active, User.is_live)
        # endregion
        return self.session.scalars(active.order_by(User.id).offset(skip).limit(limit)).all()

    # endregion
    # region step 6.6: the same conditions for the page and for the total, or they contradict each other
    # starter: # TODO 6.6: a page of users, and how many there are in all.
    def get_page(self, asked: UserFilter) -> tuple[int, Sequence[User]]:
        """How many users the filter lets through, and those on the page."""
        found = select(User)
        # region step 6.9: the deleted aren't even counted
        found = found.where(User.is_live)
        # endregion
        if asked.min_age is not None:
            found = found.where(User.age >= asked.min_age)
        if asked.max_age is not None:
            found = found.where(User.age <= asked.max_age)
        if asked.active_only:
            found = found.where(User.is_active)
        total = self.session.scalar(found.with_only_columns(func.count(User.id)))
        page = found.order_by(User.id).offset(asked.skip).limit(asked.limit)
        return total or 0, self.session.scalars(page).all()

    # endregion
    # region step 6.7: one statement for a thousand rows, and the database gives back what it filled in
    # starter: # TODO 6.7: create_many.
    def create_many(self, many: Sequence[UserCreate]) -> Sequence[User]:
        """Store all of them or none. Conflict names the first who can't be stored."""
        refuse_doubles(many)
        rows = [columns_of(data) for data in many]  # slow, so before the transaction begins
        self._refuse_taken(many)
        # render_nulls: rows with and without an age go into the same statement
        statement = insert(User).returning(User).execution_options(render_nulls=True)
        try:
            made = {user.username: user for user in self.session.scalars(statement, rows)}
        except IntegrityError as error:
            raise Conflict("A username or an email was taken in this moment") from error
        return [made[data.username] for data in many]  # RETURNING promises no order

    def _refuse_taken(self, many: Sequence[UserCreate]) -> None:
        """Raise Conflict, which names the row, if a username or an email belongs to somebody."""
        names, emails = {data.username for data in many}, {data.email for data in many}
        found = select(User.username, User.email).where(or_(User.username.in_(names), User.email.in_(emails)))
        # region step 6.10: who was deleted has given them back
        found = found.where(User.is_live)
        # endregion
        taken = {name for user in self.session.execute(found) for name in names_of(user)}
        for number, data in enumerate(many):
            if taken & names_of(data):
                raise Conflict(f"users[{number}]: the username {data.username!r} or its email is taken")

    # endregion
    # region step 6.8: RETURNING tells whom it really changed
    # starter: # TODO 6.8: deactivate.
    def deactivate(self, ids: Sequence[int]) -> tuple[list[int], list[int]]:
        """Deactivate these users. Returns the ids of those who were active, and the ids of nobody."""
        found = select(User.id).where(User.id.in_(set(ids)))
        # region step 6.9: the deleted are nobody
        found = found.where(User.is_live)
        # endregion
        known = set(self.session.scalars(found))
        changed = update(User).where(User.id.in_(known), User.is_active).values(is_active=False)
        return sorted(self.session.scalars(changed.returning(User.id))), sorted(set(ids) - known)

    # endregion
    # region step 6.9: the condition makes it safe to ask twice: the first time stays
    # starter: # TODO 6.9: soft_delete.
    def soft_delete(self, user_id: int) -> None:
        """Hide a user from now on; who is hidden already stays so since then. NotFound if there is none."""
        now = update(User).where(User.id == user_id, User.is_live).values(deleted_at=func.now())
        self.session.execute(now)
        if self.session.scalar(select(User.id).where(User.id == user_id)) is None:
            raise NotFound("User not found")
        # region step 6.17: the ranking shows only those who are there
        # starter: # TODO 6.17: the ranking isn't true any more.
        cache.forget_after_commit(self.session, cache.TOP_AUTHORS)
        # endregion

    # endregion


def columns_of(data: UserCreate) -> dict[str, Any]:
    """What is stored of a new user: of the password, only its hash."""
    given = data.model_dump(exclude={"password"})
    given["display_name"] = data.display_name or data.username
    given["password_hash"] = password_hasher.hash(data.password.get_secret_value())
    return given


@contextmanager
def refuse_taken_names() -> Iterator[None]:
    """Turn the database's refusal of a username or an email into a Conflict."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict("Username or email already taken") from error


# region step 6.7: the database would say the same, but not which row
# starter: # TODO 6.7: refuse_doubles.
def names_of(user: Any) -> set[tuple[str, str]]:
    """What nobody else may have."""
    return {("username", user.username), ("email", user.email)}


def refuse_doubles(many: Sequence[UserCreate]) -> None:
    """Raise Conflict, which names the row, if two rows have the same username or email."""
    seen: set[tuple[str, str]] = set()
    for number, data in enumerate(many):
        if seen & names_of(data):
            raise Conflict(f"users[{number}]: the username {data.username!r} or its email comes twice")
        seen |= names_of(data)


# endregion
def get_user_service(session: SessionDep) -> UserService:
    return UserService(session)


UserServiceDep = Annotated[UserService, Depends(get_user_service)]
# endregion
