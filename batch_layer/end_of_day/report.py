"""The report of an end of day for people: one HTML page with its plots inside, and the plots and tables as PDF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib import rc_context
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from batch_layer.end_of_day.making import EndOfDay
from batch_layer.end_of_day.plots import plots

_ROWS_A_PAGE = 32
_A4_LANDSCAPE = (11.69, 8.27)


def write_report(made: EndOfDay, folder: Path) -> list[Path]:
    """Write the report into a folder, which is made if need be; the same end of day gives the same bytes.

    Returns:
        the files: HTML, then PDF.

    Raises:
        OSError: they cannot be written.
    """
    origin = made.origin
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"end-of-day-{origin.day}-publication-{origin.publication.sequence}-{origin.run}"
    html, pdf = stem.with_suffix(".html"), stem.with_suffix(".pdf")
    with rc_context({"svg.hashsalt": "twofold", "svg.fonttype": "none", "font.size": 9.0}):
        shown = list(plots(made))
        html.write_text(_page(made, shown), encoding="utf-8")
        _write_pdf(made, shown, pdf)
    return [html, pdf]


def _page(made: EndOfDay, shown: Sequence[tuple[str, Figure]]) -> str:
    loader = PackageLoader("batch_layer.end_of_day", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    publication = made.origin.publication
    return environment.get_template("report.html").render(
        day=made.origin.day,
        run=made.origin.run,
        sequence=publication.sequence,
        published_at=publication.published_at.isoformat().replace("+00:00", "Z"),
        cut=sorted(publication.cut.items()),
        tables=[(title, head, rows) for title, head, rows in _tables(made)],
        plots=[(title, _svg(figure)) for title, figure in shown],
    )


def _tables(made: EndOfDay) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Title, head and rows of each table: positions together, then markets."""
    of = f"publication {made.origin.publication.sequence}"
    table = made.table.with_columns(value=pl.struct("amount", "statistic").map_elements(_written, pl.String))
    for title, rows in (
        (f"All positions, of {of}", table.filter(pl.col("symbol") == "")),
        (f"Markets, of {of}", table.filter(pl.col("symbol") != "")),
    ):
        if rows.is_empty():
            continue
        columns = ["figure", "value", "unit", "finality"]
        if rows["symbol"][0]:
            columns = ["venue", "symbol", *columns]
        yield title, columns, [list(row) for row in rows.select(columns).iter_rows()]


def _written(value: dict[str, object]) -> str:
    """A figure as text: an amount without zeros at its end, a statistic with eight digits."""
    amount, statistic = value["amount"], value["statistic"]
    if amount is not None:
        text = f"{amount:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return "too little history" if statistic is None else f"{statistic:.8g}"


def _svg(figure: Figure) -> str:
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def _write_pdf(made: EndOfDay, shown: Sequence[tuple[str, Figure]], path: Path) -> None:
    publication = made.origin.publication
    made_of = f"End of day {made.origin.day}, publication {publication.sequence}, run {made.origin.run}"
    with PdfPages(path, metadata={"Title": made_of, "CreationDate": None}) as pdf:
        for title, head, rows in _tables(made):
            for first in range(0, len(rows), _ROWS_A_PAGE):
                page = Figure(figsize=_A4_LANDSCAPE)
                page.suptitle(f"{made_of}\n{title}", parse_math=False)
                axes = page.subplots()
                axes.axis("off")
                grid = axes.table(
                    rows[first : first + _ROWS_A_PAGE], colLabels=head, loc="upper center", cellLoc="left"
                )
                grid.auto_set_font_size(value=False)
                grid.auto_set_column_width(list(range(len(head))))
                for cell in grid.get_celld().values():
                    cell.get_text().set_parse_math(False)
                pdf.savefig(page)
        for title, figure in shown:
            figure.suptitle(title, parse_math=False)
            pdf.savefig(figure)
