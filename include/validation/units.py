"""A department that changes from 元 to 万元, or turns a sign, moves amounts by the same power of ten all at once.

Two ways to see it. A row that was there last time (same key) has an amount to compare with, so a small share of such
rows is enough, whatever the power: who sends 万元 may send 千元 tomorrow, ten times as much. A row that is new is
compared with its enterprise's own amounts: the median over the matched enterprises stands near 1, however heavy the
tails. Floats: this is a diagnosis and never a figure that is published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from include.contracts import Contract

_POWERS = [power for power in range(-8, 9) if power]  # 亿元 to 元 and back, and all between
_NEAR = 0.05  # rounding to two decimals of 万元 moves a logarithm by less
_MOST_OF = 0.5


def unit_changes(
    contract: Contract,
    now: pa.Table,
    last: pa.Table,
    populations: pd.DataFrame,
    populations_before: pd.DataFrame,
    allowed: Mapping[str, float],
) -> Iterator[str | None]:
    """Per amount column and population: None, or what moved. Populations by period are left out: periods are new."""
    amounts = [name for name, column in contract.columns.items() if column.type == "decimal"]
    if not amounts:
        return
    keys, keys_before = _keys(contract, now), _keys(contract, last)
    place = pd.Series(np.arange(len(keys_before)), index=keys_before)
    standing = keys.map(place)
    enterprises, enterprises_before = _enterprises(contract, now), _enterprises(contract, last)
    kinds = [kind for kind in populations.columns if kind != "period"]
    for name in amounts:
        value, before = _floats(now[name]), _floats(last[name])
        matched = np.where(standing.isna(), np.nan, before[standing.fillna(0).astype(int)] if len(before) else np.nan)
        told = (matched != 0) & (value != 0) & ~np.isnan(matched) & ~np.isnan(value)
        for kind in kinds:
            yield from _of_standing(name, kind, populations[kind][told], value[told], matched[told], allowed)
        new = standing.isna().to_numpy() & (value != 0) & ~np.isnan(value)
        typical = _typical(before, enterprises_before)
        for kind in kinds:
            yield from _of_new(name, kind, populations[kind][new], value[new], enterprises[new], typical, allowed)


def _of_standing(
    name: str, kind: str, population: pd.Series, value: np.ndarray, before: np.ndarray, allowed: Mapping[str, float]
) -> Iterator[str | None]:
    """Amounts that were there before, per population: how many moved by one power of ten, or changed their sign."""
    logarithms = np.log10(np.abs(value / before))
    nearest = np.rint(logarithms)
    power = np.where(np.abs(logarithms - nearest) < _NEAR, nearest, 0)
    moved = {f"10^{one}": power == one for one in _POWERS} | {"-1": value == -before}
    share = allowed["unit_share"] if kind == "all" else _MOST_OF
    groups = population.groupby(population, sort=True).indices
    for what, rows_moved in moved.items():
        for group, rows in groups.items():
            count = int(rows_moved[rows].sum())
            too_many = count >= max(allowed["unit_rows"], share * len(rows))
            yield f"{name}{_named(kind, group)}: {count} of {len(rows)} amounts times {what}" if too_many else None


def _of_new(
    name: str,
    kind: str,
    population: pd.Series,
    value: np.ndarray,
    enterprises: pd.Series,
    typical: pd.Series,
    allowed: Mapping[str, float],
) -> Iterator[str | None]:
    """New amounts against their enterprises' own, per population: the median over the matched enterprises."""
    for group, rows in population.groupby(population, sort=True).indices.items():
        ratio = (_typical(value[rows], enterprises.iloc[rows]) - typical).dropna()
        if len(ratio) < allowed["unit_enterprises"]:
            continue
        median = float(ratio.median())
        told = f"{name}{_named(kind, group)}: new amounts of {len(ratio)} enterprises about 10^{median:.0f} of theirs"
        yield told if abs(median) >= allowed["unit_log10"] else None


def _named(kind: str, group: object) -> str:
    return "" if kind == "all" else f" {kind} {group}"


def _typical(value: np.ndarray, enterprises: pd.Series) -> pd.Series:
    """Enterprise → log10 of its median amount, regardless of sign; zeros say nothing about a unit."""
    held = (value != 0) & ~np.isnan(value)
    return np.log10(pd.Series(np.abs(value[held])).groupby(enterprises.to_numpy()[held]).median())


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)


def _keys(contract: Contract, rows: pa.Table) -> pd.Series:
    """A row's key as one text."""
    parts = [pc.fill_null(pc.cast(rows[name], pa.string()), "") for name in contract.key]
    return pd.Series(pc.binary_join_element_wise(*parts, "\x1f").to_pylist(), dtype=object)


def _enterprises(contract: Contract, rows: pa.Table) -> pd.Series:
    """The first of a row's codes and names."""
    return pd.Series(pc.coalesce(*(rows[name] for name in contract.entity.columns)).to_pylist(), dtype=object)
