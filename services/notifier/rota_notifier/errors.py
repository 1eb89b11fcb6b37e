from rota_chassis.errors import RotaError


class TransportError(RotaError):
    """A channel did not take a message; `permanent` says that asking again is pointless."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent
