"""What became of the declared corrections in a night, as conforming recorded it: datasets, ids and states, no value.

One that no longer fits its source (repaired, changed, gone) is applied to nothing, so the night is right and goes on;
but it waits for a person, who ends it by `until`. Until then it is an incident, a line of the digest and of the page
*Tonight*, and `innopoints corrections` ends with status 2.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from include.conformed.correct import corrections
from include.kernel.areas import areas
from include.steps.stores import Stores, open_stores
from include.store import lake as places
from include.store.lake import Lake

FACT = "outcomes"
"""Under which the manifest of conformed tables holds what became of the corrections of its snapshots."""


class Outcome(NamedTuple):
    """What became of one correction in the night as of a date: applied, repaired, changed or gone."""

    as_of: date
    dataset: str
    id: str
    scope: str
    state: str

    @property
    def name(self) -> str:
        """As the log, `explain` and its incident call it."""
        return f"{self.dataset}/{self.id}"

    @property
    def waits(self) -> bool:
        """Has it still to be ended by somebody?"""
        return self.state != "applied" and not is_ended(self.dataset, self.id, self.as_of)


def is_ended(dataset: str, number: str, night: date) -> bool:
    """Is the night one that no longer looks at the correction: past its `until`, or is it taken out? One that is
    declared to end some day is none that has ended.
    """
    declared = [one for one in corrections().get(dataset, ()) if one.id == number]
    return all(one.until is not None and one.until <= night for one in declared)


def outcomes(lake: Lake, as_of: date) -> list[Outcome]:
    """What became of every correction in the night as of a date, as far as it was conformed."""
    held = map(lake.manifest, (places.conformed_city(as_of), *(places.conformed(area, as_of) for area in areas())))
    return sorted(Outcome(as_of, *one) for manifest in held if manifest for one in manifest.facts.get(FACT, []))


def last_outcomes(as_of: date) -> tuple[date | None, list[Outcome]]:
    """The last night not after a date in which something was scored, None where there is none; and its outcomes."""
    stores = open_stores()
    night = _last_night(stores, as_of)
    return night, [] if night is None else outcomes(stores.lake, night)


def _last_night(stores: Stores, as_of: date) -> date | None:
    scored = (stores.ledger.last_scored(area, None, as_of) for area in areas())
    return max((row.result.as_of for row in scored if row), default=None)
