"""What people decided, and what they granted, is deleted when it is old; for the gateway, of all tenants.

A decision is kept while anything still goes by it: a call of its run that waits, a call that it was about.
"""

from alembic import op

from rota_migrations.pruning import add_prune

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

IS_OPEN = "EXISTS (SELECT 1 FROM occurrences o WHERE o.run_id = x.run_id AND o.closed_at IS NULL)"
WAITS = "EXISTS (SELECT 1 FROM pending_actions p WHERE p.run_id = x.run_id AND p.status = 'pending')"
OLD = {
    "approval_decisions": ("action_id", "decided_at", f"NOT {IS_OPEN} AND NOT {WAITS}"),
    "run_resumptions": ("run_id, attempt", "created_at", f"NOT {IS_OPEN} AND NOT {WAITS}"),
    "effect_decisions": (
        "effect_id",
        "decided_at",
        f"NOT {IS_OPEN} AND NOT EXISTS (SELECT 1 FROM tool_effects e WHERE e.id = x.effect_id)",
    ),
    # Its uses go with it.
    "approval_grants": ("id", "expires_at", "true"),
}


def upgrade() -> None:
    for table, (key, age, condition) in OLD.items():
        op.execute(f"CREATE INDEX ix_{table}_{age} ON {table} ({age})")
        add_prune(table, key, age, condition)
