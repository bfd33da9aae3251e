"""A small shop on SQLite or PostgreSQL, whichever DATABASE_URL names: categories, and products in them."""

from collections.abc import Sequence

from fastapi import FastAPI, HTTPException, status
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from database import SessionDep, engine
from models import Category, Product
from schemas import CategoryCreate, CategoryOut, ProductCreate, ProductOut, ProductWithCategory

app = FastAPI(title="Shop")


@app.get("/health")
def read_health(session: SessionDep) -> dict[str, str]:
    """Tell which kind of database answers, and ask it something, to show that it does."""
    session.execute(text("SELECT 1"))
    return {"status": "ok", "database": engine.dialect.name}


@app.post("/categories", response_model=CategoryOut, status_code=status.HTTP_201_CREATED)
def create_category(data: CategoryCreate, session: SessionDep) -> Category:
    category = Category(name=data.name, description=data.description)
    session.add(category)
    try:
        session.flush()
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "Category already exists") from error
    return category


@app.get("/categories", response_model=list[CategoryOut])
def read_categories(session: SessionDep) -> Sequence[Category]:
    return session.scalars(select(Category).order_by(Category.id)).all()


@app.post("/products", response_model=ProductOut, status_code=status.HTTP_201_CREATED)
def create_product(data: ProductCreate, session: SessionDep) -> Product:
    product = Product(name=data.name, price=data.price, stock=data.stock, category_id=data.category_id)
    session.add(product)
    # The schema has checked every rule of the table but the foreign key.
    try:
        session.flush()
    except IntegrityError as error:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "Category not found") from error
    return product


@app.get("/products", response_model=list[ProductWithCategory])
def read_products(session: SessionDep) -> Sequence[Product]:
    return session.scalars(select(Product).options(joinedload(Product.category)).order_by(Product.id)).all()
