"""What an attempt may do while it is held: read anything; write, once that is in the effect ledger."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from rota_contracts.tools import Policy, ToolDescription
from rota_executor.attempt import Attempt
from rota_executor.calls import Credentials, ToolCall
from rota_executor.domain import MAX_ARGUMENTS_BYTES, clean, without
from rota_executor.errors import LeaseLostError
from rota_executor.grants import is_covered, is_granted
from rota_executor.rehearsal import RECORDED, is_made, note
from rota_executor.repository import Repository
from rota_executor.settled import Settled


class Authority:
    def __init__(self, attempt: Attempt, repository: Repository, credentials: Credentials) -> None:
        self._attempt = attempt
        self._repository = repository
        self._credentials = credentials
        # Of a run that was interrupted.
        self.settled = Settled()

    @property
    def is_rehearsal(self) -> bool:
        return self._attempt.event.trigger == "dry_run"

    async def rehearsed(
        self, tool: ToolDescription, policy: Policy, arguments: Mapping[str, Any]
    ) -> str | None:
        """What the model is told instead of an output, in a dry run that lists the call; None: it is made."""
        if not self.is_rehearsal:
            return None
        is_granted = policy == "ask" and await is_covered(
            self._repository.grants, self._attempt, tool, arguments
        )
        note(self._attempt.record, tool, policy, self._shown(arguments), is_granted=is_granted)
        return None if is_made(tool, policy) else RECORDED

    def is_done(self, tool: ToolDescription, arguments: Mapping[str, Any]) -> bool:
        """Whether the run has made this call, before it was interrupted: then it is not made again."""
        return self.settled.take(tool.name, self._shown(arguments))

    def is_in_doubt(self, tool: ToolDescription) -> bool:
        """Whether a call may be one that was made before, in other words: then a person is asked."""
        return self.settled.concerns(tool.name)

    async def is_granted(self, tool: ToolDescription, arguments: Mapping[str, Any], call_id: str) -> bool:
        """Whether a standing grant covers a call that would be asked for; a use of it is then taken."""
        return await is_granted(self._repository.grants, self._attempt, tool, arguments, call_id)

    @contextlib.asynccontextmanager
    async def call(
        self, tool: ToolDescription, arguments: Mapping[str, Any], call_id: str
    ) -> AsyncIterator[ToolCall]:
        """Surrounds one call of a tool.

        A tool that writes is entered before it runs and closed after: a run that was interrupted in
        between, or after, is never begun anew by itself.

        Raises:
            LeaseLostError: the attempt is no longer held; the tool must not run.

        """
        await self._attempt.require_lease()
        if tool.effect == "read" or tool.transactional:
            yield self.about(call_id)
            return
        key, record = self._attempt.key, self._attempt.record
        effect = await self._repository.begin_effect(
            self._attempt.lease.executor, key, call_id, tool.name, self._kept(arguments)
        )
        if effect is None:
            raise LeaseLostError("the run is no longer held by this executor")
        record.effects.append(tool.name)
        state = "failed"
        try:
            await self._attempt.require_lease()  # the answer may have been long on its way
            yield self.about(call_id)
            state = "done"
        finally:
            await self._repository.end_effect(key, effect, state)

    def _shown(self, arguments: Mapping[str, Any]) -> Any:
        """As a person may see them, and PostgreSQL can keep them."""
        return without(self._attempt.record.hidden, clean(dict(arguments)))

    def _kept(self, arguments: Mapping[str, Any]) -> str | None:
        """The JSON that is kept of arguments; of too large ones none."""
        text = msgspec.json.encode(self._shown(arguments))
        return text.decode() if len(text) <= MAX_ARGUMENTS_BYTES else None

    def about(self, call_id: str) -> ToolCall:
        event, record = self._attempt.event, self._attempt.record
        return ToolCall(
            event.context_id,
            event.job_id,
            event.run_id,
            call_id,
            record.notes,
            self._credentials,
            record.hidden,
        )
