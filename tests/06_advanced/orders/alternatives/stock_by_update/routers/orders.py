"""No lock and no service: pieces are taken by an UPDATE that refuses to take too many, one by one."""

from collections import defaultdict
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from database import SessionDep, SessionLocal
from models import Order, OrderItem, Product
from schemas import Money, OrderOut, PageQuery, ProductOut, RowId
from security import CurrentUser, Staff

router = APIRouter()


class NewProduct(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    price: Money
    stock: Annotated[int, Field(ge=0, le=2147483647)]


class Line(BaseModel):
    model_config = ConfigDict(frozen=True)
    product_id: RowId
    quantity: int = Field(ge=1, le=1000)


class NewOrder(BaseModel):
    items: Annotated[tuple[Line, ...], Field(min_length=1, max_length=100)]


@router.post("/products", status_code=201)
def add_product(body: NewProduct, staff: Staff, session: SessionDep) -> ProductOut:
    try:
        row = session.execute(insert(Product).values(**body.model_dump()).returning(Product.id)).one()
    except IntegrityError:
        raise HTTPException(409, "taken") from None
    return ProductOut(id=row.id, **body.model_dump())


@router.get("/products")
def list_products(page: PageQuery, session: SessionDep) -> list[ProductOut]:
    statement = select(Product).order_by(Product.id).offset(page.skip).limit(page.limit)
    return [ProductOut.model_validate(product) for product in session.scalars(statement)]


@router.post("/orders", status_code=201)
def buy(
    body: NewOrder,
    caller: CurrentUser,
    response: Response,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=64)] = None,
) -> OrderOut:
    wanted: dict[int, int] = defaultdict(int)
    for line in body.items:
        wanted[line.product_id] += line.quantity
    try:
        return store(caller.id, wanted, idempotency_key)
    except IntegrityError:  # the key has been used: everything that was taken is back
        response.status_code = 200
        with SessionLocal() as session:
            found = show(session, Order.user_id == caller.id, Order.idempotency_key == idempotency_key)
        if found is None or {item.product_id: item.quantity for item in found.items} != wanted:
            raise HTTPException(409, "this key belongs to another order") from None
        return found


def store(user_id, wanted, key) -> OrderOut:
    with SessionLocal() as session, session.begin():
        # First the order, so that a key that was used is noticed before anything else.
        values = {"user_id": user_id, "total_amount": 0, "idempotency_key": key}
        order_id = session.execute(insert(Order).values(**values).returning(Order.id)).scalar_one()
        total = 0
        for product_id, quantity in sorted(wanted.items()):
            taken = (
                update(Product)
                .where(Product.id == product_id, Product.stock >= quantity)
                .values(stock=Product.stock - quantity)
                .returning(Product.price)
            )
            price = session.execute(taken).scalar()
            if price is None:
                there = session.execute(select(Product.id).where(Product.id == product_id)).first()
                raise HTTPException(409 if there else 404, f"product {product_id}")
            line = {"order_id": order_id, "product_id": product_id, "quantity": quantity, "price": price}
            session.execute(insert(OrderItem).values(**line))
            total += price * quantity
        session.execute(update(Order).where(Order.id == order_id).values(total_amount=total))
        return shown(session, order_id)


def shown(session, order_id) -> OrderOut:
    found = show(session, Order.id == order_id)
    assert found is not None
    return found


def show(session, *conditions) -> OrderOut | None:
    order = session.execute(select(Order.__table__).where(*conditions)).mappings().first()
    if order is None:
        return None
    lines = select(OrderItem.__table__).where(OrderItem.order_id == order["id"])
    items = [dict(line) for line in session.execute(lines).mappings()]
    return OrderOut(**order, items=items)


@router.get("/orders")
def mine(page: PageQuery, caller: CurrentUser, session: SessionDep) -> list[OrderOut]:
    ids = select(Order.id).where(Order.user_id == caller.id).order_by(Order.id)
    found = session.scalars(ids.offset(page.skip).limit(page.limit)).all()
    return [shown(session, order_id) for order_id in found]


@router.get("/orders/{order_id}")
def one(order_id: RowId, caller: CurrentUser, session: SessionDep) -> OrderOut:
    found = show(session, Order.id == order_id, Order.user_id == caller.id)
    if found is None:
        raise HTTPException(404)
    return found
