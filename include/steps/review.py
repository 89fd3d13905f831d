"""The review queue: what waits for a person after a night, who it may mean, and what people decide about it.

A decision taken on a day holds from the refresh as of the next day on, because a refresh as of D sees what had arrived
before D began. A re-run as of an earlier date does not see it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from include.conformed.candidates import Candidates
from include.conformed.names import BRANCH, head
from include.conformed.register import NONE
from include.conformed.unresolved import REVIEWED, subject
from include.contracts import require_contract
from include.kernel.areas import areas
from include.kernel.cells import write_csv
from include.kernel.errors import BadInput
from include.kernel.identity import normal_code
from include.kernel.periods import seen_from
from include.sources.declaration import REGISTRY
from include.steps.conforming import Frozen, Registries
from include.steps.stores import Stores, open_stores
from include.store import decisions as store
from include.store import lake as places
from include.store.decisions import NameDecision

_UNEQUAL = (NONE, BRANCH)
_KEPT = "all decisions"


@dataclass(frozen=True)
class Waiting:
    """Records of one dataset that say the same of their enterprise: how many, and whom they may mean."""

    dataset: str
    tier: str
    code: str
    name: str
    rows: int
    among: tuple[str, ...]

    @property
    def subject(self) -> tuple[str, str]:
        """By what a decision about it is found."""
        return subject(self.code, self.name)


def queue(as_of: date, dataset: str | None = None) -> tuple[date, list[Waiting], dict[str, str]]:
    """The last night not after `as_of`; what waited after it and is not decided since, of one dataset or of all, with
    candidates, most rows first; and every registered enterprise's name by its code.

    What equals nobody and is like nobody does not wait: it is listed in the night's table `unresolved` only.
    """
    stores, night, waiting = _open(as_of, dataset)
    decided = store.in_force(store.decisions(stores.engine))
    waiting = [one for one in waiting if one.subject not in decided.get(one.dataset, {})]
    registries = _registries(stores, night)
    register = Registries.of(registries, night).register
    alike = sorted({one.name for one in waiting if one.tier in _UNEQUAL})
    found = dict(zip(alike, Candidates(register.carried()).of([head(name) for name in alike]), strict=True))
    waiting = [replace(one, among=found[one.name]) if one.tier in _UNEQUAL else one for one in waiting]
    names: dict[str, str] = {}
    for rows in registries.values():
        names |= dict(zip(rows["uscc"].to_pylist(), rows["name"].to_pylist(), strict=True))
    return night, [one for one in waiting if one.among or one.tier not in _UNEQUAL], names


class QueueRow(NamedTuple):
    """One line of the queue as a list shows it; the candidates and their names are parted by `;`."""

    dataset: str
    tier: str
    rows: int
    code: str
    name: str
    candidates: str
    candidate_names: str


def queue_rows(waiting: list[Waiting], names: dict[str, str]) -> list[QueueRow]:
    """The queue as a list."""
    return [
        QueueRow(
            *(one.dataset, one.tier, one.rows, one.code, one.name),
            ";".join(one.among),
            ";".join(names.get(code, "") for code in one.among),
        )
        for one in waiting
    ]


def write_queue(out: Path, waiting: list[Waiting], names: dict[str, str]) -> None:
    """The queue as CSV."""
    write_csv(out, QueueRow._fields, [[str(cell) for cell in row] for row in queue_rows(waiting, names)])


def decide(
    as_of: date, dataset: str, code: str, name: str, uscc: str | None, *, evidence: str, by: str
) -> tuple[NameDecision, date]:
    """Decide who is meant (None: nobody registered here), and the first business date that sees it."""
    stores, night, waiting = _open(as_of, dataset)
    if subject(code, name) not in {one.subject for one in waiting}:
        raise BadInput(
            f"no record of {dataset} with this code and name waits for a decision",
            where=f"as of {night}",
            kept=_KEPT,
            todo="copy both from `review list`",
        )
    chosen = None if uscc is None else normal_code(uscc)
    registered = (rows["uscc"] for rows in _registries(stores, night).values())
    if chosen is not None and not any(pc.is_in(pa.scalar(chosen), value_set=codes).as_py() for codes in registered):
        raise BadInput("this code is not registered", where=f"as of {night}", kept=_KEPT, todo="check the code")
    taken = store.decide(stores.engine, dataset, subject(code, name), chosen, evidence=evidence, by=by)
    return taken, seen_from(taken.decided_at)


def revoke(number: int, *, evidence: str, by: str) -> tuple[NameDecision, date]:
    """Take a decision back, and the first business date that sees it."""
    taken = store.revoke(open_stores().engine, number, evidence=evidence, by=by)
    return taken, seen_from(taken.decided_at)


def decisions() -> list[NameDecision]:
    """Everything that was decided, in its order."""
    return store.decisions(open_stores().engine)


def _open(as_of: date, dataset: str | None) -> tuple[Stores, date, list[Waiting]]:
    """What the last night not after `as_of` left open: of the city's datasets and of every district's own.

    The same words in two districts wait once.
    """
    if dataset is not None:
        require_contract(dataset)
    stores = open_stores()
    nights = [row.result.as_of for area in areas() if (row := stores.ledger.last_scored(area, None, as_of))]
    if not nights:
        raise BadInput(f"nothing is conformed as of {as_of} or before", kept=_KEPT, todo="run a refresh first")
    night = max(nights)
    rows: dict[tuple[str, str, str, str], int] = defaultdict(int)
    among: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for place in (places.conformed_city(night), *(places.conformed(area, night) for area in areas())):
        conformed = stores.lake.manifest(place)
        left = stores.lake.read(place, "unresolved", version=conformed.sha256).to_pylist() if conformed else []
        for row in left:
            if row["tier"] in REVIEWED and dataset in (None, row["dataset"]):
                key = (row["dataset"], row["tier"], row["code"] or "", row["name"] or "")
                rows[key] += row["rows"]
                among[key] |= {code for code in (row["among"] or "").split(";") if code}
    ranked = sorted(rows, key=lambda key: (-rows[key], key))
    return stores, night, [Waiting(*key, rows=rows[key], among=tuple(sorted(among[key]))) for key in ranked]


def _registries(stores: Stores, night: date) -> dict[str, pa.Table]:
    """The accepted registry of each district that the night stood on."""
    members = map(Frozen.of, stores.lake.require(places.conformed_city(night)).facts["snapshot_set"])
    return {frozen.key.scope: frozen.accepted(stores) for frozen in members if frozen.key.dataset == REGISTRY}
