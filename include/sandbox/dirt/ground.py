"""The departments' tables while faults are planted in them, and the truth line of every planted case.

A record carries at most one planted fault, so that what a correct pipeline concludes is never in doubt. Two kinds of
change: *facts* (what becomes of a record: `_fate`) are written at once and the truth per enterprise is taken from them;
*spellings* (the same fact in other characters) are written afterwards, so that the truth never reads them.
`_fate`: empty = the record counts, else `void`, `duplicate`, `quarantined`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.sandbox.dirt.fields import FIELDS
from include.sandbox.firms import END, Firms
from include.sandbox.lists import Certificates
from include.sandbox.numbers import moments
from include.sandbox.tax import FORM_ROWS

RESOLVED, QUARANTINED, DUPLICATE = "resolved", "quarantined", "duplicate"
VOID, SUPERSEDED, ARRIVES_LATE = "void", "superseded", "arrives_late"
SHARED, CANCELLED, LEAVES, REVIEW, BLOCKED = "shared", "cancelled", "leaves", "review", "blocked"

TRUTH = pa.schema(
    [
        pa.field("dataset", pa.string()),
        pa.field("scope", pa.string(), metadata={"is": "area code, or city: the snapshot that carries it"}),
        pa.field("kind", pa.string()),
        pa.field(
            "key", pa.string(), metadata={"is": "native key columns as served, parted by |; of an answer its day"}
        ),
        pa.field("uscc", pa.string(), metadata={"is": "the enterprise that it truly concerns"}),
        pa.field("area", pa.string()),
        pa.field("arrived_at", pa.string()),
        pa.field("column", pa.string(), metadata={"is": "the native column that carries the fault"}),
        pa.field("was", pa.string(), metadata={"is": "what stood in the column"}),
        pa.field("became", pa.string(), metadata={"is": "what stands there"}),
        pa.field("conclusion", pa.string(), metadata={"is": "what a correct pipeline concludes about the record"}),
    ]
)
SPARED, SPARED_FIRMS = 200, 40  # of a snapshot with fewer, one in quarantine would be a large share


@dataclass(frozen=True)
class Note:
    """Truth lines to be written when every record stands as it is served."""

    dataset: str
    kind: str
    rows: np.ndarray
    column: str
    was: list[str]
    conclusion: str


@dataclass
class Ground:
    """`sparing`: spoil no record of a small snapshot. `ended` and `certificates` are the world's, events included."""

    firms: Firms
    certificates: Certificates
    tables: dict[str, pa.Table]
    sparing: bool = True
    taken: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    _spellings: list[tuple[str, str, np.ndarray, list[str]]] = field(default_factory=list)
    _copies: list[tuple[str, str, np.ndarray]] = field(default_factory=list)
    _hashes: dict[str, np.ndarray] = field(default_factory=dict)
    _roomy: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Who moved is left alone: the same record stands in two districts and would be spoilt in one."""
        for dataset, table in self.tables.items():
            self.taken[dataset] = ~np.isnat(self.firms.moved_on[table["_firm"].to_numpy()])
            self._hashes[dataset] = _hashed(self.keys(dataset))

    def keys(self, dataset: str, rows: np.ndarray | None = None) -> pa.Array:
        """The native key of each record."""
        table = self.tables[dataset] if rows is None else self.tables[dataset].take(pa.array(rows))
        parts = [table[name].combine_chunks() for name in FIELDS[dataset].key]
        return pc.binary_join_element_wise(*parts, "|")

    def lots(self, dataset: str, seed: int, subject: str) -> np.ndarray:
        """A number in [0, 1) for each record, drawn from its own key: no other record or kind of fault moves it."""
        mixed = self._hashes[dataset] ^ _seeded(seed, f"{subject} {dataset}")
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # the finaliser of splitmix64
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53

    def heads(self, dataset: str) -> np.ndarray:
        """The records by which whole units are chosen: of a return the first row, else every record."""
        return np.arange(self.tables[dataset].num_rows) % width(dataset) == 0

    def unit(self, dataset: str, heads: np.ndarray, spoils: bool = False) -> np.ndarray:
        """The records that stand and fall together, sorted: all rows of a return; where records are spoilt, all of a
        patent application, so that it is not held at all.
        """
        if spoils and dataset == "IP_PAT":
            patent = self.tables[dataset]["_patent"].to_numpy()
            return np.flatnonzero(np.isin(patent, patent[heads]))
        return np.sort((heads[:, None] + np.arange(width(dataset))).ravel())

    def claim(self, dataset: str, heads: np.ndarray, spoils: bool) -> np.ndarray:
        """Of these units the ones of which no record carries a fault yet; they are taken from now on."""
        taken = self.taken[dataset]
        if spoils and dataset == "IP_PAT":
            patent = self.tables[dataset]["_patent"].to_numpy()
            free = heads[~np.isin(patent[heads], patent[taken])]
            free = free[np.unique(patent[free], return_index=True)[1]]
        else:
            free = heads[~taken[self.unit(dataset, heads).reshape(-1, width(dataset))].any(axis=1)]
        free = np.sort(free)
        taken[self.unit(dataset, free, spoils)] = True
        return free

    def roomy(self, dataset: str) -> np.ndarray:
        """Records of snapshots that are large enough to lose a few. Of the registry, that take no part: a registration
        in quarantine hides an enterprise. (Asked of the clean tables, so it is reckoned once.)
        """
        if dataset not in self._roomy:
            table = self.tables[dataset]
            of_registry = dataset == "REG_ENT"
            firm = table["_firm"].to_numpy()
            roomy = ~self.firms.takes_part[firm] if of_registry else np.ones(table.num_rows, dtype=bool)
            if self.sparing:
                scope = self._scopes(dataset).dictionary_encode().indices.to_numpy()
                counted = np.unique(firm, return_index=True)[1] if of_registry else slice(None)
                least = SPARED_FIRMS if of_registry else SPARED
                roomy &= (np.bincount(scope[counted], minlength=scope.max(initial=0) + 1) >= least)[scope]
            self._roomy[dataset] = roomy
        return self._roomy[dataset]

    def texts(self, dataset: str, column: str, rows: np.ndarray) -> list[str]:
        """What stands in a column at these rows."""
        return self.tables[dataset][column].take(pa.array(rows)).to_pylist()

    def write(self, dataset: str, column: str, rows: np.ndarray, values: list[Any]) -> None:
        """A fact: put `values` into a column at the (sorted) rows, now."""
        table = self.tables[dataset]
        mask = np.zeros(table.num_rows, dtype=bool)
        mask[rows] = True
        held = table[column].combine_chunks()
        changed = pc.replace_with_mask(held, pa.array(mask), pa.array(values, held.type))
        self.tables[dataset] = table.set_column(table.column_names.index(column), column, changed)

    def append(self, dataset: str, rows: np.ndarray, changes: dict[str, list[Any]]) -> np.ndarray:
        """Copies of records with some columns changed; returns where they stand. They carry a fault by definition."""
        copies = self.tables[dataset].take(pa.array(rows))
        for column, values in changes.items():
            at = copies.column_names.index(column)
            copies = copies.set_column(at, column, pa.array(values, copies.schema.field(at).type))
        first = self.tables[dataset].num_rows
        self.tables[dataset] = pa.concat_tables([self.tables[dataset], copies]).combine_chunks()
        self.taken[dataset] = np.concatenate([self.taken[dataset], np.ones(len(rows), dtype=bool)])
        return np.arange(first, first + len(rows))

    def spell(
        self, kind: str, dataset: str, column: str, heads: np.ndarray, values: list[str], conclusion: str = RESOLVED
    ) -> None:
        """The same facts in other characters, for each unit the same; one truth line per unit."""
        self.note(kind, dataset, heads, column, conclusion)
        self.respell(dataset, column, heads, values)

    def respell(self, dataset: str, column: str, heads: np.ndarray, values: list[str]) -> None:
        """A further column of records whose truth lines stand."""
        each = [text for text in values for _ in range(width(dataset))]
        self._spellings.append((dataset, column, self.unit(dataset, heads), each))

    def spoil(self, kind: str, dataset: str, column: str, heads: np.ndarray, values: list[str]) -> None:
        """A text that no contract accepts. Of a return only the row with the amount, or what all its rows share; of a
        patent every record of it.
        """
        rows = heads
        if dataset == "TAX_CIT" and column != "JE":
            rows, values = self.unit(dataset, heads), [text for text in values for _ in range(width(dataset))]
        if dataset == "IP_PAT":
            patent = self.tables[dataset]["_patent"].to_numpy()
            of_patent = dict(zip(patent[heads].tolist(), values, strict=True))
            rows = self.unit(dataset, heads, spoils=True)
            values = [of_patent[one] for one in patent[rows].tolist()]
        self.note(kind, dataset, rows, column, QUARANTINED)
        self._spellings.append((dataset, column, rows, values))
        self.write(dataset, "_fate", rows, [QUARANTINED] * len(rows))

    def repeat(self, kind: str, dataset: str, rows: np.ndarray) -> None:
        """The same records once more, to the letter as they are served."""
        self._copies.append((kind, dataset, rows))

    def note(
        self, kind: str, dataset: str, rows: np.ndarray, column: str, conclusion: str, was: list[str] | None = None
    ) -> None:
        """One truth line per record; `was` is what stands in the column now unless said, `became` what will stand."""
        if was is None:
            was = self.texts(dataset, column, rows) if column else [""] * len(rows)
        self.notes.append(Note(dataset, kind, rows, column, was, conclusion))

    def settle(self) -> pa.Table:
        """Write the spellings and the repeated records, drop what would arrive after the world's end; the truth table.

        Each table is replaced, so that no second copy of the world stays in memory.
        """
        for dataset, column, rows, values in self._spellings:
            order = np.argsort(rows, kind="stable")
            self.write(dataset, column, rows[order], [values[at] for at in order.tolist()])
        for kind, dataset, rows in self._copies:
            copies = self.append(dataset, rows, {"_fate": [DUPLICATE] * len(rows)})
            self.note(kind, dataset, copies, "", DUPLICATE)
        lines = [TRUTH.empty_table(), *(self._lines(note) for note in self.notes)]
        truth = pa.concat_tables(lines)
        truth = truth.filter(pc.less(truth["arrived_at"], str(END)))
        end = int(END.astype("datetime64[s]").astype(np.int64))
        for dataset in self.tables:
            self.tables[dataset] = self.tables[dataset].filter(pc.less(self.tables[dataset]["_arrival"], end))
        order = [(name, "ascending") for name in ("dataset", "kind", "key", "arrived_at", "conclusion")]
        return truth.sort_by(order).combine_chunks()

    def _lines(self, note: Note) -> pa.Table:
        part = self.tables[note.dataset].take(pa.array(note.rows))
        became = part[note.column] if note.column else pa.array([""] * len(note.rows), pa.string())
        constant = {"dataset": note.dataset, "kind": note.kind, "column": note.column, "conclusion": note.conclusion}
        columns = {
            "scope": self._scopes(note.dataset).take(pa.array(note.rows)),
            "key": self.keys(note.dataset, note.rows),
            "uscc": pa.array(self.firms.uscc[part["_firm"].to_numpy()]),
            "area": part["_area"],
            "arrived_at": moments(part["_arrival"].to_numpy().astype("datetime64[s]")),
            "was": pa.array(note.was, pa.string()),
            "became": became,
        } | {name: pa.array([text] * len(note.rows), pa.string()) for name, text in constant.items()}
        return pa.table({name: columns[name] for name in TRUTH.names}).cast(TRUTH)

    def _scopes(self, dataset: str) -> pa.Array:
        table = self.tables[dataset]
        if FIELDS[dataset].city:
            return pa.array(["city"] * table.num_rows, pa.string())
        return table["_area"].combine_chunks()

    def end(self, firm: np.ndarray, days: np.ndarray) -> None:
        """These enterprises are registered here no longer from those days on."""
        ended = self.firms.ended.copy()
        ended[firm] = days
        self.firms = replace(self.firms, ended=ended)


def width(dataset: str) -> int:
    """Records per filing. A return is one block of form rows, as generated and as copied."""
    return len(FORM_ROWS) if dataset == "TAX_CIT" else 1


def is_list(ground: Ground, dataset: str) -> bool:
    """Is it handed over in a drop folder, numbered line by line?"""
    return "_line" in ground.tables[dataset].column_names


def _seeded(seed: int, subject: str) -> np.uint64:
    return np.uint64(np.random.PCG64([seed, zlib.crc32(subject.encode())]).random_raw())


def _hashed(keys: pa.Array) -> np.ndarray:
    """FNV-1a over the bytes of each key, whole columns at a time."""
    data = np.array(pc.cast(keys, pa.binary()).to_pylist() or [b""], dtype=np.bytes_)[: len(keys)]
    letters = data.view(np.uint8).reshape(len(data), -1) if len(data) else np.zeros((0, 1), dtype=np.uint8)
    mixed: np.ndarray = np.full(len(data), 0xCBF29CE484222325, dtype=np.uint64)
    for column in letters.T:
        mixed = np.where(column == 0, mixed, (mixed ^ column) * np.uint64(0x100000001B3))
    return mixed
