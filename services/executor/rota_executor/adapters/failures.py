"""What went wrong with a model, for people: which model, what happened, what to do; never a secret."""

import re
from collections.abc import Callable
from typing import Any

from pydantic_ai.exceptions import (
    FallbackExceptionGroup,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRequestTimeout,
    ModelTimeoutError,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)
from pydantic_ai.models import Model
from pydantic_ai.models.fallback import FallbackModel

from rota_executor.adapters.limits import limit_reached
from rota_executor.errors import (
    BlockedRunError,
    InternalRunError,
    InvalidConfigurationError,
    ModelFailedError,
    ModelUnavailableError,
    RunError,
)

# Keys as providers write them, also half masked, and what follows "Bearer".
_KEY = re.compile(r"\b(?:sk|pk|key|rk|xai|gsk)-[\w*.\-]{6,}|\b[Bb]earer\s+\S+|\bAIza[\w\-]{20,}")
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9_]*_(?:API_KEY|BASE_URL|TOKEN)\b")
MAX_REASON = 300


def run_error(error: Exception, name: str, model: Model | None) -> RunError:
    """The error to end the run with; `name` is the model as the agent names it."""
    if isinstance(error, RunError):
        return error
    if isinstance(error, FallbackExceptionGroup):
        return _of_all(error, name, model)
    if cause := _blocking(error, name):
        return BlockedRunError(_answered(error, name), cause)
    if isinstance(error, ModelHTTPError):
        failed = ModelFailedError(_answered(error, name))
        failed.retry_after = error.retry_after
        return failed
    if isinstance(error, ModelConnectionError | ModelTimeoutError | ModelRequestTimeout):
        return ModelUnavailableError(_unreachable(error, name, model))
    if isinstance(error, ModelAPIError):
        return ModelFailedError(_answered(error, name))
    if isinstance(error, UsageLimitExceeded):
        return limit_reached(error)
    if isinstance(error, UnexpectedModelBehavior):
        return ModelFailedError(f"The model {name!r} gave no usable answer: {reason(error)}.")
    if isinstance(error, UserError):
        return InvalidConfigurationError(
            f"The agent cannot be run as it is configured: {first_sentence(error)}. Correct the agent."
        )
    return InternalRunError(
        f"An internal error ({type(error).__name__}) ended the run; the log of the executor says where."
    )


def reason(error: BaseException, hidden: Callable[[str], str] = str) -> str:
    """The text of an error on one line, cut, without keys and what else is hidden."""
    return redacted(hidden(str(error) or type(error).__name__)).rstrip(".")


def first_sentence(error: BaseException) -> str:
    """What the agent runtime says before it goes on about its documentation."""
    return reason(error).split(". ", 1)[0]


def unusable_model(error: Exception, name: str) -> RunError:
    """Why there is no model of that name, for people."""
    if missing := _VARIABLE.search(str(error)):
        return BlockedRunError(
            f"The model {name!r} cannot be used: {missing[0]} is not set for the executor. "
            "Set it, or name another model in the agent.",
            cause=missing[0],
        )
    return InvalidConfigurationError(
        f"The model {name!r} cannot be used: {first_sentence(error)}. "
        "Name another one in the agent, as provider:model."
    )


def _blocking(error: Exception, name: str) -> str | None:
    """What stands in the way of every run on the model, until a person sees to it."""
    provider = name.partition(":")[0]
    match error:
        case ModelAuthenticationError():
            return f"key of {provider}"
        case ModelQuotaExceededError():
            return f"account at {provider}"
        case ModelNotFoundError():
            return f"model {name}"
        case _:
            return None


def redacted(text: str) -> str:
    """On one line, cut, without keys."""
    return without_keys(" ".join(text.split()))[:MAX_REASON]


def without_keys(text: str) -> str:
    return _KEY.sub("[redacted]", text)


def origin(error: BaseException) -> str:
    """Where an error was raised, for the log: a traceback's message may hold a prompt, its place does not."""
    frames = []
    trace = error.__traceback__
    while trace:
        frames.append(f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " > ".join(frames[-5:])


def _of_all(group: FallbackExceptionGroup, name: str, model: Model | None) -> RunError:
    models = model.models if isinstance(model, FallbackModel) else []
    errors = [
        run_error(error, name if not models else _name(models, number, name), _at(models, number))
        for number, error in enumerate(group.exceptions)
        if isinstance(error, Exception)
    ]
    message = "No model answered. " + " ".join(str(error) for error in errors)
    if errors and all(isinstance(error, ModelUnavailableError) for error in errors):
        return ModelUnavailableError(message)
    if errors and all(isinstance(error, BlockedRunError) for error in errors):
        return BlockedRunError(message, cause=", ".join(str(error.cause) for error in errors))
    return ModelFailedError(message)


def _at(models: list[Model], number: int) -> Model | None:
    return models[number] if number < len(models) else None


def _name(models: list[Model], number: int, default: str) -> str:
    found = _at(models, number)
    return default if number == 0 or found is None else found.model_name


def _answered(error: Exception, name: str) -> str:
    """What a provider answered instead, and what to do."""
    if not isinstance(error, ModelHTTPError):
        return f"The provider of the model {name!r} failed: {reason(error)}."
    said = f"(HTTP status {error.status_code}: {_said(error.body)})"
    if isinstance(error, ModelQuotaExceededError):
        return (
            f"The account at the provider of the model {name!r} has no credit left {said}; "
            "pay there, or name another model in the agent."
        )
    match error.status_code:
        case 401 | 403:
            text = (
                f"The provider of the model {name!r} refused the key {said}; give the executor a valid key."
            )
        case 404:
            text = (
                f"The provider does not know the model {name!r} {said}; "
                "correct the model's name in the agent, or the address of its server."
            )
        case 429:
            text = (
                f"The provider of the model {name!r} takes no more requests now {said}; "
                "wait, run fewer jobs at once, or raise the limit at the provider."
            )
        case status if status >= 500:
            text = f"The provider of the model {name!r} failed {said}; try again later."
        case _:
            text = f"The provider of the model {name!r} refused the request {said}."
    return text


def _said(body: object) -> str:
    """The provider's own words from the body of its answer."""
    found: Any = body
    for _ in range(2):
        if isinstance(found, dict):
            found = found.get("error") or found.get("message") or found.get("detail") or ""
    return redacted(str(found)) if found else "no reason given"


def _unreachable(error: Exception, name: str, model: Model | None) -> str:
    address = _address(model)
    where = f" at {address}" if address else ""
    if isinstance(error, ModelTimeoutError | ModelRequestTimeout):
        return f"The model {name!r}{where} did not answer in time. Try again later, or name another model."
    if isinstance(error, ModelConnectionError) and error.in_stream:
        return f"The model {name!r}{where} broke off its answer; try again later, or name another model."
    remedy = (
        "start the local model (rota up --model local)"
        if name.startswith("local:")
        else "check that its server runs and can be reached from the executor"
    )
    return f"The model {name!r} cannot be reached{where}; {remedy}, or name another model in the agent."


def _address(model: Model | None) -> str | None:
    """The server's address without credentials that may stand in it."""
    url = getattr(getattr(model, "provider", None), "base_url", None)
    return re.sub(r"//[^/@]*@", "//", url) if isinstance(url, str) and url else None
