"""UTF-8: bytes as text where they are text."""

from __future__ import annotations

import polars as pl


def to_text(column: pl.Series) -> pl.Series:
    """Cast Binary to String; null where the bytes are absent or not UTF-8."""
    try:
        return column.cast(pl.String)
    except pl.exceptions.ComputeError:  # Polars' cast fails as a whole, also when it is asked not to be strict
        cells = column.to_list()
        texts = [cell if cell is None or cell.isascii() or _is_utf8(cell) else None for cell in cells]
        return pl.Series(column.name, texts, dtype=pl.Binary).cast(pl.String)


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True
