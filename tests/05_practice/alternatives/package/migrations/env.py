from alembic import context
from shop.storage import engine
from shop.tables import Product

with engine.connect() as connection:
    context.configure(connection, target_metadata=Product.metadata)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
