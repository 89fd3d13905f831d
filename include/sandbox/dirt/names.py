"""Names: other brackets, other separators, former names, another enterprise's name, characters that were lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.sandbox.dirt.fields import FIELDS
from include.sandbox.dirt.ground import RESOLVED, REVIEW, SHARED, Ground

_NAME_LINGERS = 360 * 86400  # seconds after a renaming


def _first(ground: Ground, dataset: str) -> pa.ChunkedArray:
    return ground.tables[dataset][FIELDS[dataset].names[0]]


def _alike(ground: Ground, dataset: str) -> np.ndarray:
    """Records whose name columns agree: no transfer from one owner to another."""
    names = FIELDS[dataset].names
    return pc.equal(ground.tables[dataset][names[0]], ground.tables[dataset][names[-1]]).to_numpy()


def bracketed(ground: Ground, dataset: str) -> np.ndarray:
    """Records that name an enterprise with brackets in its name."""
    return _alike(ground, dataset) & pc.match_substring(_first(ground, dataset), "（").to_numpy()


def brackets(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """Half-width brackets for full-width ones."""
    _everywhere(ground, kind, dataset, rows, lambda text, _: text.replace("（", "(").replace("）", ")"))


def shared(ground: Ground, dataset: str) -> np.ndarray:
    """Records with several owners."""
    return _alike(ground, dataset) & pc.match_substring(_first(ground, dataset), ";").to_numpy()


def separators(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """Owners parted by a full-width semicolon, by blanks as well, with one at the end, or one of them twice."""

    def parted(text: str, lot: float) -> str:
        names = text.split(";")
        return ("；".join(names), " ; ".join(names), text + ";", ";".join([*names, names[0]]))[int(lot * 4)]

    each = dict(zip(rows.tolist(), lots[rows].tolist(), strict=True))
    _everywhere(ground, kind, dataset, rows, lambda text, row: parted(text, each[row]), SHARED)


def renamed(ground: Ground, dataset: str) -> np.ndarray:
    """Records that arrived in the year after a renaming and carry the new name, alone or first."""
    firms, table = ground.firms, ground.tables[dataset]
    firm = table["_firm"].to_numpy()
    day = firms.renamed_on[firm]
    since = table["_arrival"].to_numpy() - day.astype("datetime64[s]").astype(np.int64)
    later = ~np.isnat(day) & (since > 0) & (since < _NAME_LINGERS)
    first = pc.list_element(pc.split_pattern(_first(ground, dataset), ";"), 0)
    return later & _alike(ground, dataset) & pc.equal(first, pa.array(firms.name[firm])).to_numpy()


def former(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """The former name while people still write it: for longer it is believed by nobody."""
    firms = ground.firms
    firm = dict(zip(rows.tolist(), ground.tables[dataset]["_firm"].to_numpy()[rows].tolist(), strict=True))

    def old(text: str, row: int) -> str:
        return text.replace(str(firms.name[firm[row]]), str(firms.former_name[firm[row]]))

    _everywhere(ground, kind, dataset, rows, old)


def parent(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """The parent's name beside the subsidiary's code. (The world has no groups: the parent is the next enterprise.)"""
    firm = ground.tables[dataset]["_firm"].to_numpy()[rows]
    parents = ground.firms.name[(firm + 1) % ground.firms.count].tolist()
    ground.spell(kind, dataset, FIELDS[dataset].names[0], rows, parents, REVIEW)


def mojibake(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """UTF-8 read as GBK, GBK read as Latin-1, or question marks where characters were lost."""
    column = FIELDS[dataset].names[0]

    def lost(text: str, lot: float) -> str:
        return (
            text.encode().decode("gb18030", "replace"),
            text.encode("gb18030").decode("latin-1"),
            "?" * 4 + text[4:],
        )[int(lot * 3)]

    texts = ground.texts(dataset, column, rows)
    ground.spoil(kind, dataset, column, rows, [lost(text, lot) for text, lot in zip(texts, lots[rows], strict=True)])


def _everywhere(
    ground: Ground,
    kind: str,
    dataset: str,
    rows: np.ndarray,
    changed: Callable[[str, int], str],
    conclusion: str = RESOLVED,
) -> None:
    """The same change in every name column of a record; one truth line for the first."""
    columns = FIELDS[dataset].names
    for place, column in enumerate(columns):
        texts = ground.texts(dataset, column, rows)
        values = [changed(text, row) for text, row in zip(texts, rows.tolist(), strict=True)]
        if place == 0:
            ground.spell(kind, dataset, column, rows, values, conclusion)
        else:
            ground.respell(dataset, column, rows, values)
