"""The API for reading, made from its OpenAPI document."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from rota_gateway.web.rendering import render

router = APIRouter()


@router.get("/api/docs")
async def docs(request: Request) -> Response:
    document = request.app.openapi()
    return render("docs.html", title=document["info"]["title"], routes=_routes(document))


def _routes(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "method": method.upper(),
            "path": path,
            "summary": operation.get("summary", ""),
            "description": operation.get("description", ""),
            "parameters": [p for p in operation.get("parameters", []) if p["in"] != "path"],
            "fields": _fields(document, operation),
        }
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def _fields(document: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of the body, each with its bounds in words."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = _reference(content.get("schema", {})).rpartition("/")[2]
    schema = document["components"]["schemas"].get(name, {})
    return [
        {"name": field, "required": field in schema.get("required", []), "rule": _rule(rule)}
        for field, rule in schema.get("properties", {}).items()
    ]


def _reference(schema: dict[str, Any]) -> str:
    choices = [schema, *schema.get("anyOf", [])]
    return next((str(choice["$ref"]) for choice in choices if "$ref" in choice), "")


def _rule(schema: dict[str, Any]) -> str:
    shown = ("type", "format", "minLength", "maxLength", "minimum", "maximum", "default", "description")
    choices = [schema, *schema.get("anyOf", [])]
    return ", ".join(
        f"{choice[key]}" if key in {"type", "format", "description"} else f"{key} {choice[key]}"
        for choice in choices
        for key in shown
        if key in choice
    )
