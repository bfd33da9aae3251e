"""The routes in APIRouters, the tables made in a worker thread."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from database import Base, engine
from routers import posts, users


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    await run_in_threadpool(Base.metadata.create_all, engine)
    yield


app = FastAPI(lifespan=lifespan)
app.include_router(users.router)
app.include_router(posts.router)


@app.exception_handler(RequestValidationError)
def refuse(_request: Request, error: RequestValidationError) -> JSONResponse:
    fields = {".".join(map(str, fault["loc"])): fault["msg"] for fault in error.errors()}
    return JSONResponse({"detail": "invalid request", "fields": fields}, 422)
