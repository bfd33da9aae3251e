"""A package with routers, mapped dataclasses, BEGIN IMMEDIATE, and Alembic configured in pyproject.toml."""

from fastapi import FastAPI
from shop.routes import categories, products, status

app = FastAPI(title="The shop")
for part in (categories, products, status):
    app.include_router(part.router)
