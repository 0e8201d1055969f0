"""Alembic's entry: runs the migrations on the connection that the records opened."""

from alembic import context

connection = context.config.attributes["connection"]
# SQLite's DDL is transactional once netwright says BEGIN itself: a killed upgrade leaves no half schema.
context.configure(connection=connection, transactional_ddl=True, render_as_batch=True)
context.run_migrations()
