"""Fill an empty database with something to see: run `python seed.py`.

Everyone's password is "correct horse". In the finished system, ann belongs to the staff.
"""

import random
import sys
from decimal import Decimal

from sqlalchemy import select

from database import SessionLocal

from models import Post, User
from security import password_hasher

NAMES = ["ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ivy", "jon", "kim", "lea"]
THINGS = ["tables", "sessions", "migrations", "indexes", "locks", "tests", "queries", "backups"]
OPINIONS = ["I learned about {}", "Three mistakes with {}", "Why I like {}", "{} without fear"]
choose = random.Random(6)  # the same data each time


def make_users() -> list[User]:
    password_hash = password_hasher.hash("correct horse")
    return [
        User(
            username=name,
            email=f"{name}@example.com",
            password_hash=password_hash,
            display_name=name.title(),
        )
        for name in NAMES
    ]


def make_posts(users: list[User]) -> list[Post]:
    return [
        Post(
            title=choose.choice(OPINIONS).format(thing).capitalize(),
            content=f"Everything that I know about {thing}, in a few words.",
            is_published=choose.random() < 0.7,
            owner_id=choose.choice(users).id,
        )
        for thing in choose.choices(THINGS, k=120)
    ]


def main() -> None:
    with SessionLocal.begin() as session:
        if session.scalar(select(User.id).limit(1)):
            sys.exit("There are users already. The seed is for an empty database.")
        users = make_users()
        session.add_all(users)
        session.flush()
        posts = make_posts(users)
        session.add_all(posts)
    print(f"{len(users)} users, {len(posts)} posts. Log in as ann, with the password: correct horse")


if __name__ == "__main__":
    main()
