"""What is declared of the sources has one hash, whoever declares it and in whatever order."""

from twofold.source import SHIPPED_SOURCES, sources_hash


def test_the_hash_is_of_the_declarations_and_not_of_their_order() -> None:
    turned = dict(reversed(SHIPPED_SOURCES.items()))
    assert sources_hash(SHIPPED_SOURCES, "simulator") == sources_hash(turned, "simulator")


def test_another_declaration_or_default_has_another_hash() -> None:
    shipped = sources_hash(SHIPPED_SOURCES, "simulator")
    binance = SHIPPED_SOURCES["binance-spot"]
    others = [
        sources_hash(SHIPPED_SOURCES, "binance-spot"),
        sources_hash({**SHIPPED_SOURCES, "more": binance}, "simulator"),
        sources_hash({**SHIPPED_SOURCES, "binance-spot": binance.model_copy(update={"venue": "other"})}, "simulator"),
    ]
    assert len({shipped, *others}) == 4
