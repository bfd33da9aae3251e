"""The routes speak Core: insert and select with a join, on a connection for each request. No sessions."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Response
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from database import engine
from models import Category, Product
from schemas import CategoryCreate, ProductCreate

app = FastAPI()
categories: Any = Category.__table__
products: Any = Product.__table__
DIALECTS: dict[str, Any] = {"sqlite": sqlite, "postgresql": postgresql}


def connect() -> Iterator[Connection]:
    connection = engine.connect()
    try:
        yield connection
    finally:
        connection.close()


Db = Annotated[Connection, Depends(connect)]
SHOWN = (products.c.id, products.c.name, products.c.price, products.c.stock, products.c.category_id)


@app.get("/health")
def health(db: Db) -> dict[str, Any]:
    return {"status": "ok", "database": db.dialect.name, "time": db.scalar(select(func.now()))}


@app.post("/categories")
def add_category(data: CategoryCreate, db: Db, response: Response) -> Any:
    statement = DIALECTS[engine.name].insert(categories).values(data.model_dump())
    row = db.execute(statement.on_conflict_do_nothing().returning(categories)).mappings().first()
    db.commit()
    response.status_code = 201 if row else 409
    return dict(row) if row else {}


@app.get("/categories")
def list_categories(db: Db) -> Any:
    return [dict(row) for row in db.execute(select(categories)).mappings()]


@app.post("/products", status_code=201)
def add_product(data: ProductCreate, db: Db) -> Any:
    try:
        row = db.execute(insert(products).values(data.model_dump()).returning(*SHOWN)).mappings().one()
    except IntegrityError:
        raise HTTPException(404)
    db.commit()
    return dict(row)


@app.get("/products")
def list_products(db: Db) -> Any:
    found = db.execute(select(*SHOWN, categories.c.name.label("shelf")).join_from(products, categories))
    return [{**row, "category": {"id": row["category_id"], "name": row["shelf"]}} for row in found.mappings()]
