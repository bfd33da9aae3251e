"""Fill an empty database with something to see: run `python seed.py`.

Everyone's password is "correct horse". In the finished system, ann belongs to the staff.
"""

import random
import sys
from decimal import Decimal

from sqlalchemy import select

from database import SessionLocal

# region step 6.24: the whole system
# starter: from models import Post, User
from models import Comment, Order, OrderItem, Post, Product, Project, ProjectMember, Role, Tag, User

# endregion
from security import password_hasher

NAMES = ["ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ivy", "jon", "kim", "lea"]
THINGS = ["tables", "sessions", "migrations", "indexes", "locks", "tests", "queries", "backups"]
OPINIONS = ["I learned about {}", "Three mistakes with {}", "Why I like {}", "{} without fear"]
# region step 6.24: of the later parts
COMMENTS = ["Well said.", "I see it differently.", "This saved my day.", "What about PostgreSQL?"]
GOODS = {"Mug": Decimal("9.90"), "T-shirt": Decimal("19.00"), "Notebook": Decimal("4.20")}
# endregion
choose = random.Random(6)  # the same data each time


def make_users() -> list[User]:
    password_hash = password_hasher.hash("correct horse")
    return [
        User(
            username=name,
            email=f"{name}@example.com",
            password_hash=password_hash,
            display_name=name.title(),
            # region step 6.24: of the later parts
            is_staff=name == "ann",
            age=choose.randint(18, 80),
            # endregion
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


# region step 6.24: tags, comments, orders and projects
def label(posts: list[Post], users: list[User]) -> None:
    """Give posts tags and comments."""
    tags = [Tag(name=thing) for thing in THINGS]
    for post in posts:
        post.tags = choose.sample(tags, k=choose.randint(0, 3))
        for words in choose.sample(COMMENTS, k=choose.randint(0, 3)):
            post.comments.append(Comment(content=words, author_id=choose.choice(users).id))


def make_products() -> list[Product]:
    return [Product(name=name, price=price, stock=choose.randint(5, 50)) for name, price in GOODS.items()]


def make_orders(users: list[User], products: list[Product]) -> list[Order]:
    orders = []
    for user in users:
        product, quantity = choose.choice(products), choose.randint(1, 3)
        item = OrderItem(product_id=product.id, quantity=quantity, price=product.price)
        product.stock -= quantity
        orders.append(Order(user_id=user.id, total_amount=product.price * quantity, items=[item]))
    return orders


def make_projects(users: list[User]) -> list[Project]:
    owner, *others = choose.sample(users, k=5)
    members = [ProjectMember(user_id=owner.id, role=Role.OWNER)]
    members += [ProjectMember(user_id=other.id, role=Role.MEMBER) for other in others]
    return [Project(name="The next release", owner_id=owner.id, members=members)]


# endregion
def main() -> None:
    with SessionLocal.begin() as session:
        if session.scalar(select(User.id).limit(1)):
            sys.exit("There are users already. The seed is for an empty database.")
        users = make_users()
        session.add_all(users)
        session.flush()
        posts = make_posts(users)
        session.add_all(posts)
        # region step 6.24: of the later parts
        label(posts, users)
        products = make_products()
        session.add_all([*products, *make_projects(users)])
        session.flush()
        session.add_all(make_orders(users, products))
        # endregion
    print(f"{len(users)} users, {len(posts)} posts. Log in as ann, with the password: correct horse")


if __name__ == "__main__":
    main()
