from typing import Any

from fastapi import FastAPI, HTTPException
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from database import Db, engine
from models import Category, Product
from schemas import CategoryCreate, CategoryOut, ProductCreate, ProductOut, ProductWithCategory

app = FastAPI()


@app.get("/health")
async def health(db: Db) -> dict[str, str]:
    await db.execute(text("SELECT 1"))
    return {"status": "ok", "database": engine.name}


@app.post("/categories", status_code=201, response_model=CategoryOut)
async def create_category(data: CategoryCreate, db: Db) -> Any:
    category = Category(**data.model_dump())
    db.add(category)
    try:
        await db.commit()
    except IntegrityError:
        raise HTTPException(409) from None
    return category


@app.get("/categories", response_model=list[CategoryOut])
async def categories(db: Db) -> Any:
    return (await db.scalars(select(Category))).all()


@app.post("/products", status_code=201, response_model=ProductOut)
async def create_product(data: ProductCreate, db: Db) -> Any:
    if await db.get(Category, data.category_id) is None:
        raise HTTPException(404)
    product = Product(**data.model_dump())
    db.add(product)
    await db.commit()
    return product


@app.get("/products", response_model=list[ProductWithCategory])
async def products(db: Db) -> Any:
    return (await db.scalars(select(Product).options(joinedload(Product.category)))).all()
