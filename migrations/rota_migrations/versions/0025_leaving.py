"""Who leaves a context is noted as well, and a user can be deleted again.

The triggers looked as whoever made the change: to those, a context that they have just left is not there. And
what a user who is deleted may do was noted of somebody who is not there any more.
"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# As in 0022: of each table the columns of the user and of the context, and what of it is noted.
NOTED = {
    "memberships": ("user_id", "context_id", [("role", "{row}.role")]),
    "users": (
        "id",
        None,
        [("is_admin", "nullif({row}.is_admin, false)::text"), ("is_enabled", "{row}.is_enabled::text")],
    ),
    "api_keys": ("user_id", None, [("api_key", "CASE WHEN {row}.revoked_at IS NULL THEN {row}.prefix END")]),
}


def upgrade() -> None:
    for table, (user, context, fields) in NOTED.items():
        noted = ", ".join(
            f"('{field}', {part.format(row='OLD')}, {part.format(row='NEW')})" for field, part in fields
        )
        # What is being deleted takes its changes along.
        is_there = f"EXISTS (SELECT 1 FROM users u WHERE u.id = it.{user})"
        if context:
            is_there += f" AND EXISTS (SELECT 1 FROM contexts c WHERE c.id = it.{context})"
        op.execute(f"""
            CREATE OR REPLACE FUNCTION rota_note_{table}() RETURNS trigger
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
