# region step 6.18: what can be bought
"""Products and orders: no piece is sold twice, and no money is lost."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

from fastapi import Depends
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from database import SessionDep
from errors import Conflict, NotFound
from models import Order, OrderItem, Product, User
from schemas import OrderCreate, OrderLine, Page, ProductCreate
from services.base import BaseService


class ProductService(BaseService[Product, ProductCreate, ProductCreate]):
    def __init__(self, session: Session) -> None:
        super().__init__(Product, session)

    def create(self, data: ProductCreate) -> Product:
        try:
            return super().create(data)
        except IntegrityError as error:
            raise Conflict(f"There is a product {data.name!r} already") from error


# region step 6.19: all of it in one transaction, which whoever calls commits
# starter: # TODO 6.19: OrderService.
class OrderService:
    def __init__(self, session: Session) -> None:
        self.session = session

    # region step 6.21: the second request finds the order of the first
    # starter: def place(self, buyer: User, data: OrderCreate) -> Order:
    # starter:     """Take the pieces from the stock and store the order; NotFound or Conflict if that can't be."""
    # starter:     wanted = pieces_of(data.items)
    # starter:     products = self._products(wanted)
    # starter:     # TODO 6.21: has this order been stored already?
    # starter:     order = Order(user_id=buyer.id, items=take(products, wanted))
    # starter:     order.total_amount = sum((item.price * item.quantity for item in order.items), Decimal(0))
    # starter:     self.session.add(order)
    # starter:     self.session.flush()
    # starter:     return order
    # starter:
    def place(self, buyer: User, data: OrderCreate, key: str | None = None) -> tuple[Order, bool]:
        """Take the pieces from the stock and store the order; NotFound or Conflict if that can't be.

        Returns the order, and whether it is new: one with the same key is not stored twice.
        """
        wanted = pieces_of(data.items)
        products = self._products(wanted)  # the twin of this request waits here until this one is through
        if key and (order := self._find(buyer, key)):
            if Counter({item.product_id: item.quantity for item in order.items}) != wanted:
                raise Conflict("This Idempotency-Key belongs to another order")
            return order, False
        order = Order(user_id=buyer.id, idempotency_key=key, items=take(products, wanted))
        order.total_amount = sum((item.price * item.quantity for item in order.items), Decimal(0))
        self.session.add(order)
        try:
            self.session.flush()
        except IntegrityError as error:
            raise Conflict("This Idempotency-Key belongs to another order") from error
        return order, True

    def _find(self, buyer: User, key: str) -> Order | None:
        """The order that the buyer has placed with this key."""
        found = select(Order).where(Order.user_id == buyer.id, Order.idempotency_key == key)
        return self.session.scalar(found.options(selectinload(Order.items)))

    # endregion
    def _products(self, wanted: Counter[int]) -> Sequence[Product]:
        """The products that are wanted; NotFound unless all are there."""
        found = select(Product).where(Product.id.in_(wanted))
        # region step 6.20: locked, and by everyone in the same order, so no two wait for each other
        # starter: # TODO 6.20: nobody else may sell them meanwhile.
        found = found.order_by(Product.id).with_for_update()
        # endregion
        products = self.session.scalars(found).all()
        if missing := wanted.keys() - {product.id for product in products}:
            raise NotFound(f"No such products: {', '.join(map(str, sorted(missing)))}")
        return products

    def get(self, buyer: User, order_id: int) -> Order:
        """One of the buyer's orders, or NotFound."""
        found = select(Order).where(Order.id == order_id, Order.user_id == buyer.id)
        order = self.session.scalar(found.options(selectinload(Order.items)))
        if order is None:
            raise NotFound("Order not found")
        return order

    def get_page(self, buyer: User, page: Page) -> Sequence[Order]:
        """The buyer's orders, in the order of their ids."""
        found = select(Order).where(Order.user_id == buyer.id).options(selectinload(Order.items))
        return self.session.scalars(found.order_by(Order.id).offset(page.skip).limit(page.limit)).all()


def pieces_of(lines: Sequence[OrderLine]) -> Counter[int]:
    """How many pieces of each product; two lines of the same product are one."""
    wanted: Counter[int] = Counter()
    for line in lines:
        wanted[line.product_id] += line.quantity
    return wanted


def take(products: Sequence[Product], wanted: Counter[int]) -> list[OrderItem]:
    """Take the pieces from the stock, at the price of today; Conflict if there are too few."""
    items = []
    for product in products:
        quantity = wanted[product.id]
        if product.stock < quantity:
            raise Conflict(f"Insufficient stock for {product.name}")
        product.stock -= quantity
        items.append(OrderItem(product_id=product.id, quantity=quantity, price=product.price))
    return items


# endregion
def get_product_service(session: SessionDep) -> ProductService:
    return ProductService(session)


ProductServiceDep = Annotated[ProductService, Depends(get_product_service)]


# region step 6.19: as for products
def get_order_service(session: SessionDep) -> OrderService:
    return OrderService(session)


OrderServiceDep = Annotated[OrderService, Depends(get_order_service)]
# endregion
# endregion
