"""Imperative mapping: plain classes, tables of their own, and a registry that brings them together."""

from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    func,
)
from sqlalchemy.orm import registry, relationship

metadata = MetaData()
mapping = registry(metadata=metadata)

categories = Table(
    "categories",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(50), nullable=False, unique=True),
    Column("description", Text),
)
products = Table(
    "products",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("price", Numeric(10, 2), nullable=False),
    Column("stock", Integer, nullable=False, server_default="0"),
    Column("category_id", ForeignKey("categories.id"), nullable=False, index=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.current_timestamp()),
    CheckConstraint("price >= 0", name="ck_products_price_not_negative"),
    CheckConstraint("stock >= 0", name="ck_products_stock_not_negative"),
)


@dataclass(eq=False)
class Shelf:
    name: str
    description: str | None = None
    id: int = field(init=False)
    items: list["Item"] = field(default_factory=list)


@dataclass(eq=False)
class Item:
    name: str
    price: Decimal
    stock: int
    shelf: Shelf
    id: int = field(init=False)
    category_id: int = field(init=False)


mapping.map_imperatively(
    Shelf,
    categories,
    properties={"items": relationship(Item, back_populates="shelf", passive_deletes="all")},
)
mapping.map_imperatively(Item, products, properties={"shelf": relationship(Shelf, back_populates="items")})
