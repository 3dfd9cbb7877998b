"""The identity of the event log: what positions are of, beside the lanes' names.

A topic id is the topic's for ever, but a mirror, or a cluster made anew from a copy, may bear it too; and a log may
lose its end and go on with other records under the same offsets. The cluster's id tells the first apart. The leader
epoch that a position was reached in tells the second: brokers know at which offset each epoch ended (KIP-320).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from twofold.lane import Lane, Positions


@dataclass(frozen=True)
class LogIdentity:
    """Which log positions were read from; what is empty is not known.

    Attributes:
        cluster_id: The cluster's.
        topic_id: The topic's.
        epochs: Lane to the leader epoch in which its position was reached.
    """

    cluster_id: str = ""
    topic_id: str = ""
    epochs: Mapping[str, int] = field(default_factory=dict)

    def open_lanes(self, cut: Positions) -> dict[str, int]:
        """The part of a cut that reading goes on from: lanes of this topic, of each partition the newest one.

        All others are closed: the log brings nothing in them any more, and they stay where they are. Those of imports
        are never the log's, also while it is not known which log there is.
        """
        newest: dict[tuple[str, int], Lane] = {}
        for lane in map(Lane.parse, cut):
            if not lane.is_import and self.topic_id in ("", lane.topic_id):
                place = (lane.topic_id, lane.partition)
                newest[place] = max(lane, newest.get(place, lane))
        return {str(lane): cut[str(lane)] for lane in newest.values()}

    def closed_lanes(self, cut: Positions) -> dict[str, int]:
        """The part of a cut that reading does not go on from."""
        still_open = self.open_lanes(cut)
        return {lane: offset for lane, offset in cut.items() if lane not in still_open}
