"""What goes over the wire between a speed worker and serving."""

import subprocess
import sys

import polars as pl
from polars.testing import assert_frame_equal

from twofold.speed_state import COPIES, IDS, SpeedHeader, pack, unpack

HEADER = SpeedHeader(
    sequence=1,
    incarnation="a",
    version=2,
    whole=True,
    state="live",
    positions={"t/0": 3},
    ends={},
    accounts="{}",
    newest_event_us=None,
    views=["bars"],
    parts=[IDS, COPIES],
    held=[1],
)


def test_what_was_packed_is_unpacked_by_name() -> None:
    frames = {name: pl.DataFrame({"of": [name]}) for name in (COPIES, IDS, "bars")}
    header, unpacked = unpack(pack(HEADER, frames))
    assert header == HEADER
    assert list(unpacked) == ["bars", IDS, COPIES]
    for name, frame in unpacked.items():
        assert_frame_equal(frame, frames[name])


LOOKING = """
from io import BytesIO
import polars as pl
from twofold import speed_state
from twofold.speed_state import SpeedHeader

frame = pl.DataFrame({"of": [1]})

class Looking(BytesIO):
    def write(self, data):
        frame.estimated_size()
        return super().write(data)

speed_state.BytesIO = Looking
fields = dict(sequence=1, incarnation="a", version=2, whole=True, state="live", positions={}, ends={})
header = SpeedHeader(**fields, accounts="{}", newest_event_us=None, views=["bars"], held=[])
speed_state.pack(header, {"bars": frame})
"""


def test_while_a_frame_is_packed_others_may_look_at_it() -> None:
    """In a process of its own, since one that hangs here cannot be stopped from within."""
    subprocess.run([sys.executable, "-c", LOOKING], check=True, timeout=60)
