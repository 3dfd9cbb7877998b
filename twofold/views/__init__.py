"""The views that exist, by name."""

from twofold.errors import UnknownName
from twofold.view import View
from twofold.views.bars import bars
from twofold.views.taker_flow import taker_flow

VIEWS: dict[str, View] = {view.name: view for view in (bars, taker_flow)}


def view_named(name: str) -> View:
    """The view of that name.

    Raises:
        UnknownName: there is none; the message names those that exist.
    """
    if name not in VIEWS:
        raise UnknownName("view", name, VIEWS)
    return VIEWS[name]
