"""Everything in one file, in the older style: Column, Query, backref, a commit in each route."""

import os
from decimal import Decimal
from typing import Any

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, condecimal, conint, constr
from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, backref, declarative_base, relationship, sessionmaker, subqueryload

HERE = os.path.dirname(os.path.abspath(__file__))
DATABASE_URL = os.getenv("DATABASE_URL", f"sqlite:///{HERE}/development.sqlite3")
DATABASE_URL = DATABASE_URL.replace("postgresql://", "postgresql+psycopg2://")

engine = create_engine(DATABASE_URL)
SessionLocal = sessionmaker(bind=engine, expire_on_commit=False)
Base: Any = declarative_base()

if DATABASE_URL.startswith("sqlite"):

    @event.listens_for(engine, "connect")
    def enforce_foreign_keys(connection, record):
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()


class Category(Base):
    __tablename__ = "categories"
    __table_args__ = (UniqueConstraint("name"),)

    id = Column(Integer, primary_key=True)
    name = Column(String(50), nullable=False)
    description = Column(Text)


class Product(Base):
    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price >= 0 AND stock >= 0", name="ck_products_not_negative"),
        Index("products_by_category", "category_id", "name"),
    )

    id = Column(Integer, primary_key=True)
    name = Column(String(100), nullable=False)
    price = Column(Numeric(10, 2), nullable=False)
    stock = Column(Integer, nullable=False, default=0, server_default=text("0"))
    category_id = Column(Integer, ForeignKey("categories.id", ondelete="RESTRICT"), nullable=False)
    created_at = Column(DateTime, nullable=False, server_default=text("CURRENT_TIMESTAMP"))
    category = relationship("Category", backref=backref("products", passive_deletes="all"))


class CategoryIn(BaseModel):
    name: constr(min_length=1, max_length=50)  # type: ignore[valid-type]
    description: str | None = None


class ProductIn(BaseModel):
    name: constr(min_length=1, max_length=100)  # type: ignore[valid-type]
    price: condecimal(ge=Decimal(0), max_digits=10, decimal_places=2)  # type: ignore[valid-type]
    stock: conint(ge=0, le=2147483647) = 0  # type: ignore[valid-type]
    category_id: int


app = FastAPI()


def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


def show_category(category):
    return {"id": category.id, "name": category.name, "description": category.description}


def show_product(product):
    return {
        "id": product.id,
        "name": product.name,
        "price": product.price,
        "stock": product.stock,
        "category_id": product.category_id,
        "created_at": product.created_at,
    }


@app.get("/health")
def health(db: Session = Depends(get_db)):
    db.connection().exec_driver_sql("SELECT 1")
    return {"status": "ok", "database": db.get_bind().dialect.name}


@app.post("/categories", status_code=201)
def create_category(body: CategoryIn, db: Session = Depends(get_db)):
    if db.query(Category).filter(Category.name == body.name).first():
        raise HTTPException(status_code=409, detail="taken")
    category = Category(**body.model_dump())
    db.add(category)
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        raise HTTPException(status_code=409, detail="taken")
    db.refresh(category)
    return show_category(category)


@app.get("/categories")
def list_categories(db: Session = Depends(get_db)):
    return [show_category(category) for category in db.query(Category).all()]


@app.post("/products", status_code=201)
def create_product(body: ProductIn, db: Session = Depends(get_db)):
    if body.category_id not in range(1, 2**31) or db.get(Category, body.category_id) is None:
        raise HTTPException(status_code=404, detail="no such category")
    product = Product(**body.model_dump())
    db.add(product)
    db.commit()
    db.refresh(product)
    return show_product(product)


@app.get("/products")
def list_products(db: Session = Depends(get_db)):
    products = db.query(Product).options(subqueryload(Product.category)).all()
    return [{**show_product(product), "category": show_category(product.category)} for product in products]
