"""How a ticker asks NATS whether an executor is there: is anybody subscribed to the executor's subject?

Nothing is said on it and nobody answers; that the server finds a listener is the answer.
"""

# Said, without a word, when one was not there: the others publish what it left behind.
GONE = "executor.gone"


def executor_name(process: str, token: str) -> str:
    """The name of an executor; `token`, of letters and digits, is in no other name."""
    return f"{process}/{token}"


def presence_subject(executor: str) -> str:
    """What the executor of that name is subscribed to for as long as it may hold attempts."""
    return f"executor.alive.{executor.rpartition('/')[2]}"
