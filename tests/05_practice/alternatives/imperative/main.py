"""One session for each request, made by a middleware. The app refuses to start on an old database."""

from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from sqlalchemy import Engine, create_engine, event, inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, contains_eager
from starlette.concurrency import run_in_threadpool

from models import Item, Shelf, categories
from schemas import CategoryCreate, ProductCreate
from settings import database_url


def make_engine() -> Engine:
    made = create_engine(database_url, max_overflow=15)
    if made.name == "sqlite":
        event.listen(made, "connect", lambda driver, _record: driver.execute("PRAGMA foreign_keys = ON"))
    return made


engine = make_engine()


@asynccontextmanager
async def lifespan(_app: FastAPI):
    if not inspect(engine).has_table(categories.name):
        raise SystemExit("There are no tables. Run: alembic upgrade head")
    yield
    engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def give_session(request: Request, call_next: Any) -> Any:
    request.state.session = session = Session(engine)
    try:
        return await call_next(request)
    finally:
        await run_in_threadpool(session.close)


@app.get("/health")
def health(request: Request) -> dict[str, str]:
    request.state.session.execute(text("SELECT 1"))
    return {"status": "ok", "database": engine.name}


@app.post("/categories", status_code=201)
def create_category(data: CategoryCreate, request: Request) -> dict[str, Any]:
    session: Session = request.state.session
    shelf = Shelf(data.name, data.description)
    session.add(shelf)
    try:
        session.commit()
    except IntegrityError as error:
        if "unique" not in str(error.orig).lower():
            raise
        raise HTTPException(409) from error
    return show(shelf)


def show(shelf: Shelf) -> dict[str, Any]:
    return {"id": shelf.id, "name": shelf.name, "description": shelf.description}


def show_item(item: Item) -> dict[str, Any]:
    return {
        "id": item.id,
        "name": item.name,
        "price": f"{item.price:.2f}",
        "stock": item.stock,
        "category_id": item.category_id,
    }


@app.get("/categories")
def read_categories(request: Request) -> list[dict[str, Any]]:
    return [show(shelf) for shelf in request.state.session.scalars(select(Shelf))]


@app.post("/products", status_code=201)
def create_product(data: ProductCreate, request: Request) -> dict[str, Any]:
    session: Session = request.state.session
    shelf = session.get(Shelf, data.category_id, with_for_update={"read": True})
    if shelf is None:
        raise HTTPException(404)
    item = Item(data.name, data.price, data.stock, shelf)
    session.add(item)
    session.commit()
    return show_item(item)


@app.get("/products")
def read_products(request: Request) -> list[dict[str, Any]]:
    item: Any = Item
    statement = select(item).join(item.shelf).options(contains_eager(item.shelf)).order_by(item.name)
    found = request.state.session.scalars(statement)
    return [{**show_item(one), "category": show(one.shelf)} for one in found]
