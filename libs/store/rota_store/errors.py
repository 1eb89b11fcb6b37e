"""What goes wrong with a statement, told without the values in it."""

import asyncpg

# SQLSTATE classes that say nothing about the statement: connection, resources, operator intervention.
TRANSIENT_CLASSES = ("08", "53", "57", "58")
# The statements are fixed: where one names what is not there, the database is not migrated yet. And after a
# failover a connection may lead to a server that only reads.
NOT_READY_STATES = ("3D000", "42P01", "42703", "25006")
# Others were in the way, and a repetition may find them gone: a conflict, a deadlock, a lock_timeout.
CONTENTION_STATES = ("40001", "40P01", "55P03")
TRANSIENT_STATES = (*CONTENTION_STATES, *NOT_READY_STATES)
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# A migration changed what a prepared statement returns; it is prepared anew the next time.
CHANGED_SCHEMA = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)


class StatementError(Exception):
    """PostgreSQL refused a statement. Errors are logged, and values hold prompts: there are none in it."""

    def __init__(self, message: str, *, sqlstate: str | None, constraint: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.constraint = constraint


class SchemaChangedError(StatementError):
    """A migration changed the tables while the statement was on its way; the next try knows them."""


def without_values(error: Exception) -> Exception:
    """The error as it may be told: details hold values, and so do messages of class 22, the driver's too."""
    if isinstance(error, CHANGED_SCHEMA):
        return SchemaChangedError(str(error.args[0]), sqlstate=getattr(error, "sqlstate", None))
    if isinstance(error, asyncpg.PostgresError):
        kind, state = type(error).__name__, error.sqlstate
        message = "a value is refused" if state is None or state.startswith("22") else error.args[0]
        return StatementError(
            f"{kind} ({state}): {message}", sqlstate=state, constraint=error.constraint_name
        )
    return error


def is_transient(error: BaseException) -> bool:
    """Whether the trouble lies with the server or the way to it, not with the statement."""
    if isinstance(error, StatementError | asyncpg.PostgresError):  # the latter while connecting
        return isinstance(error, SchemaChangedError) or _is_transient_state(error.sqlstate)
    # A closed connection; one on which the server said farewell and that has not ended yet; a timeout.
    return isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError | OSError)


def is_contention(error: BaseException | None) -> bool:
    """Whether the transaction was in the way of others, and may be tried again at once."""
    return isinstance(error, StatementError) and error.sqlstate in CONTENTION_STATES


def _is_transient_state(state: str | None) -> bool:
    return state is not None and (state[:2] in TRANSIENT_CLASSES or state in TRANSIENT_STATES)
