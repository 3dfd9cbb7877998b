"""Which edition is meant: by its hash, or the beginning of it, or else by what is declared."""

from __future__ import annotations

from collections.abc import Mapping

from twofold.edition import Edition, carried
from twofold.errors import UnknownName, ViewDiffers
from twofold.publication import Publication
from twofold.view import View


def declared_view(name: str, declared: Mapping[str, View]) -> View:
    """The declared view of a name.

    Raises:
        UnknownName: none is declared so; the message names those that are.
    """
    if name not in declared:
        raise UnknownName("declared view", name, declared)
    return declared[name]


def to_promote(publication: Publication, declared: Mapping[str, View], name: str, its_hash: str | None) -> Edition:
    """The edition that is to be served: that of the hash, or without one what is declared.

    Raises:
        UnknownName: there is none of that name or hash; the message names those that there are.
        ViewDiffers: what is declared was not built.
    """
    if its_hash is not None:
        return _of_hash(_carried(publication, name), name, its_hash)
    wanted = declared_view(name, declared).hash
    return _declared(_carried(publication, name), name, wanted)


def to_compare(publication: Publication, declared: Mapping[str, View], name: str, its_hash: str | None) -> Edition:
    """The edition that is compared with the one that is served: that of the hash, or the one beside, or as declared.

    Raises:
        UnknownName: there is none of that name or hash; the message names those that there are.
        ViewDiffers: none stands beside, or several do.
    """
    beside = _beside(publication, name)
    if its_hash is not None:
        return _of_hash(beside, name, its_hash)
    if len(beside) == 1:
        return beside[0]
    if not beside:
        raise ViewDiffers(
            f"Nothing stands beside view {name!r} that is served. `twofold view build {name}` builds the declared one."
        )
    return _declared(beside, name, declared_view(name, declared).hash)


def to_retire(
    publication: Publication, declared: Mapping[str, View], name: str, its_hash: str | None
) -> Edition | None:
    """The edition that is to go: that of the hash, or the one beside that is not declared; None: it has gone already.

    Raises:
        UnknownName: there is none of that name or hash; the message names those that there are.
        ViewDiffers: it is served, or it is not clear which is meant.
    """
    there = _carried(publication, name)
    if its_hash is not None:
        retired = [each for each in publication.editions if each.name == name and not each.is_carried]
        if not any(each.hash.startswith(its_hash) for each in there) and any(
            each.hash.startswith(its_hash) for each in retired
        ):
            return None
        found = _of_hash(there, name, its_hash)
        if found.state == "served":
            raise ViewDiffers(
                f"The view {name!r} is served as {found.hash}. Promote another edition first: {_told(there)}."
            )
        return found
    beside = _beside(publication, name)
    wanted = declared[name].hash if name in declared else ""
    others = [each for each in beside if each.hash != wanted]
    if len(others) > 1 or (beside and not others):
        raise ViewDiffers(f"Say by its hash which edition of {name!r} is to go. There are: {_told(there)}.")
    return others[0] if others else None


def _carried(publication: Publication, name: str) -> list[Edition]:
    there = [each for each in carried(publication.editions) if each.name == name]
    if not there:
        raise UnknownName("view in the lake", name, {each.name for each in carried(publication.editions)})
    return there


def _beside(publication: Publication, name: str) -> list[Edition]:
    return [each for each in _carried(publication, name) if each.state == "beside"]


def _of_hash(editions: list[Edition], name: str, its_hash: str) -> Edition:
    found = [each for each in editions if each.hash.startswith(its_hash)]
    if len(found) != 1:
        raise UnknownName(f"edition of view {name!r} with the hash", its_hash, [each.hash for each in editions])
    return found[0]


def _declared(editions: list[Edition], name: str, wanted: str) -> Edition:
    found = next((each for each in editions if each.hash == wanted), None)
    if found is None:
        raise ViewDiffers(
            f"The view {name!r} is declared as {wanted}, which was not built. There are: {_told(editions)}. "
            f"`twofold view build {name}` builds it; or name one of these by its hash."
        )
    return found


def _told(editions: list[Edition]) -> str:
    return ", ".join(f"{each.hash} ({each.state})" for each in editions)
