"""The app's own engine; the models are imported for what they tell SQLModel's metadata."""

from alembic import context
from sqlmodel import SQLModel

import models
from database import engine

with engine.begin() as connection:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
    context.run_migrations()

__all__ = ["models"]
