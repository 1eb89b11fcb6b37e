"""The API for reading, made from its OpenAPI document."""

import json
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
    choices = schema.get("anyOf", [schema])
    kinds = " or ".join(_kind(choice) for choice in choices)
    default = f"default {json.dumps(schema['default'])}" if "default" in schema else ""
    return ", ".join(part for part in (kinds, default, schema.get("description", "")) if part)


def _kind(schema: dict[str, Any]) -> str:
    bounds = [schema.get(name) for name in ("minLength", "maxLength", "minimum", "maximum")]
    low, high = bounds[0] or bounds[2], bounds[1] or bounds[3]
    unit = " characters" if schema.get("type") == "string" else ""
    size = "" if high is None else f" ({low or 0:g} to {high:g}{unit})"
    return f"{schema.get('format') or schema.get('type', 'any')}{size}"
