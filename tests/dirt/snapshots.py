"""A world's records as they land, without a server between: the whole city as of a day, and what is made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.contracts import require_contract
from include.sandbox.dirt import FIELDS, KINDS
from include.sandbox.dropfolder import SUM_ROW
from include.sandbox.moves import HANDED_OVER
from include.sandbox.world import World
from include.validation.judge import Judgement, judge

# Kind → the checks that refuse what it writes.
REFUSED_BY = {
    "unreadable_cell": ("cast", "allowed", "not_null", "between"),
    "absurd_value": ("between", "at_most"),
    "future_date": ("at_most",),
    "mojibake": ("legible",),
    "check_digit": ("check_digit",),
    "excel_code": ("code_form",),
    "unit_of_total": ("at_most",),
    "sum_row": ("not_null",),
}


def landed(made: World, dataset: str, as_of: date) -> tuple[pa.Table, np.ndarray]:
    """The landing table of the whole city, and which record of the world each of its rows is (`_ordinal`).

    Who moved is left out of the new district: one record would be asked for twice, which no district does.
    """
    contract, table = require_contract(dataset), made.tables[dataset]
    cutoff = int(np.datetime64(as_of).astype("datetime64[s]").astype(np.int64))
    here = pc.and_(pc.less(table["_arrival"], cutoff), pc.not_equal(table["_fate"], HANDED_OVER))
    rows = np.flatnonzero(here.to_numpy())
    if dataset == "REG_ENT":
        rows = _last_states(table, rows)
    chosen = table.take(pa.array(rows))
    if "_line" in table.column_names:
        chosen = _numbered(chosen, FIELDS[dataset].names[0])
    blank_is_null = {
        column.native: pc.if_else(pc.equal(chosen[column.native], ""), None, chosen[column.native])
        for column in contract.columns.values()
    }
    placed = {"_page": pa.array([1] * len(rows), pa.int32()), "_ordinal": pa.array(range(len(rows)), pa.int32())}
    return pa.table(blank_is_null | placed).cast(contract.landing_schema()), rows


def _last_states(table: pa.Table, rows: np.ndarray) -> np.ndarray:
    """The registry answers the last state of each enterprise."""
    firm, arrival = table["_firm"].to_numpy()[rows], table["_arrival"].to_numpy()[rows]
    order = np.lexsort((arrival, firm))
    last = np.append(np.diff(firm[order]) != 0, True)
    return np.sort(rows[order][last])


def _numbered(lines: pa.Table, name: str) -> pa.Table:
    """Batch and number of each line, as its file has them; a sum row repeats the number above it."""
    batch, numbers, count = [], [0] * lines.num_rows, Counter[str]()
    lists, days, texts = (lines[column].to_pylist() for column in ("_list", "_published", name))
    batch = [f"{kind}{day.replace('-', '')}" for kind, day in zip(lists, days, strict=True)]
    for at in np.argsort(lines["_line"].to_numpy(), kind="stable").tolist():
        count[batch[at]] += texts[at] != SUM_ROW
        numbers[at] = count[batch[at]]
    return lines.append_column("批次", pa.array(batch)).append_column("序号", pa.array([str(n) for n in numbers]))


@dataclass
class Found:
    """Per kind: how many cases were planted and had arrived, how many of them wait; and what waits besides."""

    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    besides: Counter[str] = field(default_factory=Counter)  # by the check that refused it
    clean: list[str] = field(default_factory=list)  # rows in quarantine that nothing was planted in
    duplicates: dict[str, tuple[int, int]] = field(default_factory=dict)  # dataset → planted, found

    def recall(self, kind: str) -> float:
        """Of the planted cases, the share that waits."""
        return self.found[kind] / self.planted[kind]

    def precision(self, kind: str) -> float:
        """Of the rows that wait for the reasons of this kind, the share in which something was planted."""
        besides = sum(self.besides[check] for check in REFUSED_BY[kind])
        return self.found[kind] / max(1, self.found[kind] + besides)

    def lines(self) -> list[str]:
        """The table that a test run prints."""
        rows = [f"{'kind':<18}{'planted':>8}{'found':>8}{'recall':>8}{'precision':>11}"]
        for kind in (name for name in KINDS if self.planted[name]):
            rates = f"{self.recall(kind):>8.3f}{self.precision(kind):>11.3f}"
            rows.append(f"{kind:<18}{self.planted[kind]:>8}{self.found[kind]:>8}{rates}")
        planted, found = (sum(pair[at] for pair in self.duplicates.values()) for at in (0, 1))
        return [*rows, f"{'duplicates':<18}{planted:>8}{found:>8}"]


def judged(made: World, as_of: date, datasets: Iterable[str]) -> Found:
    """Judge the datasets of a world, and compare with what was planted in it."""
    result = Found()
    for dataset in datasets:
        table, rows = landed(made, dataset, as_of)
        judgement = judge(require_contract(dataset), table, as_of=as_of)
        _compare(result, made, dataset, rows, judgement)
    return result


def _compare(result: Found, made: World, dataset: str, rows: np.ndarray, judgement: Judgement) -> None:
    served = made.tables[dataset].take(pa.array(rows))
    keys = _identities(served, dataset)
    lines = [row for row in made.planted.to_pylist() if row["dataset"] == dataset]
    spoilt = {(row["key"], row["arrived_at"]): row["kind"] for row in lines if row["conclusion"] == "quarantined"}
    waiting: set[tuple[str, str]] = set()
    for ordinal, reasons in zip(
        *(judgement.quarantine[name].to_pylist() for name in ("_ordinal", "reasons")), strict=True
    ):
        key = keys[ordinal]
        waiting.add(key)
        if key not in spoilt:
            result.clean.append(f"{dataset} {key[0]}: {', '.join(reasons)}")
            result.besides.update(reason.rpartition(".")[2] for reason in reasons)
    for key in spoilt.keys() & set(keys):
        result.planted[spoilt[key]] += 1
        result.found[spoilt[key]] += key in waiting
    twice = pc.sum(pc.equal(served["_fate"], "duplicate")).as_py() or 0
    result.duplicates[dataset] = (twice, judgement.duplicates)


def _identities(served: pa.Table, dataset: str) -> list[tuple[str, str]]:
    """Key and moment of arrival, as the truth table says them."""
    parts: list[Any] = [served[name].to_pylist() for name in FIELDS[dataset].key]
    moments = pc.cast(served["_arrival"].combine_chunks().cast(pa.timestamp("s")), pa.string()).to_pylist()
    return [("|".join(key), moment) for *key, moment in zip(*parts, moments, strict=True)]
