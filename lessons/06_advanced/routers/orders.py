"""Products and orders."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Header, Response, status

from errors import Conflict, NotAllowed, NotFound, NotLoggedIn, problems

from routers import Router
from schemas import OrderCreate, OrderOut, PageQuery, ProductCreate, ProductOut, RowId, text


router = Router(tags=["orders"])


# TODO 6.18: POST /products, for the staff, and GET /products.
# TODO 6.19: POST /orders, GET /orders and GET /orders/{order_id}.
# TODO 6.20: nobody else may sell the products of an order meanwhile.
# TODO 6.21: the header Idempotency-Key.
