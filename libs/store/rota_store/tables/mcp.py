"""MCP servers of contexts, and the tools that they were found to have."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from rota_store.tables.columns import identity, instant, metadata, of_context, one_of, required

# Written by the gateway; `generation` grows when tools are to be looked for again.
mcp_servers = Table(
    "mcp_servers",
    metadata,
    identity(),
    of_context(),
    required("name"),
    required("transport"),
    # Of http.
    Column("url", Text),
    Column("credential", Text),
    # Of stdio: one of those that the operator lists.
    Column("command", Text),
    # Null: all that the server has.
    Column("allowed_tools", ARRAY(Text)),
    # What is known better than the server says: `read` or `write` by the name of a tool.
    required("effects", JSONB, "'{}'"),
    required("generation", BigInteger, "1"),
    Column("created_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    UniqueConstraint("context_id", "name"),
    one_of("transport", "http", "stdio"),
    CheckConstraint("length(name) BETWEEN 1 AND 30", name="name_length"),
)

# Written by the executor, as are the tools: when it looked last, and why it found nothing.
mcp_discoveries = Table(
    "mcp_discoveries",
    metadata,
    Column("server_id", Uuid, ForeignKey("mcp_servers.id", ondelete="CASCADE"), primary_key=True),
    of_context(),
    required("generation", BigInteger, "0"),
    instant("claimed_until", now=True),
    instant("discovered_at"),
    Column("error", Text),
)

mcp_tools = Table(
    "mcp_tools",
    metadata,
    Column("server_id", Uuid, ForeignKey("mcp_servers.id", ondelete="CASCADE")),
    of_context(),
    # As agents link it; `tool` is what the server calls it.
    Column("name", Text),
    required("tool"),
    required("description"),
    required("effect"),
    required("parameters", JSONB),
    required("idempotent", Boolean),
    required("open_world", Boolean),
    PrimaryKeyConstraint("context_id", "name"),
    one_of("effect", "read", "write"),
)
