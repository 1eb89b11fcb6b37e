"""How Rota's events travel: the only package that knows NATS."""

from rota_bus.bus import Bus, connected
from rota_bus.hearing import Hearing
from rota_bus.subscription import Delivery, Subscription, accept_all, ack_all, finish_all
from rota_bus.worker import serve

__all__ = [
    "Bus",
    "Delivery",
    "Hearing",
    "Subscription",
    "accept_all",
    "ack_all",
    "connected",
    "finish_all",
    "serve",
]
