from datetime import UTC, datetime
from typing import Annotated

from sqlalchemy import DateTime, Dialect, Identity, TypeDecorator, func
from sqlalchemy.orm import Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """Naive UTC inside SQLite, a moment inside PostgreSQL, aware UTC outside of both."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


Key = Annotated[int, mapped_column(Identity(), primary_key=True)]


class HasCreated:
    created_at: Mapped[datetime] = mapped_column(UtcDateTime(), server_default=func.current_timestamp())


class HasTimes(HasCreated):
    updated_at: Mapped[datetime] = mapped_column(
        UtcDateTime(), server_default=func.current_timestamp(), onupdate=func.current_timestamp()
    )
