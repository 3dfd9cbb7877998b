"""The views that are declared: the shipped ones, and those of a file of the user's own."""

from __future__ import annotations

import runpy
from pathlib import Path

from twofold.errors import DeclarationError
from twofold.view import View
from twofold.views import VIEWS


def declared_views(file: Path | None) -> dict[str, View]:
    """Views by name. One of the file takes the place of a shipped one of its name.

    A lake is founded with them. After that it has its own, and what is declared is what `twofold view build` builds.

    Args:
        file: Python that defines views, each a `View` under any name of its own; None for the shipped ones alone.

    Raises:
        DeclarationError: the file cannot be read or run, defines no view, or two of one name.
    """
    if file is None:
        return dict(VIEWS)
    try:
        defined = runpy.run_path(str(file))
    except Exception as error:
        raise DeclarationError(
            f"The views of {file} cannot be read ({type(error).__name__}: {error}). TWOFOLD_VIEWS names a file of "
            "Python that defines them, as twofold/views/bars.py defines one."
        ) from error
    own: dict[str, View] = {}
    for view in defined.values():
        if isinstance(view, View) and own.setdefault(view.name, view) is not view:
            raise DeclarationError(f"{file} defines the view {view.name!r} twice. Give each a name of its own.")
    if not own:
        raise DeclarationError(f"{file} defines no view: put a `twofold.view.View` into a variable there.")
    return VIEWS | own
