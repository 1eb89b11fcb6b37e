"""Until when an executor may go on: it stops before anybody may take over what it runs.

Its row says until when it holds its attempts. Two things set that instant. A renewal sets it a lease ahead.
A ticker that gives notice sets it a notice ahead: when NATS found nobody subscribed to the executor's
subject, and nothing was renewed between the ticker's look at the row and the notice.

The executor knows, on its own steady clock, `renewed`: when it began the last renewal that succeeded; and
`heard`: when it last sent a question that NATS answered on a connection that has stood, with the
subscription, since before `renewed`. Its subject had a listener from `renewed` to `heard`, so NATS found it
without one later than both, and notice was given later still. Hence nobody takes over before

    min(renewed + lease, max(renewed, heard) + notice)

PostgreSQL may be away for as long as the lease while NATS answers; NATS may be away for as long as
PostgreSQL renews; with both away the executor stops within the notice. (Servers of a NATS cluster that is
split disagree on who listens: then what one of them answers is no proof of what another finds. It takes
that, and PostgreSQL out of reach of this executor alone, to be late.)
"""

from dataclasses import dataclass

# By how much of a lease to stop before its end; of a notice, to ask once more before it stops.
LEASE_MARGIN = 0.1
NOTICE_MARGIN = 0.2
# How long an executor that stood still may ask whether it holds its lease, in seconds.
ASK_SECONDS = 1.0
BEATS = 5
NEVER = float("-inf")


@dataclass(frozen=True)
class Terms:
    """Of an executor's lease and notice, in seconds."""

    lease: float
    notice: float

    @property
    def beat(self) -> float:
        """How often to prove that it lives."""
        return min(self.lease, self.notice) / BEATS


@dataclass
class Proofs:
    """Instants in seconds of a steady clock; `connection` is the one to NATS that stood before `renewed`."""

    terms: Terms
    renewed: float
    connection: int | None = None
    heard: float = NEVER

    def on_renewal(self, asked: float, connection: int | None) -> None:
        """The lease was renewed; `connection` was proven before `asked` and stood then."""
        if asked > self.renewed:
            self.renewed, self.connection = asked, connection

    def on_answer(self, asked: float, connection: int) -> None:
        """NATS answered on that connection."""
        if connection == self.connection:
            self.heard = max(self.heard, asked)

    @property
    def lease_end(self) -> float:
        """When the lease is over, whatever NATS says."""
        return self.renewed + (1 - LEASE_MARGIN) * self.terms.lease

    @property
    def deadline(self) -> float:
        """When to stop."""
        return min(self.lease_end, max(self.renewed, self.heard) + (1 - NOTICE_MARGIN) * self.terms.notice)

    def time_to_ask(self, now: float) -> float:
        """How many seconds to ask PostgreSQL once more after the deadline, before it stops; 0: not at all.

        A process that was starved, stopped, or whose machine slept, proved nothing because it did not try.
        While nobody can have taken over it asks within the margin. Later to ask first costs nothing more, and
        until its lease is over it probably holds it: NATS kept its subscription, so nobody gave notice.
        """
        if now >= self.lease_end:
            return 0
        left = self.deadline + NOTICE_MARGIN * self.terms.notice - now
        return min(left / 2 if left > 0 else ASK_SECONDS, self.lease_end - now)
