"""The selection of a source: under which declared name records of a wire format are produced."""

from __future__ import annotations

from twofold.errors import CaptureError, UnknownName
from twofold.settings import Settings
from twofold.source import WireFormatName


def select_source(settings: Settings, wire_format: WireFormatName, name: str | None = None) -> str:
    """Say which declared source records of `wire_format` come from.

    Without a name it is the default source when that has the format, else the only source that has it.

    Raises:
        UnknownName: no source is called `name`.
        CaptureError: the source has another wire format, or the format leaves it open which source is meant.
    """
    if name is not None:
        if name not in settings.sources:
            raise UnknownName("source", name, settings.sources)
        declared = settings.sources[name].wire_format
        if declared != wire_format:
            raise CaptureError(
                f"The records are written as {wire_format!r}, and source {name!r} declares {declared!r}. "
                "Name a source of that format, or declare one in TWOFOLD_SOURCES."
            )
        return name
    fitting = sorted(key for key, source in settings.sources.items() if source.wire_format == wire_format)
    if settings.default_source in fitting:
        return settings.default_source
    if len(fitting) != 1:
        raise CaptureError(
            f"The records are written as {wire_format!r}, and these sources have that format: "
            f"{', '.join(fitting) or 'none'}. Name one with --source, or declare one in TWOFOLD_SOURCES."
        )
    return fitting[0]
