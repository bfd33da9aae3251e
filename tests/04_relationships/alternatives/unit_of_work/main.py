"""Routers, rows found by dependencies, and one handler that turns every broken rule into 409."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import IntegrityError

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
    return JSONResponse({"detail": [fault["msg"] for fault in error.errors()]}, 422)


@app.exception_handler(IntegrityError)
def conflict(_request: Request, _error: IntegrityError) -> JSONResponse:
    return JSONResponse({"detail": "It doesn't fit what is stored"}, 409)
