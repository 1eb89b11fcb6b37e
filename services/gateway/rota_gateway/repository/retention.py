"""What is older than an operator wants to keep it; functions, since it is that of all tenants."""

RETENTION = {
    table: f"SELECT rota_prune_{table}(CAST(:retention AS interval), :limit)"
    for table in (
        *("run_requests", "run_cancellations", "job_revisions", "ledger_audits"),
        *("approval_decisions", "run_resumptions", "effect_decisions", "approval_grants"),
    )
}
