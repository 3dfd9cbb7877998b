"""Writes settings.md, beside this file, from the settings themselves. Run by `make docs`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from twofold.settings import Settings
from twofold.source import Source

PAGE = Path(__file__).with_name("settings.md")

HEAD = """\
# Settings

Every setting is an environment variable. A value that does not fit is refused at start, with the reason.
Sizes are in bytes, times in the unit that the name ends with. This page is written by `make docs`.

| variable | default | takes | what it is |
| --- | --- | --- | --- |
"""

SOURCES = """
## Sources

What each source in `TWOFOLD_SOURCES` may say, such as
`{"dex": {"venue": "dex", "wire_format": "canonical", "ids": "opaque"}}`. All of this is part of what an answer means.

| field | default | what it is |
| --- | --- | --- |
"""

LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than", "pattern": "matching"}
KINDS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "Path": "folder",
    "SecretStr": "secret text",
    "bool": "`true` or `false`",
}


def _default(field: FieldInfo) -> str:
    """The default as one would write it in the environment; a mapping is shown by its names."""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, dict):
        return "shipped: " + ", ".join(f"`{name}`" for name in value)
    return f"`{value}`" if str(value) else "empty"


def _takes(field: FieldInfo) -> str:
    """The kind of value and its limits, in words."""
    limits = (
        f"{words} `{limit}`"
        for constraint in field.metadata
        for name, words in LIMITS.items()
        if (limit := getattr(constraint, name, None)) is not None
    )
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(field.annotation))
    return ", ".join([KINDS.get(getattr(field.annotation, "__name__", ""), "JSON object"), *limits])


def page() -> str:
    """The whole page as Markdown: one row per setting, and one per field of a source, as they are declared."""
    prefix = Settings.model_config["env_prefix"]
    rows = (
        (f"`{prefix}{name.upper()}`", _default(field), _takes(field), field.description or "")
        for name, field in Settings.model_fields.items()
    )
    fields = (
        (f"`{name}`", "none" if field.is_required() else _default(field), field.description or "")
        for name, field in Source.model_fields.items()
    )
    return f"{HEAD}{_table(rows)}{SOURCES}{_table(fields)}"


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |\n" for row in rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
