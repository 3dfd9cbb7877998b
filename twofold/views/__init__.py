"""The views that are shipped, by name: a new lake is founded with them."""

from collections.abc import Mapping

from twofold.errors import UnknownName
from twofold.view import View
from twofold.views.bars import bars
from twofold.views.taker_flow import taker_flow

VIEWS: dict[str, View] = {view.name: view for view in (bars, taker_flow)}


_SHOWN = 100


def view_named(name: str, views: Mapping[str, View]) -> View:
    """The view of that name.

    Raises:
        UnknownName: there is none; the message names those that there are.
    """
    if name not in views:
        raise UnknownName("view", name[:_SHOWN], views)
    return views[name]
