"""The rows that validation held back, in the very version that the ledger's verdict speaks of."""

from __future__ import annotations

import pyarrow as pa

from include.store import lake as places
from include.store.lake import Lake
from include.store.ledger import SnapshotRow


def held_back(lake: Lake, judged: SnapshotRow) -> pa.Table:
    """What of a judged snapshot is in quarantine, as it landed, with the reasons."""
    return lake.read(places.quarantine(judged.key), version=quarantine_version(lake, judged))


def quarantine_version(lake: Lake, judged: SnapshotRow) -> str | None:
    """An accepted snapshot names its quarantine; a refused one has that of its landing. None is the last one, where
    neither is said: before quarantines were named.
    """
    if judged.accepted_sha is not None:
        return lake.require(places.accepted(judged.key), judged.accepted_sha).facts.get("quarantine")
    return lake.version_saying(places.quarantine(judged.key), landing=judged.landing_sha)
