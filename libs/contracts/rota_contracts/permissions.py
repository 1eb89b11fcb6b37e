"""What each service may say and hear on NATS: one writer per subject.

A service declares the streams it touches and its own consumers at start and after every
reconnect, so it may create those (creation of what exists with the same settings is a no-op);
nobody may change, purge or delete a stream.
"""

from dataclasses import dataclass

from rota_contracts import streams
from rota_contracts.presence import GONE
from rota_contracts.streams import Consumer


@dataclass(frozen=True)
class Permissions:
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def inbox_prefix(service: str) -> str:
    """Replies to a service arrive under its own prefix; no other may listen there."""
    return f"_INBOX_{service}"


def _permissions(
    service: str, *, says: tuple[str, ...], hears: tuple[str, ...] = (), consumers: tuple[Consumer, ...] = ()
) -> Permissions:
    # Who takes nothing can find nothing that can never be handled.
    publish = [*says, *([f"dead.{service}"] if consumers else [])]
    publish += [f"$JS.API.STREAM.CREATE.{stream.name}" for stream in streams.STREAMS]
    for consumer in consumers:
        name = f"{consumer.stream.name}.{consumer.durable}"
        publish += [
            f"$JS.API.CONSUMER.CREATE.{name}",
            f"$JS.API.CONSUMER.CREATE.{name}.>",
            f"$JS.API.CONSUMER.INFO.{name}",
            f"$JS.API.CONSUMER.MSG.NEXT.{name}",
            f"$JS.ACK.{name}.>",
        ]
    return Permissions(tuple(publish), (f"{inbox_prefix(service)}.>", *hears))


PERMISSIONS: dict[str, Permissions] = {
    "gateway": _permissions(
        "gateway",
        says=(
            "job.changed.*.*",
            "run.requested.*.*",
            "run.cancel.*.*",
            "run.followed.*.*",
            "approval.decided.*.*",
            "member.changed.*.*",
        ),
        hears=(
            *("job.>", "run.>", "result.>", "approval.>", "notification.>"),
            *("bell.rung.*", "member.changed.*.*"),
        ),
    ),
    "ticker": _permissions(
        "ticker",
        says=(
            "job.due.*.*",
            "job.closed.*.*",
            "job.paused.*.*",
            "run.stopping.*.*",
            "executor.alive.*",
            GONE,
        ),
        hears=("job.changed.*.*", "run.requested.*.*", "run.cancel.*.*", "approval.decided.*.*"),
        consumers=(streams.TICKER_COMPLETIONS,),
    ),
    "executor": _permissions(
        "executor",
        says=("job.started.*.*", "job.completed.*.*", "run.progress.*.*", "notification.requested.*.*"),
        hears=("run.stopping.*.*", "run.followed.*.*", "executor.alive.*", GONE),
        consumers=(streams.EXECUTOR,),
    ),
    "results": _permissions(
        "results",
        says=("result.recorded.*.*", "approval.requested.*.*"),
        consumers=(streams.RESULTS,),
    ),
    "notifier": _permissions(
        "notifier",
        says=("notification.sent.*", "bell.rung.*"),
        hears=("notification.requested.*.*",),
        consumers=(streams.NOTIFIER, streams.NOTIFIER_APPROVALS, streams.NOTIFIER_PAUSES),
    ),
}
