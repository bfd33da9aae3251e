from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from blog.routes import router
from blog.storage import Base, engine


@asynccontextmanager
async def start(_app: FastAPI) -> AsyncIterator[None]:
    print("using", engine.url)  # str() of a URL hides the password
    try:
        Base.metadata.create_all(engine)
    except OperationalError as error:
        print("Cannot open the database of DATABASE_URL:", str(error.orig).strip())
        raise SystemExit(1) from None
    yield


app = FastAPI(lifespan=start)
app.include_router(router)
