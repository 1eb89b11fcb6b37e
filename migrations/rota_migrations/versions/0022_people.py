"""People are made by administrators; who changed what somebody may do is written down beside it.

The changes are noted by triggers, so that one made in SQL is noted too. They see all rows: to who leaves a
context, it is not there any more.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

OTHERS = "rota_ticker, rota_executor, rota_results, rota_notifier"
# Of each table that says what somebody may do: the columns of the user and of the context, and what of it is noted.
NOTED = {
    "memberships": ("user_id", "context_id", {"role": "{row}.role"}, "role"),
    "users": (
        "id",
        None,
        {"is_admin": "nullif({row}.is_admin, false)::text", "is_enabled": "{row}.is_enabled::text"},
        "is_admin, is_enabled",
    ),
    # A key that is revoked is none any more.
    "api_keys": (
        "user_id",
        None,
        {"api_key": "CASE WHEN {row}.revoked_at IS NULL THEN {row}.prefix END"},
        "revoked_at",
    ),
}


def upgrade() -> None:
    op.execute("ALTER TABLE users ADD COLUMN is_enabled boolean NOT NULL DEFAULT true")
    op.execute("""
        CREATE FUNCTION rota_is_admin() RETURNS boolean
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
        $$ SELECT EXISTS (SELECT 1 FROM users u WHERE u.id = rota_user() AND u.is_admin AND u.is_enabled) $$
    """)
    _protect_users()
    _create_changes()
    for table in NOTED:
        _note(table)


def _protect_users() -> None:
    """Who has not signed in yet is looked up by everybody; the bootstrap writes as nobody."""
    op.execute("ALTER TABLE users ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY services ON users TO {OTHERS} USING (true) WITH CHECK (true)")
    op.execute("CREATE POLICY gateway_select ON users FOR SELECT TO rota_gateway USING (true)")
    by_admin = "(rota_user() IS NULL OR rota_is_admin())"
    op.execute(f"CREATE POLICY gateway_insert ON users FOR INSERT TO rota_gateway WITH CHECK {by_admin}")
    op.execute(f"CREATE POLICY gateway_update ON users FOR UPDATE TO rota_gateway USING {by_admin}")


def _create_changes() -> None:
    op.execute("""
        CREATE TABLE access_changes (
            id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT pk_access_changes PRIMARY KEY,
            context_id uuid CONSTRAINT fk_access_changes_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            user_id uuid NOT NULL
                CONSTRAINT fk_access_changes_user_id REFERENCES users (id) ON DELETE CASCADE,
            field text NOT NULL CONSTRAINT ck_access_changes_field
                CHECK (field IN ('role', 'is_admin', 'is_enabled', 'api_key')),
            old text,
            new text,
            changed_by uuid CONSTRAINT fk_access_changes_changed_by REFERENCES users (id) ON DELETE SET NULL,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
    """)
    op.execute("CREATE INDEX ix_access_changes_context_id ON access_changes (context_id, created_at)")
    op.execute("CREATE INDEX ix_access_changes_user_id ON access_changes (user_id, created_at)")
    op.execute("ALTER TABLE access_changes ENABLE ROW LEVEL SECURITY")
    op.execute("GRANT SELECT, INSERT ON access_changes TO rota_gateway")
    op.execute("""
        CREATE POLICY gateway_select ON access_changes FOR SELECT TO rota_gateway
        USING (context_id = ANY (ARRAY(SELECT rota_visible_contexts()))
               OR (context_id IS NULL AND (user_id = rota_user() OR rota_is_admin())))
    """)
    op.execute("""
        CREATE POLICY gateway_insert ON access_changes FOR INSERT TO rota_gateway
        WITH CHECK (changed_by IS NOT DISTINCT FROM rota_user())
    """)


def _note(table: str) -> None:
    user, context, fields, changing = NOTED[table]
    noted = ", ".join(
        f"('{field}', {part.format(row='OLD')}, {part.format(row='NEW')})" for field, part in fields.items()
    )
    # What is being deleted takes its changes along.
    is_there = f"EXISTS (SELECT 1 FROM users u WHERE u.id = it.{user})"
    if context:
        is_there += f" AND EXISTS (SELECT 1 FROM contexts c WHERE c.id = it.{context})"
    op.execute(f"""
        CREATE FUNCTION rota_note_{table}() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        DECLARE it {table} := coalesce(NEW, OLD);
        BEGIN
            INSERT INTO access_changes (context_id, user_id, field, old, new, changed_by)
            SELECT {f"it.{context}" if context else "NULL"}, it.{user}, f.field, f.old, f.new, rota_user()
            FROM (VALUES {noted}) AS f (field, old, new)
            WHERE f.old IS DISTINCT FROM f.new AND {is_there};
            RETURN NULL;
        END $$
    """)
    op.execute(f"""
        CREATE TRIGGER note AFTER INSERT OR DELETE OR UPDATE OF {changing} ON {table}
        FOR EACH ROW EXECUTE FUNCTION rota_note_{table}()
    """)
