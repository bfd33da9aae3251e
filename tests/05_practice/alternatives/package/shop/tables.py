from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    TIMESTAMP,
    CheckConstraint,
    FetchedValue,
    ForeignKey,
    Index,
    Numeric,
    String,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shop.storage import Model


class Category(Model):
    __tablename__ = "categories"
    __table_args__ = (Index("category_names", "name", unique=True),)

    id: Mapped[int] = mapped_column(init=False, primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    description: Mapped[str | None] = mapped_column(String, default=None)
    products: Mapped[set["Product"]] = relationship(
        back_populates="category", init=False, repr=False, lazy="write_only", passive_deletes="all"
    )


class Product(Model, unsafe_hash=True):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(init=False, primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2), CheckConstraint("price >= 0", "positive_price"))
    category: Mapped[Category] = relationship(
        back_populates="products", lazy="joined", innerjoin=True, repr=False, hash=False
    )
    category_id: Mapped[int] = mapped_column(ForeignKey(Category.id), init=False, index=True)
    stock: Mapped[int] = mapped_column(
        CheckConstraint("stock >= 0", "positive_stock"), default=0, server_default=text("0")
    )
    created_at: Mapped[datetime] = mapped_column(
        TIMESTAMP(timezone=True), init=False, server_default=func.now(), server_onupdate=FetchedValue()
    )
