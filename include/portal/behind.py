"""What stands behind the published points of an enterprise: its conformed records and its measures of that night.

The ledger names the points that were published by their digest, the points name their values, these their measures and
these the conformed records: so nothing is shown that the points do not stand on.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from include.portal.published import Portrait
from include.publish.generations import Generation
from include.store import lake as places
from include.store.lake import Lake
from include.store.ledger import Ledger


class Behind:
    """The records and measures of one enterprise, read table by table as they are asked for."""

    def __init__(self, lake: Lake, uscc: str, conformed: tuple[str, str], measures: tuple[str, str]) -> None:
        self._lake, self._uscc, self._conformed, self._measures = lake, uscc, conformed, measures
        self._read: dict[str, list[dict[str, Any]]] = {}

    def records(self, dataset: str) -> list[dict[str, Any]]:
        """Its records in a dataset, in the order of their conformed table."""
        return self._own(self._conformed, dataset.lower())

    @property
    def held_back(self) -> set[str]:
        """The datasets that hold rows of it in quarantine."""
        return {row["dataset"] for row in self._own(self._conformed, "quarantined")}

    @property
    def measures(self) -> dict[str, Any]:
        """Every measure of it, None where nothing is held."""
        (measured,) = self._own(self._measures, "measures")
        return measured

    def _own(self, place: tuple[str, str], table: str) -> list[dict[str, Any]]:
        if table not in self._read:
            rows = self._lake.read(place[0], table, version=place[1])
            self._read[table] = rows.filter(pc.equal(rows["uscc"].cast(pa.string()), self._uscc)).to_pylist()
        return self._read[table]


def behind(lake: Lake, ledger: Ledger, current: Generation, found: Portrait) -> Behind | None:
    """What the points of a portrait stand on; None where that night is not kept any more, or was scored anew since."""
    uscc, scored = found.profile.uscc, ledger.last_scored(found.profile.district, current.scheme_id, current.as_of)
    if scored is None:
        return None
    result, version = scored.result, scored.points_sha
    named = (
        ("values", places.points(result)),
        ("measures", places.values(result)),
        ("conformed", places.measures(result.district, result.as_of)),
    )
    digests = {}
    for name, place in named:
        manifest = lake.manifest(place, version)
        if manifest is None:
            return None
        digests[name] = version = manifest.facts[name]
    conformed = places.conformed(result.district, result.as_of)
    if lake.manifest(conformed, version) is None:
        return None
    points = lake.read(places.points(result), "points", ["uscc", "total"], version=scored.points_sha)
    if points.filter(pc.equal(points["uscc"].cast(pa.string()), uscc))["total"].to_pylist() != [found.points.total]:
        return None
    return Behind(lake, uscc, (conformed, version), (named[2][1], digests["measures"]))
