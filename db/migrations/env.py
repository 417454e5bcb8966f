"""Alembic's entry: runs the migrations on the connection that `db.schema` hands over."""

from alembic import context

from db.tables import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,
    transaction_per_migration=False,
    # The job engine keeps its own tables in this database.
    include_object=lambda _object, name, kind, reflected, compare_to: (
        not (kind == "table" and reflected and compare_to is None)
    ),
)
with context.begin_transaction():
    context.run_migrations()
