"""Twofold folds one definition of a view twice, in batch and live, and merges the two exactly.

What a view is declared with, and the client of the serving API, can be imported from here; they are loaded when they
are first asked for, so that commands start quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twofold.aggregates import Count, First, Last, Max, Min, Sum
    from twofold.client import AsyncClient, Client
    from twofold.errors import TwofoldError
    from twofold.finish import column
    from twofold.settings import Settings
    from twofold.source import Source
    from twofold.view import View

__all__ = [
    "AsyncClient",
    "Client",
    "Count",
    "First",
    "Last",
    "Max",
    "Min",
    "Settings",
    "Source",
    "Sum",
    "TwofoldError",
    "View",
    "column",
]

_HOMES = {
    "twofold.aggregates": ("Count", "First", "Last", "Max", "Min", "Sum"),
    "twofold.client": ("AsyncClient", "Client"),
    "twofold.errors": ("TwofoldError",),
    "twofold.finish": ("column",),
    "twofold.settings": ("Settings",),
    "twofold.source": ("Source",),
    "twofold.view": ("View",),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'twofold' has no attribute {name!r}; it has: {', '.join(__all__)}")
