"""Operators decide on what agents ask for; editors, who say what agents do, do not decide on it themselves."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

DECIDING = "context_id = ANY (ARRAY(SELECT rota_deciding_contexts()))"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE memberships DROP CONSTRAINT ck_memberships_role,
            ADD CONSTRAINT ck_memberships_role CHECK (role IN ('owner', 'editor', 'operator', 'viewer'))
    """)
    op.execute("""
        CREATE FUNCTION rota_deciding_contexts() RETURNS SETOF uuid
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
            SELECT m.context_id FROM memberships m
            WHERE m.user_id = rota_user() AND m.role IN ('owner', 'operator')
            UNION
            SELECT c.id FROM contexts c
            WHERE EXISTS (SELECT 1 FROM users u WHERE u.id = rota_user() AND u.is_admin)
        $$
    """)
    for table in ("approval_decisions", "run_resumptions", "approval_grants", "effect_decisions"):
        op.execute(f"ALTER POLICY gateway_insert ON {table} WITH CHECK ({DECIDING})")
    op.execute(f"ALTER POLICY gateway_update ON approval_grants USING ({DECIDING})")
