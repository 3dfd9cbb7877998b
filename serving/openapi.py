"""The OpenAPI document: FastAPI's, with problems as what they are and parameters as text that may be absent."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from serving.access.policy import Policy
from serving.access.scopes import needed_scope
from serving.access.session import COOKIE
from serving.problem import MEDIA_TYPE

_FASTAPI_S_OWN = ("HTTPValidationError", "ValidationError")
_SECURITY = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key that `twofold keys create` made."},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Of POST /v1/session."},
}
_PROBLEM = {"$ref": "#/components/schemas/Problem"}


def describe(app: FastAPI, policy: Policy) -> None:
    """Have an application describe itself so, and say how to send a key where one is needed."""
    write = app.openapi

    def openapi() -> dict[str, Any]:
        document = write()
        for path, operations in document["paths"].items():
            for operation in operations.values():
                operation.pop("security", None)
                if policy.needs_key and needed_scope(path) is not None:
                    operation["security"] = [{name: []} for name in _SECURITY]
                _leave_out_never_given(operation["responses"])
                for status, response in operation["responses"].items():
                    _say_problem(status, response)
                for parameter in operation.get("parameters", []):
                    _say_absent(parameter)
        for name in _FASTAPI_S_OWN:
            document["components"]["schemas"].pop(name, None)
        document["components"]["securitySchemes"] = _SECURITY if policy.needs_key else {}
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's own guide extends the document


def _leave_out_never_given(responses: dict[str, Any]) -> None:
    """FastAPI says of each route with parameters that it answers 422 in a shape of FastAPI's, unless told otherwise."""
    schema = responses.get("422", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if schema == {"$ref": f"#/components/schemas/{_FASTAPI_S_OWN[0]}"}:
        del responses["422"]


def _say_problem(status: str, response: dict[str, Any]) -> None:
    """A problem (RFC 9457) has a media type of its own; FastAPI describes each model as plain JSON."""
    told = response.get("content", {})
    if status.startswith(("4", "5")) and told.get("application/json", {}).get("schema") == _PROBLEM:
        response["content"] = {MEDIA_TYPE: told["application/json"]}


def _say_absent(parameter: dict[str, Any]) -> None:
    """A parameter that is None where it is absent cannot be null in an address."""
    schema = parameter["schema"]
    for kind in schema.pop("anyOf", []):
        if kind != {"type": "null"}:
            schema.update(kind)
