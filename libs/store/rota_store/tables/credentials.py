"""What tools of a context sign in with. Written by the gateway."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, LargeBinary, Table, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from rota_store.tables.columns import identity, instant, metadata, of_context, one_of, required

# `settings` may be shown, `sealed` is for the executor alone.
credentials = Table(
    "credentials",
    metadata,
    identity(),
    of_context(),
    required("name"),
    required("kind"),
    required("settings", JSONB, "'{}'"),
    required("sealed", LargeBinary),
    Column("created_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    UniqueConstraint("context_id", "name"),
    one_of("kind", "secret", "http", "google"),
    CheckConstraint("length(name) BETWEEN 1 AND 64", name="name_length"),
)
