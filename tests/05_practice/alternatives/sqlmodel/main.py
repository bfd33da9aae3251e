from fastapi import FastAPI, HTTPException
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload
from sqlmodel import select, text

from database import SessionDep, engine
from models import Category, CategoryBase, Product, ProductBase, ProductPublic

app = FastAPI()


@app.exception_handler(IntegrityError)
def conflict(_request, _error):
    from fastapi.responses import PlainTextResponse

    return PlainTextResponse("conflict", 409)


@app.get("/health")
def health(session: SessionDep) -> dict[str, str]:
    session.exec(text("SELECT 1"))  # type: ignore[call-overload]
    return {"status": "ok", "database": engine.name}


@app.post("/categories", status_code=201)
def create_category(body: CategoryBase, session: SessionDep) -> Category:
    category = Category.model_validate(body)
    session.add(category)
    session.commit()
    session.refresh(category)
    return category


@app.get("/categories")
def read_categories(session: SessionDep) -> list[Category]:
    return list(session.exec(select(Category)).all())


@app.post("/products", status_code=201)
def create_product(body: ProductBase, session: SessionDep) -> Product:
    if session.get(Category, body.category_id) is None:
        raise HTTPException(404)
    product = Product.model_validate(body)
    session.add(product)
    session.commit()
    session.refresh(product)
    return product


@app.get("/products", response_model=list[ProductPublic])
def read_products(session: SessionDep):
    return session.exec(select(Product).options(selectinload(Product.category))).all()  # type: ignore[arg-type]
