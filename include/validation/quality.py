"""What the city is told about its sources: per dataset and scope, the counts of the snapshot in use, and its age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pyarrow as pa

from include.kernel.exact import from_scaled, ratio_half_up

SOURCE_QUALITY = pa.schema(
    [
        pa.field("dataset", pa.string()),
        pa.field("scope", pa.string()),
        pa.field("as_of", pa.date32()),
        pa.field("rows_in", pa.int64()),
        pa.field("duplicates", pa.int64()),
        pa.field("accepted", pa.int64()),
        pa.field("quarantined", pa.int64()),
        pa.field("accepted_share", pa.decimal128(7, 6)),
        pa.field("snapshot_age_days", pa.int64()),
        pa.field("verdict", pa.string()),
    ]
)


@dataclass(frozen=True)
class InUse:
    """An accepted snapshot that tonight's points stand on, and tonight's own verdict (None: nothing landed)."""

    dataset: str
    scope: str
    as_of: date
    rows_in: int
    duplicates: int
    accepted: int
    quarantined: int
    tonight: str | None


def source_quality(snapshots: list[InUse], as_of: date) -> pa.Table:
    """One line per snapshot in use (schema `SOURCE_QUALITY`). `verdict` speaks of the delivery of `as_of`: `accepted`,
    `rejected` or `not delivered`; after the last two the counts are those of the older snapshot that is in use.
    """
    rows = [
        {
            **{name: getattr(snapshot, name) for name in ("dataset", "scope", "as_of", "rows_in", "duplicates")},
            **{name: getattr(snapshot, name) for name in ("accepted", "quarantined")},
            "accepted_share": _share(snapshot.accepted, snapshot.rows_in - snapshot.duplicates),
            "snapshot_age_days": (as_of - snapshot.as_of).days,
            "verdict": snapshot.tonight or "not delivered",
        }
        for snapshot in sorted(snapshots, key=lambda s: (s.dataset, s.scope, s.as_of))
    ]
    return pa.Table.from_pylist(rows, SOURCE_QUALITY)


def _share(part: int, whole: int) -> Decimal | None:
    return from_scaled(ratio_half_up(part, whole, 6), 6) if whole else None
