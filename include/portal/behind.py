"""What stands behind the published points of an enterprise: its conformed records and its measures of that night.

The generation names what was published by its digest, this the points of each district, the points name their values,
these their measures and these the conformed records: so nothing is shown that the points do not stand on.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from include.kernel.errors import InnopointsError, TerminalError
from include.portal.published import Portrait, Reading
from include.steps.results import published_result, stood_on
from include.store.lake import Lake
from include.store.ledger import Ledger


class Behind:
    """The records and measures of one enterprise, read table by table as they are asked for; one that is damaged or not
    kept any more raises.
    """

    def __init__(self, lake: Lake, uscc: str, stood: dict[str, tuple[str, str]]) -> None:
        self._lake, self._uscc, self._stood = lake, uscc, stood
        self._read: dict[str, list[dict[str, Any]]] = {}

    def records(self, dataset: str) -> list[dict[str, Any]]:
        """Its records in a dataset, in the order of their conformed table."""
        return self._own("conformed", dataset.lower())

    @property
    def held_back(self) -> set[str]:
        """The datasets that hold rows of it in quarantine."""
        return {row["dataset"] for row in self._own("conformed", "quarantined")}

    @property
    def measures(self) -> dict[str, Any]:
        """Every measure of it, None where nothing is held."""
        for measured in self._own("measures", "measures"):
            return measured
        raise TerminalError("no measures of an enterprise that is published", where=self._stood["measures"][0])

    def _own(self, room: str, table: str) -> list[dict[str, Any]]:
        if table not in self._read:
            place, version = self._stood[room]
            rows = self._lake.read(place, table, version=version)
            self._read[table] = rows.filter(pc.equal(rows["uscc"].cast(pa.string()), self._uscc)).to_pylist()
        return self._read[table]


def behind(lake: Lake, reading: Reading, found: Portrait) -> Behind | None:
    """What the points of a portrait stand on; None where that night is not kept any more, or is damaged."""
    try:
        scored = published_result(lake, Ledger(reading.connection), reading.generation, found.profile.district)
        return Behind(lake, found.profile.uscc, stood_on(lake, scored)) if scored else None
    except InnopointsError:
        return None
