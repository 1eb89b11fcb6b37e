"""Old rows of every tenant, deleted by the gateway through a function that can do nothing else."""

from alembic import op


def add_prune(table: str, key: str, age: str, condition: str) -> None:
    """`rota_prune_<table>(retention, at_most)`: how many rows it found whose `age` is over and that may go.

    `key` are the columns of the primary key, `condition` is about a row `x`.
    """
    op.execute(f"""
        CREATE FUNCTION rota_prune_{table}(retention interval, at_most integer) RETURNS integer
        LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
            WITH old AS MATERIALIZED (
                SELECT {key} FROM {table} x
                WHERE {age} < statement_timestamp() - retention AND {condition}
                ORDER BY {age} LIMIT at_most FOR UPDATE OF x SKIP LOCKED
            ), gone AS (
                DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM old)
            )
            SELECT count(*) FROM old
        $$
    """)
    op.execute(f"REVOKE ALL ON FUNCTION rota_prune_{table}(interval, integer) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION rota_prune_{table}(interval, integer) TO rota_gateway")
