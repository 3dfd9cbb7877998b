"""The kit's wrapper around the product's command."""

from pathlib import Path

from batch_layer import turn
from conformance.wrapper import without_turn
from twofold.lake import Lake


def test_a_process_without_a_turn_goes_on_while_another_holds_it(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    with turn.turn(lake), without_turn(), turn.turn(lake, 60.0):
        pass
