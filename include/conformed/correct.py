"""Known errors of a department's records, declared as data and put right before anything is conformed.

The landed and the accepted snapshot keep what the department wrote. A correction finds its records by key and by what
they are expected to say (`was`); when they say something else, the department has repaired or changed them, and the
correction is no longer applied: somebody is told to end it. It is ended by a date and never taken out, because an
earlier night that is run or explained again still needs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from include.contracts import Column, Contract, contracts
from include.kernel.areas import CITY, require_area
from include.kernel.documents import TextLoader, read_yaml
from include.kernel.errors import BadInput

FOLDER = Path(__file__).parent / "corrections"

State = Literal["applied", "repaired", "changed", "gone"]


class Correction(BaseModel):
    """One field of one record (or of the few that share `key`), in one scope.

    `was`, `is` as the accepted snapshot would hold them, in canonical units; null for nothing. From the night as of
    `when` on it is applied, so that a re-run of an earlier night knows nothing of it, and from `until` on no longer
    looked at. `expect`: how many records say `was`; any other number means that the source is not what it was when
    `who` decided on the `evidence`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    scope: str
    key: dict[str, str] = Field(min_length=1)
    field: str
    was: str | None
    becomes: str | None = Field(alias="is")
    who: str = Field(min_length=1)
    when: date
    evidence: str = Field(min_length=10)
    expect: int = Field(ge=1)
    until: date | None = None

    def holds(self, scope: str, as_of: date) -> bool:
        """Is it looked at on this night, in this scope?"""
        return self.scope == scope and self.when <= as_of and (self.until is None or as_of < self.until)


@dataclass(frozen=True)
class Outcome:
    """What became of a correction: `places` are the records (`_page`, `_ordinal`) whose `field` it changed. `text` is
    one line without a value: safe to log.
    """

    dataset: str
    id: str
    field: str
    state: State
    places: list[tuple[int, int]]
    text: str


def correct(
    contract: Contract, scope: str, rows: pa.Table, as_of: date, declared: Sequence[Correction] | None = None
) -> tuple[pa.Table, list[Outcome]]:
    """Accepted rows (the contract's accepted schema) with the corrections of their scope, in the order of their ids."""
    chosen = corrections().get(contract.dataset, ()) if declared is None else declared
    outcomes = []
    for one in sorted(chosen, key=lambda one: one.id):
        if one.holds(scope, as_of):
            rows, outcome = _apply(contract, one, rows)
            outcomes.append(outcome)
    return rows, outcomes


def _apply(contract: Contract, one: Correction, rows: pa.Table) -> tuple[pa.Table, Outcome]:
    keyed = _all(_says(rows[name], _typed(contract.columns[name], text)) for name, text in one.key.items())
    column = contract.columns[one.field]
    was, becomes = (_typed(column, text) for text in (one.was, one.becomes))
    hit = pc.and_(keyed, _says(rows[one.field], was))
    found, already = pc.sum(hit).as_py() or 0, pc.sum(pc.and_(keyed, _says(rows[one.field], becomes))).as_py() or 0
    state: State
    if found == one.expect:
        state = "applied"
    elif already == one.expect and not found:
        state = "repaired"
    else:
        state = "changed" if pc.any(keyed).as_py() else "gone"
    said = {
        "applied": f"applied to {found} records",
        "repaired": "no longer applied: the department has repaired it",
        "changed": f"no longer applied: {found} of {one.expect} records say what they said then",
        "gone": "no longer applied: the records are gone",
    }[state]
    name = f"{contract.dataset}/{one.id}"
    if state != "applied":
        todo = f"; look at it and end it (`until`) in corrections/{contract.dataset}.yaml"
        return rows, Outcome(contract.dataset, one.id, one.field, state, [], f"correction {name}: {said}{todo}")
    where = rows.filter(hit)
    places = list(zip(where["_page"].to_pylist(), where["_ordinal"].to_pylist(), strict=True))
    column_at = rows.column_names.index(one.field)
    rows = rows.set_column(column_at, rows.schema.field(column_at), pc.if_else(hit, becomes, rows[one.field]))
    return rows, Outcome(contract.dataset, one.id, one.field, state, places, f"correction {name}: {said}")


def corrections_in_force(scope: str, as_of: date) -> list[str]:
    """The corrections that a night in this scope looks at, each by dataset, id and what it says."""
    return [
        f"{dataset}/{one.id} {hashlib.sha256(one.model_dump_json().encode()).hexdigest()[:8]}"
        for dataset, listed in corrections().items()
        for one in listed
        if one.holds(scope, as_of)
    ]


def _all(masks: Iterable[pa.ChunkedArray]) -> pa.ChunkedArray:
    first, *rest = masks
    for mask in rest:
        first = pc.and_(first, mask)
    return first


def _says(column: pa.ChunkedArray, value: pa.Scalar) -> pa.ChunkedArray:
    if not value.is_valid:
        return pc.is_null(column)
    return pc.fill_null(pc.equal(column, value), False)


def _typed(column: Column, text: str | None) -> pa.Scalar:
    """A declared text as the column holds it; ValueError when it could not."""
    if text is None:
        return pa.scalar(None, column.arrow_type)
    value: Any = text
    if column.type == "decimal":
        try:
            value = Decimal(text)
            if value != round(value, column.decimals):
                raise ValueError(f"more than {column.decimals} decimals")
            value = value.quantize(Decimal(1).scaleb(-column.decimals))
        except InvalidOperation:
            raise ValueError("not a decimal") from None
    elif column.type == "integer":
        value = int(text)
    elif column.type in ("date", "month"):
        value = date.fromisoformat(text)
    elif column.type == "datetime":
        value = datetime.fromisoformat(text)
    return pa.scalar(value, column.arrow_type)


@cache
def corrections() -> dict[str, tuple[Correction, ...]]:
    """Every declared correction by dataset."""
    return {path.stem: load_corrections(path) for path in sorted(FOLDER.glob("*.yaml"))}


def load_corrections(path: Path) -> tuple[Correction, ...]:
    """Read one file strictly; errors name the file, the correction, what was found and what is allowed."""
    where = f"{path.parent.name}/{path.name}"
    if path.stem not in contracts():
        raise BadInput("its name is no dataset", where=where, kept="nothing was started", todo="name it as IP_PAT.yaml")
    contract = contracts()[path.stem]
    listed = read_yaml(path, kept="nothing was started", loader=TextLoader)
    if not isinstance(listed, list):
        raise BadInput("not a list of corrections", where=where, todo="see docs/how-to/correct-a-record.md")
    try:
        found = tuple(Correction.model_validate(_without_null(one)) for one in listed)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(correction)"
        raise BadInput(
            f"key {key}: {first['msg']}", where=where, kept="nothing was started", todo="correct it"
        ) from None
    ids = [one.id for one in found]
    for one in found:
        _require_possible(contract, one, ids.count(one.id), where)
    return found


def _without_null(one: Any) -> Any:
    """`null` and nothing at all mean that the field is empty; the words of a department do not."""
    if not isinstance(one, dict):
        return one
    return {key: None if key in ("was", "is") and value in ("", "null") else value for key, value in one.items()}


def _require_possible(contract: Contract, one: Correction, times: int, where: str) -> None:
    kept = {*contract.key, contract.arrival}
    wrong = [
        f"{name!r:.40} is not one of its columns" for name in (*one.key, one.field) if name not in contract.columns
    ]
    if times > 1:
        wrong.append(f"id {one.id!r} stands twice")
    if one.field in kept:
        wrong.append(f"{one.field} is key or arrival: a record's identity is not corrected")
    if one.was == one.becomes:
        wrong.append("`was` and `is` are the same")
    if not wrong:
        if contract.scope != "city":
            require_area(one.scope)
        elif one.scope != CITY:
            wrong.append(f"scope {one.scope!r:.20}: the dataset is kept for the whole city, use {CITY}")
        for name, text in [*one.key.items(), (one.field, one.was), (one.field, one.becomes)]:
            try:
                _typed(contract.columns[name], text)
            except (ValueError, pa.ArrowInvalid):
                wrong.append(f"{text!r:.40} is not a {contract.columns[name].type} that {name} could hold")
    if wrong:
        raise BadInput(wrong[0], where=f"{where} {one.id}", kept="nothing was started", todo="correct the correction")
