"""Looking whether rows keep their types and rules, by pandera, over whole columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from batch_layer.quality.rules import Rule


class Look:
    """Looks at the rows of one table, part by part, and counts those that do not keep a rule.

    Args:
        types: the columns that must be there, and of which types.
        may_be_null: those of them that may be null.
        rules: what each row has to keep.
    """

    def __init__(self, types: pl.Schema, may_be_null: Collection[str], rules: Sequence[Rule]) -> None:
        self.broken: dict[str, int] = {rule.name: 0 for rule in rules}
        self.mistyped: list[str] = []
        self.rules = tuple(rules)
        self._rules = {rule.name: rule for rule in rules}
        self._schema = pa.DataFrameSchema(
            {name: pa.Column(dtype, nullable=name in may_be_null) for name, dtype in types.items()},
            checks=[pa.Check(_kept(rule.is_kept), name=rule.name) for rule in rules],
        )

    def at(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Look at some rows; gives those that do not keep a rule."""
        try:
            self._schema.validate(rows, lazy=True)
        except SchemaErrors as errors:
            failed = set(errors.failure_cases["check"].drop_nulls())
        else:
            return rows.clear()
        found = [name for name in self._rules if name in failed]
        self.mistyped += [text for text in sorted(map(str, failed)) if text not in self._rules]
        flags = rows.select((~self._rules[name].is_kept).fill_null(value=False).alias(name) for name in found)
        for name in found:
            self.broken[name] += int(flags[name].sum())
        return rows.filter(flags.select(pl.any_horizontal(pl.all())).to_series()) if found else rows.clear()


def _kept(is_kept: pl.Expr) -> Callable[[pa.PolarsData], pl.LazyFrame]:
    def look(data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(is_kept.fill_null(value=True))

    return look
