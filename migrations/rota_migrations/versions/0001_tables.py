"""Every table of the foundation."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from rota_store.tables import TransactionId

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "contexts",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("max_concurrent_runs", sa.Integer(), server_default=sa.text("3"), nullable=False),
        sa.Column("min_period_seconds", sa.Integer(), server_default=sa.text("60"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 255", name=op.f("ck_contexts_name_length")),
        sa.CheckConstraint(
            "max_concurrent_runs BETWEEN 1 AND 1000", name=op.f("ck_contexts_max_concurrent_runs")
        ),
        sa.CheckConstraint(
            "min_period_seconds BETWEEN 1 AND 86400", name=op.f("ck_contexts_min_period_seconds")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contexts")),
        sa.UniqueConstraint("name", name=op.f("uq_contexts_name")),
    )
    op.create_table(
        "tools",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column(
            "parameters",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.CheckConstraint("effect IN ('read', 'write')", name=op.f("ck_tools_effect")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tools")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("is_admin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "agent_configurations",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column(
            "fallback_models",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column("system_prompt", sa.Text(), nullable=False),
        sa.Column(
            "model_settings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "examples",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column("style", sa.Text(), server_default=sa.text("'conversation'"), nullable=False),
        sa.Column("grounding", sa.Text(), server_default=sa.text("'none'"), nullable=False),
        sa.Column(
            "limits", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("shipped_hash", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "grounding IN ('none', 'numbers')", name=op.f("ck_agent_configurations_grounding")
        ),
        sa.CheckConstraint(
            "style IN ('conversation', 'per_fact')", name=op.f("ck_agent_configurations_style")
        ),
        sa.ForeignKeyConstraint(
            ["context_id"],
            ["contexts.id"],
            name=op.f("fk_agent_configurations_context_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_configurations")),
        sa.UniqueConstraint(
            "context_id",
            "name",
            name=op.f("uq_agent_configurations_context_id_name"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"], unique=False)
    op.create_table(
        "conversations",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("agent_name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_conversations_context_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_conversations")),
    )
    op.create_index("ix_conversations_context_id", "conversations", ["context_id"], unique=False)
    op.create_index("ix_conversations_run_id", "conversations", ["run_id"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_idempotency_keys_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "memberships",
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("role IN ('owner', 'editor', 'viewer')", name=op.f("ck_memberships_role")),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_memberships_context_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_memberships_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("context_id", "user_id", name=op.f("pk_memberships")),
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"], unique=False)
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "category IN ('success', 'error', 'approval_needed')", name=op.f("ck_notifications_category")
        ),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_notifications_context_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("run_id", "category", name=op.f("uq_notifications_run_id_category")),
    )
    op.create_index(
        "ix_notifications_context_id",
        "notifications",
        ["context_id", sa.literal_column("created_at DESC")],
        unique=False,
    )
    op.create_index(
        "ix_notifications_created_at",
        "notifications",
        [sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "occurrences",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("scheduled_for", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("instants", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("last_instant", sa.DateTime(timezone=True), nullable=True),
        sa.Column("coalesced_into", sa.Uuid(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("losses", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("priority", sa.SmallInteger(), server_default=sa.text("5"), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("prompt_context", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(state = 'closed') = (disposition IS NOT NULL) AND (state = 'closed') = (closed_at IS NOT NULL)",
            name=op.f("ck_occurrences_closed_with_disposition"),
        ),
        sa.CheckConstraint(
            "disposition IN ('ran', 'skipped', 'missed', 'coalesced', 'suppressed')",
            name=op.f("ck_occurrences_disposition"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'dispatched', 'running', 'parked', 'closed')",
            name=op.f("ck_occurrences_state"),
        ),
        sa.CheckConstraint(
            "trigger IN ('schedule', 'manual', 'backfill')", name=op.f("ck_occurrences_trigger")
        ),
        sa.CheckConstraint(
            "instants >= 1 AND attempt >= 1 AND failures >= 0 AND losses >= 0",
            name=op.f("ck_occurrences_counts"),
        ),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_occurrences_context_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_occurrences")),
    )
    op.create_index("ix_occurrences_context_id", "occurrences", ["context_id"], unique=False)
    op.create_index(
        "ix_occurrences_job_id_created_at",
        "occurrences",
        ["job_id", sa.literal_column("created_at DESC")],
        unique=False,
    )
    op.create_index(
        "ix_occurrences_open",
        "occurrences",
        ["job_id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_occurrences_queued",
        "occurrences",
        ["not_before"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "uq_occurrences_job_id_scheduled_for",
        "occurrences",
        ["job_id", "scheduled_for"],
        unique=True,
        postgresql_where=sa.text("trigger = 'schedule'"),
    )
    op.create_table(
        "run_attempts",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("executor", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transcript", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint(
            "(state = 'ended') = (outcome IS NOT NULL) AND (state = 'ended') = (ended_at IS NOT NULL)",
            name=op.f("ck_run_attempts_ended_with_outcome"),
        ),
        sa.CheckConstraint("state IN ('running', 'released', 'ended')", name=op.f("ck_run_attempts_state")),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_run_attempts_context_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "attempt", name=op.f("pk_run_attempts")),
    )
    op.create_index("ix_run_attempts_context_id", "run_attempts", ["context_id"], unique=False)
    op.create_index(
        "ix_run_attempts_ended_at",
        "run_attempts",
        ["ended_at"],
        unique=False,
        postgresql_where=sa.text("state = 'ended'"),
    )
    op.create_index(
        "ix_run_attempts_lease_until",
        "run_attempts",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_index(
        "ix_run_attempts_unpublished",
        "run_attempts",
        ["ended_at"],
        unique=False,
        postgresql_where=sa.text("state = 'ended' AND published_at IS NULL"),
    )
    op.create_table(
        "scheduled_jobs",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("cron_expression", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), server_default=sa.text("'UTC'"), nullable=False),
        sa.Column("dst_gap", sa.Text(), server_default=sa.text("'shift'"), nullable=False),
        sa.Column("dst_repeat", sa.Text(), server_default=sa.text("'first'"), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("max_runs", sa.Integer(), nullable=True),
        sa.Column("jitter_seconds", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("agent_name", sa.Text(), server_default=sa.text("'orchestrator'"), nullable=False),
        sa.Column("skill_prompt", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.Column("notification_channel", sa.Text(), nullable=True),
        sa.Column("notification_target", sa.Text(), nullable=True),
        sa.Column("timeout_seconds", sa.Integer(), server_default=sa.text("300"), nullable=False),
        sa.Column("max_retries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("retry_backoff_seconds", sa.Integer(), server_default=sa.text("30"), nullable=False),
        sa.Column("overlap_policy", sa.Text(), server_default=sa.text("'skip'"), nullable=False),
        sa.Column("catch_up_policy", sa.Text(), server_default=sa.text("'latest'"), nullable=False),
        sa.Column("catch_up_window_seconds", sa.Integer(), server_default=sa.text("3600"), nullable=False),
        sa.Column("priority", sa.SmallInteger(), server_default=sa.text("5"), nullable=False),
        sa.Column("auto_pause_after", sa.Integer(), nullable=True),
        sa.Column("generation", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "changed_xid", TransactionId(), server_default=sa.text("pg_current_xact_id()"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "catch_up_policy IN ('latest', 'all', 'skip')", name=op.f("ck_scheduled_jobs_catch_up_policy")
        ),
        sa.CheckConstraint("dst_gap IN ('shift', 'skip')", name=op.f("ck_scheduled_jobs_dst_gap")),
        sa.CheckConstraint("dst_repeat IN ('first', 'both')", name=op.f("ck_scheduled_jobs_dst_repeat")),
        sa.CheckConstraint(
            "notification_channel IN ('email', 'telegram', 'webhook')",
            name=op.f("ck_scheduled_jobs_notification_channel"),
        ),
        sa.CheckConstraint(
            "overlap_policy IN ('skip', 'buffer_one', 'allow', 'cancel_other')",
            name=op.f("ck_scheduled_jobs_overlap_policy"),
        ),
        sa.CheckConstraint(
            "(notification_channel IS NULL) = (notification_target IS NULL)",
            name=op.f("ck_scheduled_jobs_channel_with_target"),
        ),
        sa.CheckConstraint("auto_pause_after >= 1", name=op.f("ck_scheduled_jobs_auto_pause_after")),
        sa.CheckConstraint(
            "catch_up_window_seconds >= 0", name=op.f("ck_scheduled_jobs_catch_up_window_seconds")
        ),
        sa.CheckConstraint("end_at > start_at", name=op.f("ck_scheduled_jobs_window")),
        sa.CheckConstraint("jitter_seconds >= 0", name=op.f("ck_scheduled_jobs_jitter_seconds")),
        sa.CheckConstraint(
            "length(cron_expression) <= 200", name=op.f("ck_scheduled_jobs_cron_expression_length")
        ),
        sa.CheckConstraint("length(description) <= 1000", name=op.f("ck_scheduled_jobs_description_length")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 255", name=op.f("ck_scheduled_jobs_name_length")),
        sa.CheckConstraint(
            "length(skill_prompt) <= 5000", name=op.f("ck_scheduled_jobs_skill_prompt_length")
        ),
        sa.CheckConstraint("max_retries BETWEEN 0 AND 10", name=op.f("ck_scheduled_jobs_max_retries")),
        sa.CheckConstraint("max_runs >= 1", name=op.f("ck_scheduled_jobs_max_runs")),
        sa.CheckConstraint("priority BETWEEN 1 AND 9", name=op.f("ck_scheduled_jobs_priority")),
        sa.CheckConstraint(
            "retry_backoff_seconds BETWEEN 1 AND 86400", name=op.f("ck_scheduled_jobs_retry_backoff_seconds")
        ),
        sa.CheckConstraint(
            "timeout_seconds BETWEEN 30 AND 3600", name=op.f("ck_scheduled_jobs_timeout_seconds")
        ),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_scheduled_jobs_context_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_scheduled_jobs_owner_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_jobs")),
        sa.UniqueConstraint("context_id", "name", name=op.f("uq_scheduled_jobs_context_id_name")),
    )
    op.create_index("ix_scheduled_jobs_changed_xid", "scheduled_jobs", ["changed_xid"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sessions_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"], unique=False)
    op.create_table(
        "sign_in_links",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sign_in_links_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sign_in_links")),
    )
    op.create_table(
        "agent_execution_results",
        sa.Column("run_id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("schedule_id", sa.Uuid(), nullable=True),
        sa.Column("job_name", sa.Text(), nullable=False),
        sa.Column("agent_name", sa.Text(), nullable=False),
        sa.Column("agent_revision", sa.Integer(), nullable=True),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("result_content", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_kind", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("pending_actions_created", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("execution_duration_ms", sa.BigInteger(), nullable=False),
        sa.Column(
            "metadata",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "usage", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("scheduled_for", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('success', 'error', 'partial')", name=op.f("ck_agent_execution_results_status")
        ),
        sa.CheckConstraint(
            "trigger IN ('schedule', 'manual', 'backfill')", name=op.f("ck_agent_execution_results_trigger")
        ),
        sa.CheckConstraint(
            "length(result_content) <= 50000", name=op.f("ck_agent_execution_results_result_content_length")
        ),
        sa.CheckConstraint(
            "pending_actions_created >= 0 AND execution_duration_ms >= 0",
            name=op.f("ck_agent_execution_results_counts"),
        ),
        sa.ForeignKeyConstraint(
            ["context_id"],
            ["contexts.id"],
            name=op.f("fk_agent_execution_results_context_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["scheduled_jobs.id"],
            name=op.f("fk_agent_execution_results_schedule_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_agent_execution_results_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_agent_execution_results")),
    )
    op.create_index(
        "ix_agent_execution_results_context_id",
        "agent_execution_results",
        ["context_id", sa.literal_column("created_at DESC")],
        unique=False,
    )
    op.create_index(
        "ix_agent_execution_results_created_at",
        "agent_execution_results",
        [sa.literal_column("created_at DESC"), sa.literal_column("run_id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_agent_execution_results_schedule_id",
        "agent_execution_results",
        ["schedule_id", sa.literal_column("created_at DESC")],
        unique=False,
    )
    op.create_index(
        "ix_agent_execution_results_unannounced",
        "agent_execution_results",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("announced_at IS NULL"),
    )
    op.create_index(
        "ix_agent_execution_results_user_id",
        "agent_execution_results",
        ["user_id", sa.literal_column("created_at DESC")],
        unique=False,
    )
    op.create_table(
        "agent_tools",
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("tool_name", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), server_default=sa.text("'model'"), nullable=False),
        sa.Column("policy", sa.Text(), server_default=sa.text("'auto'"), nullable=False),
        sa.Column(
            "arguments",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "mode = 'model' OR policy <> 'ask'", name=op.f("ck_agent_tools_prefetch_never_asks")
        ),
        sa.CheckConstraint("mode IN ('model', 'prefetch')", name=op.f("ck_agent_tools_mode")),
        sa.CheckConstraint("policy IN ('auto', 'ask', 'deny')", name=op.f("ck_agent_tools_policy")),
        sa.ForeignKeyConstraint(
            ["agent_id"],
            ["agent_configurations.id"],
            name=op.f("fk_agent_tools_agent_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tool_name"], ["tools.name"], name=op.f("fk_agent_tools_tool_name")),
        sa.PrimaryKeyConstraint("agent_id", "tool_name", name=op.f("pk_agent_tools")),
    )
    op.create_table(
        "conversation_messages",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "role IN ('system', 'user', 'assistant', 'tool')", name=op.f("ck_conversation_messages_role")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["conversations.session_id"],
            name=op.f("fk_conversation_messages_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", "position", name=op.f("pk_conversation_messages")),
    )
    op.create_table(
        "deliveries",
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "next_attempt_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "channel IN ('in_app', 'email', 'telegram', 'webhook')", name=op.f("ck_deliveries_channel")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'failed', 'unknown', 'suppressed')",
            name=op.f("ck_deliveries_state"),
        ),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_deliveries_context_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name=op.f("fk_deliveries_notification_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("notification_id", "channel", name=op.f("pk_deliveries")),
    )
    op.create_index("ix_deliveries_context_id", "deliveries", ["context_id"], unique=False)
    op.create_index(
        "ix_deliveries_pending",
        "deliveries",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_deliveries_unannounced",
        "deliveries",
        ["updated_at"],
        unique=False,
        postgresql_where=sa.text("state <> 'pending' AND announced_at IS NULL"),
    )
    op.create_table(
        "job_statistics",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("run_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("consecutive_failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_run_id", sa.Uuid(), nullable=True),
        sa.Column("last_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_run_status", sa.Text(), nullable=True),
        sa.Column("last_run_result", sa.Text(), nullable=True),
        sa.Column("last_run_duration_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "last_run_status IN ('success', 'error', 'partial')",
            name=op.f("ck_job_statistics_last_run_status"),
        ),
        sa.CheckConstraint(
            "length(last_run_result) <= 2000", name=op.f("ck_job_statistics_last_run_result_length")
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["scheduled_jobs.id"], name=op.f("fk_job_statistics_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_statistics")),
    )
    op.create_table(
        "job_timers",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("planned_generation", sa.BigInteger(), nullable=False),
        sa.Column("next_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["scheduled_jobs.id"], name=op.f("fk_job_timers_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_timers")),
    )
    op.create_index(
        "ix_job_timers_next_run_at",
        "job_timers",
        ["next_run_at"],
        unique=False,
        postgresql_where=sa.text("next_run_at IS NOT NULL"),
    )
    op.create_table(
        "notification_reads",
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name=op.f("fk_notification_reads_notification_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notification_reads_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("notification_id", "user_id", name=op.f("pk_notification_reads")),
    )
    op.create_table(
        "run_requests",
        sa.Column("run_id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("prompt_context", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column(
            "changed_xid", TransactionId(), server_default=sa.text("pg_current_xact_id()"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_run_requests_context_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["scheduled_jobs.id"], name=op.f("fk_run_requests_job_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["users.id"], name=op.f("fk_run_requests_requested_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_requests")),
    )
    op.create_index("ix_run_requests_changed_xid", "run_requests", ["changed_xid"], unique=False)
    op.create_index("ix_run_requests_job_id", "run_requests", ["job_id"], unique=False)
    op.create_table(
        "pending_actions",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("tool_call_id", sa.Text(), nullable=False),
        sa.Column("tool_name", sa.Text(), nullable=False),
        sa.Column(
            "arguments",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("status", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('pending', 'approved', 'denied', 'expired')", name=op.f("ck_pending_actions_status")
        ),
        sa.ForeignKeyConstraint(
            ["context_id"], ["contexts.id"], name=op.f("fk_pending_actions_context_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["agent_execution_results.run_id"],
            name=op.f("fk_pending_actions_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_actions")),
        sa.UniqueConstraint("run_id", "tool_call_id", name=op.f("uq_pending_actions_run_id_tool_call_id")),
    )
    op.create_index(
        "ix_pending_actions_context_id",
        "pending_actions",
        ["context_id", sa.literal_column("created_at DESC")],
        unique=False,
    )
