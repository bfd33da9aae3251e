"""Reports, from the reporting database."""

from sqlalchemy import func, select

from models import Post, User
from routers import Router
from schemas import Summary

router = Router(prefix="/reports", tags=["reports"])


# TODO 6.28: GET /reports/summary.
