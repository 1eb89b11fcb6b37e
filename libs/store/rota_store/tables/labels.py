"""Who owns what was applied from a file. Written by the gateway."""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text, Uuid

from rota_store.tables.columns import metadata, of_context, one_of, required

owner_labels = Table(
    "owner_labels",
    metadata,
    Column("kind", Text),
    Column("object_id", Uuid),
    of_context(),
    required("owner"),
    PrimaryKeyConstraint("kind", "object_id"),
    Index("ix_owner_labels_context_id", "context_id", "owner"),
    one_of("kind", "calendar", "mcp_server", "agent", "job", "budget"),
)
