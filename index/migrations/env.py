"""Run by Alembic, on the connection that `index.catalog.database` hands over."""

from alembic import context

from index.catalog.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter most of a table in place.
)
context.run_migrations()
