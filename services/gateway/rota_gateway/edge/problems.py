"""The one error path: every refusal is an RFC 9457 problem document, or a page where a person asked."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from rota_chassis import logs
from rota_gateway.errors import FieldError, RequestError
from rota_gateway.web.rendering import render

log = logs.logger(__name__)

DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
}


def install(app: FastAPI) -> None:
    app.add_exception_handler(RequestError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _failed)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return answer(request, error.status, error.detail, error.errors, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    if any(problem["loc"][0] == "path" for problem in problems):
        return answer(request, 404, DETAILS[404])
    errors = field_errors(problems)
    return answer(request, 422, "; ".join(f"{field}: {message}" for field, message in errors), errors)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = DETAILS.get(error.status_code, error.detail)
    return answer(request, error.status_code, detail, headers=dict(error.headers or {}))


async def _failed(request: Request, error: Exception) -> Response:
    log.error("a request failed", action="request_failed", path=request.url.path, exc_info=error)
    return answer(request, 500, "The gateway failed at this request. Its log says why.")


def field_errors(problems: Sequence[Any]) -> list[FieldError]:
    """What pydantic found, in words for people."""
    errors = []
    for problem in problems:
        path = _path(problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "There is no such field."
        errors.append(FieldError(path or "body", message))
    return errors


def _path(location: Sequence[int | str]) -> str:
    """Where in the body: `jobs[3].cron_expression`."""
    # A field may itself be called so.
    parts = location[1:] if location[0] in {"body", "query", "header"} else location
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")


def answer(
    request: Request,
    status: int,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    title = HTTPStatus(status).phrase
    if request.url.path.startswith("/api/"):
        document: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        if errors:
            document["errors"] = [error._asdict() for error in errors]
        return JSONResponse(document, status, headers, media_type="application/problem+json")
    return _page(request, status, title, detail, headers)


def _page(request: Request, status: int, title: str, detail: str, headers: dict[str, str] | None) -> Response:
    """For a person: the sign-in page, a line on the page that is open, or a page of its own."""
    is_fragment = "hx-request" in request.headers
    if status == HTTPStatus.UNAUTHORIZED:
        if is_fragment:
            return Response(status_code=204, headers={"HX-Redirect": "/sign-in"})
        return RedirectResponse("/sign-in", status_code=303)
    if is_fragment:
        headers = {**(headers or {}), "HX-Retarget": "#notice", "HX-Reswap": "innerHTML"}
    template = "_notice.html" if is_fragment else "error.html"
    return render(template, status=status, headers=headers, title=title, detail=detail)
