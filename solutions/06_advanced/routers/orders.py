"""Products and orders."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Header, Response, status

from errors import Conflict, NotAllowed, NotFound, NotLoggedIn, problems

# region step 6.18: the models
from models import Order, Product

# endregion
from routers import Router
from schemas import OrderCreate, OrderOut, PageQuery, ProductCreate, ProductOut, RowId, text

# region step 6.18: who is asking, and who does the work
from security import CurrentUser, Staff

# region step 6.19: of orders, too
# starter: from services.orders import ProductServiceDep
from services.orders import OrderServiceDep, ProductServiceDep

# endregion
# endregion

router = Router(tags=["orders"])


# region step 6.18: the staff fills the shop
# starter: # TODO 6.18: POST /products, for the staff, and GET /products.
# starter: # TODO 6.19: POST /orders, GET /orders and GET /orders/{order_id}.
# starter: # TODO 6.20: nobody else may sell the products of an order meanwhile.
# starter: # TODO 6.21: the header Idempotency-Key.
@router.post(
    "/products",
    response_model=ProductOut,
    status_code=status.HTTP_201_CREATED,
    responses=problems(NotLoggedIn, NotAllowed, Conflict),
)
def create_product(data: ProductCreate, _staff: Staff, products: ProductServiceDep) -> Product:
    return products.create(data)


@router.get("/products", response_model=list[ProductOut])
def read_products(page: PageQuery, products: ProductServiceDep) -> Sequence[Product]:
    return products.get_multi(page.skip, page.limit)


# region step 6.19: who buys is who asks
# starter: # TODO 6.19: POST /orders, GET /orders and GET /orders/{order_id}.
# region step 6.21: a client that heard no answer may ask again
# starter: # TODO 6.21: the header Idempotency-Key.
# starter: @router.post(
# starter:     "/orders",
# starter:     response_model=OrderOut,
# starter:     status_code=status.HTTP_201_CREATED,
# starter:     responses=problems(NotLoggedIn, NotFound, Conflict),
# starter: )
# starter: def create_order(data: OrderCreate, caller: CurrentUser, orders: OrderServiceDep) -> Order:
# starter:     return orders.place(caller, data)
@router.post(
    "/orders",
    response_model=OrderOut,
    status_code=status.HTTP_201_CREATED,
    responses={
        status.HTTP_200_OK: {"model": OrderOut, "description": "Stored already, with the same key"},
        **problems(NotLoggedIn, NotFound, Conflict),
    },
)
def create_order(
    data: OrderCreate,
    caller: CurrentUser,
    orders: OrderServiceDep,
    response: Response,
    idempotency_key: Annotated[str | None, text(64), Header()] = None,
) -> Order:
    order, is_new = orders.place(caller, data, idempotency_key)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return order


# endregion
@router.get("/orders", response_model=list[OrderOut], responses=problems(NotLoggedIn))
def read_orders(page: PageQuery, caller: CurrentUser, orders: OrderServiceDep) -> Sequence[Order]:
    return orders.get_page(caller, page)


@router.get("/orders/{order_id}", response_model=OrderOut, responses=problems(NotLoggedIn, NotFound))
def read_order(order_id: RowId, caller: CurrentUser, orders: OrderServiceDep) -> Order:
    return orders.get(caller, order_id)


# endregion
# endregion
