from fastapi import APIRouter
from sqlalchemy import func, select

from shop.storage import Store, engine
from shop.tables import Category

router = APIRouter()


@router.get("/health")
def health(store: Store) -> dict[str, str | int]:
    with store.unit() as session:
        count = session.scalar(select(func.count()).select_from(Category)) or 0
    return {"status": "ok", "database": engine.name, "categories": count}
