"""The two kinds of trouble, told apart by what happens next."""


class RotaError(Exception):
    """Base of every error that Rota raises itself."""


class RetryableError(RotaError):
    """The same call may succeed later; it is tried again."""


class PermanentError(RotaError):
    """Trying again changes nothing; it is recorded and left."""
