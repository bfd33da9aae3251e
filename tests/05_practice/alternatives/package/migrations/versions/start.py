"""Written by hand, as SQL."""

from alembic import op

revision = "start"
down_revision = None

ID = {"sqlite": "INTEGER PRIMARY KEY", "postgresql": "SERIAL PRIMARY KEY"}


def upgrade() -> None:
    key = ID[op.get_bind().dialect.name]
    op.execute(f"CREATE TABLE categories (id {key} NOT NULL, name VARCHAR(50) NOT NULL, description VARCHAR)")
    op.execute("CREATE UNIQUE INDEX category_names ON categories (name)")
    op.execute(
        f"""
        CREATE TABLE products (
            id {key} NOT NULL,
            name VARCHAR(100) NOT NULL,
            price NUMERIC(10, 2) NOT NULL CONSTRAINT positive_price CHECK (price >= 0),
            stock INTEGER NOT NULL DEFAULT 0 CONSTRAINT positive_stock CHECK (stock >= 0),
            category_id INTEGER NOT NULL REFERENCES categories (id),
            created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL
        )
        """
        if key.startswith("SERIAL")
        else f"""
        CREATE TABLE products (
            id {key} NOT NULL,
            name VARCHAR(100) NOT NULL,
            price NUMERIC(10, 2) NOT NULL CONSTRAINT positive_price CHECK (price >= 0),
            stock INTEGER NOT NULL DEFAULT 0 CONSTRAINT positive_stock CHECK (stock >= 0),
            category_id INTEGER NOT NULL REFERENCES categories (id),
            created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX ix_products_category_id ON products (category_id)")


def downgrade() -> None:
    op.execute("DROP TABLE products")
    op.execute("DROP TABLE categories")
