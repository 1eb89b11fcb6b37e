from rota_chassis.errors import PermanentError, RetryableError


class PublishError(RetryableError):
    """The events may or may not have arrived; publishing them again is harmless."""


class BusUnavailableError(RetryableError):
    """There is no connection to NATS now; the client keeps trying."""


class TopologyError(PermanentError):
    """A stream or consumer exists with settings other than this version declares."""
