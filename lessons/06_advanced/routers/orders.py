"""Products and orders."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Header, Response, status

from errors import Conflict, NotAllowed, NotFound, NotLoggedIn, problems

from routers import Router
from schemas import OrderCreate, OrderOut, PageQuery, ProductCreate, ProductOut, RowId, text


router = Router(tags=["orders"])


# TODO 6.18: POST /products, for the staff, and GET /products.
