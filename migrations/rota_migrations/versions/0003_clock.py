"""The clock's whole schedule: kinds, bounds, exclusions, policies; the ledger in monthly partitions.

Confirmations of published outcomes and results move out of the wide rows into narrow ones, which are
deleted when the bus has confirmed.
"""

from alembic import op

from rota_migrations.clock import attempts, definitions, holding, keeping, ledger

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WRITES = {
    "rota_gateway": {
        "calendars": "SELECT, INSERT, UPDATE, DELETE",
        "job_revisions": "SELECT, INSERT",
        "run_cancellations": "SELECT, INSERT",
        "ledger_audits": "SELECT, INSERT, UPDATE",
    },
    "rota_ticker": {
        "occurrences": "SELECT, INSERT, UPDATE",
        "unpublished_events": "SELECT, INSERT, UPDATE, DELETE",
    },
    "rota_executor": {
        "executors": "SELECT, INSERT, UPDATE",
        "unpublished_outcomes": "SELECT, INSERT, DELETE",
        "tool_effects": "SELECT, INSERT, UPDATE, DELETE",
        "run_attempts": "DELETE",
    },
    "rota_results": {
        "unannounced_results": "SELECT, INSERT, DELETE",
        "agent_execution_results": "DELETE",
        "conversations": "DELETE",
    },
    "rota_notifier": {"notifications": "UPDATE, DELETE"},
}
READS = {
    "rota_gateway": "occurrences, tool_effects",
    "rota_ticker": "job_revisions, run_cancellations, agent_configurations, executors",
    "rota_executor": "occurrences",
    "rota_results": "occurrences",
    "rota_notifier": "occurrences",
}


def upgrade() -> None:
    definitions.extend_definitions()
    definitions.create_calendars()
    definitions.create_revisions()
    definitions.create_cancellations()
    attempts.create_effects()
    ledger.extend_timers()
    ledger.partition_occurrences()
    keeping.create_audits()
    attempts.narrow_confirmations()
    attempts.hold_by_executor()
    holding.hold_by_statement()
    keeping.create_retention()
    definitions.touch_trigger()
    _protect()


def _protect() -> None:
    for role, tables in WRITES.items():
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
    for role, readable in READS.items():
        op.execute(f"GRANT SELECT ON {readable} TO {role}")
    others = "rota_ticker, rota_executor, rota_results, rota_notifier"
    visible = "context_id = ANY (ARRAY(SELECT rota_visible_contexts()))"
    writable = "context_id = ANY (ARRAY(SELECT rota_writable_contexts()))"
    for table in ("calendars", "job_revisions", "run_cancellations", "occurrences", "tool_effects"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY services ON {table} TO {others} USING (true) WITH CHECK (true)")
        op.execute(f"CREATE POLICY gateway_select ON {table} FOR SELECT TO rota_gateway USING ({visible})")
    for table in ("calendars", "job_revisions", "run_cancellations"):
        op.execute(
            f"CREATE POLICY gateway_insert ON {table} FOR INSERT TO rota_gateway WITH CHECK ({writable})"
        )
    for command in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE POLICY gateway_{command.lower()} ON calendars FOR {command} TO rota_gateway"
            f" USING ({writable})"
        )
    for table in ("job_timers", "job_statistics"):
        op.execute(f"DROP POLICY gateway_select ON {table}")
        op.execute(f"CREATE POLICY gateway_select ON {table} FOR SELECT TO rota_gateway USING ({visible})")
    keeping.create_auditor()
