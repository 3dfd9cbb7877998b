"""`twofold view`: which views there are, and how one is changed while it is served."""

from __future__ import annotations

from typing import Annotated

import typer

from twofold.settings import load_settings

view = typer.Typer(
    name="view",
    help="The views of the lake: build a changed or new one, compare it, have it served, and let the old one go.",
    no_args_is_help=True,
)

_Name = Annotated[str, typer.Argument(help="The view's name.", show_default=False)]
_Hash = Annotated[str | None, typer.Argument(metavar="[HASH]", help="Which edition, by its hash or how that begins.")]


@view.command(name="list")
def list_views() -> None:
    """List the views that the lake carries, and those that are declared otherwise."""
    from rich.console import Console

    from twofold.cli.edition_table import edition_table
    from twofold.lake import Lake
    from twofold.publication import Publications
    from twofold.views.declared import declared_views

    settings = load_settings()
    publication = Publications(Lake(settings.lake_root)).newest()
    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(edition_table(publication, declared_views(settings.views)))


@view.command()
def build(name: _Name) -> None:
    """Build the declared view NAME beside what is served under that name, from all trades.

    Batch cycles go on meanwhile, and add to it from then on. Safe to run again, whatever ended it.
    """
    from batch_layer.view_change.building import build as build_view
    from batch_layer.view_change.choosing import declared_view
    from twofold.lake import Lake
    from twofold.views.declared import declared_views

    settings = load_settings()
    declared = declared_view(name, declared_views(settings.views))
    changed = build_view(
        Lake(settings.lake_root),
        declared,
        lambda day, done, days: typer.echo(f"{day} folded, {done} of {days} days"),
    )
    edition, sequence = changed.edition, changed.publication.sequence
    if not changed.is_new:
        typer.echo(f"{name} {edition.hash} is there already, {edition.state} since publication {edition.since}.")
        return
    typer.echo(f"{name} {edition.hash} stands beside since publication {sequence}, in the table {edition.table}.")
    typer.echo(f"Next: `twofold view diff {name}`, and `twofold view promote {name}`.")


@view.command()
def diff(name: _Name, its_hash: _Hash = None) -> None:
    """Compare the edition of NAME that is served with one beside it; the rows that differ become a table."""
    from rich.console import Console

    from batch_layer.view_change.choosing import to_compare
    from batch_layer.view_change.difference import compare
    from twofold.cli.edition_table import difference_lines
    from twofold.lake import Lake
    from twofold.publication import Publications
    from twofold.views.declared import declared_views

    settings = load_settings()
    lake = Lake(settings.lake_root)
    publication = Publications(lake).newest()
    declared = declared_views(settings.views)
    beside = to_compare(publication, declared, name, its_hash)
    served = publication.edition(name, declared)
    found = compare(lake, publication, served, beside)
    for line in difference_lines(found, served, beside, lake.address(found.table)):
        Console(soft_wrap=True, highlight=False).print(line)


@view.command()
def promote(name: _Name, its_hash: _Hash = None) -> None:
    """Have an edition of NAME served, by default the declared one; what was served stands beside it from then on."""
    from batch_layer.view_change.choosing import to_promote
    from batch_layer.view_change.promotion import promote as promote_edition
    from twofold.lake import Lake
    from twofold.publication import Publications
    from twofold.views.declared import declared_views

    settings = load_settings()
    lake = Lake(settings.lake_root)
    publication = Publications(lake).newest()
    chosen = to_promote(publication, declared_views(settings.views), name, its_hash)
    changed = promote_edition(lake, chosen)
    edition = changed.edition
    if not changed.is_new:
        typer.echo(f"{name} {edition.hash} is served already, since publication {edition.since}.")
        return
    typer.echo(f"{name} is served as {edition.hash} since publication {changed.publication.sequence}.")
    before = [each for each in publication.editions if each.name == name and each.state == "served"]
    for each in before:
        typer.echo(
            f"{each.hash} stands beside it: `twofold view promote {name} {each.hash}` takes this back, and `twofold "
            f"view retire {name}` lets it go, with the receipts of its answers."
        )


@view.command()
def retire(name: _Name, its_hash: _Hash = None) -> None:
    """Let an edition of NAME go that is not served, by default the one that is not declared either.

    Its answers cannot be made again from then on, and their receipts say that it was retired.
    """
    from batch_layer.view_change.choosing import to_retire
    from batch_layer.view_change.promotion import retire as retire_edition
    from twofold.lake import Lake
    from twofold.publication import Publications
    from twofold.views.declared import declared_views

    settings = load_settings()
    lake = Lake(settings.lake_root)
    chosen = to_retire(Publications(lake).newest(), declared_views(settings.views), name, its_hash)
    if chosen is None:
        typer.echo(f"Nothing to retire: no such edition of {name} stands beside the one that is served.")
        return
    changed = retire_edition(lake, chosen)
    edition = changed.edition
    typer.echo(f"{name} {edition.hash} was retired by publication {edition.since}. Its table {edition.table} is left.")
