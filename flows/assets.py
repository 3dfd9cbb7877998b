"""Assets: the tables of a lake as Prefect knows them, each with what it is made of.

A table counts as materialised once it is public: when a publication names another version of it. The key of a table is
`twofold://TOPIC/TABLE`, so that it is the same wherever the lake lies.
"""

from __future__ import annotations

from prefect.assets import Asset, AssetProperties, add_asset_metadata, materialize
from prefect.cache_policies import NO_CACHE

from twofold.lake import Lake
from twofold.publication import PUBLICATIONS, Publication
from twofold.tables import DEAD_LETTERS, GAP_LOG, GAPS, LEDGER, RAW, TRADES

_MADE_OF = {
    RAW.name: (),
    TRADES.name: (RAW.name,),
    DEAD_LETTERS.name: (RAW.name,),
    LEDGER.name: (TRADES.name,),
    GAPS.name: (LEDGER.name, DEAD_LETTERS.name),
    GAP_LOG.name: (GAPS.name,),
}
"""Table to the tables that it is made of; `raw` is made of the event log, and views are made of `trades`."""


def tell_assets(lake: Lake, topic: str, parent: Publication, publication: Publication) -> None:
    """Tell Prefect, in the flow at hand, which tables a publication has made public anew, and of what they are made.

    Args:
        lake: where the tables are.
        topic: the event log's, by which the keys are told apart.
        parent: the publication before.
        publication: what is public now.
    """
    changed = [table for table, version in publication.tables.items() if parent.tables.get(table) != version]
    for table in changed:
        upstream = [_key(topic, each) for each in _MADE_OF.get(table, (TRADES.name,))] or [f"kafka://{topic}"]
        _tell(_asset(lake, topic, table), upstream, publication.tables[table], publication)
    everything = [_key(topic, table) for table in publication.tables]
    _tell(_asset(lake, topic, PUBLICATIONS.name), everything, publication.sequence, publication)


def _tell(asset: Asset, upstream: list[str], version: int, publication: Publication) -> None:
    def note() -> None:
        add_asset_metadata(asset, {"version": version, "publication": publication.sequence})

    name = f"publish-{asset.key.rsplit('/', 1)[1]}"
    materialize(asset, name=name, asset_deps=[*upstream], cache_policy=NO_CACHE, persist_result=False)(note)()


def _asset(lake: Lake, topic: str, table: str) -> Asset:
    properties = AssetProperties(name=table, description=f"Delta table at {lake.address(table)}")
    return Asset(key=_key(topic, table), properties=properties)


def _key(topic: str, table: str) -> str:
    return f"twofold://{topic}/{table}"
