"""What happens to enterprises: they leave the zone, end, lose a certificate; another truth from that day on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.compute as pc

from include.sandbox.dirt.ground import CANCELLED, LEAVES, Ground
from include.sandbox.lists import HIGH_TECH
from include.sandbox.numbers import dates, moments

_FROM, _DAYS = np.datetime64("2026-02-01"), 240
_CANCELLED_ON = np.datetime64("2026-05-31")  # the day of the year's list of cancellations
_GONE = {"left_zone": "迁出", "deregistered": "注销"}


def in_business(ground: Ground, dataset: str) -> np.ndarray:
    """The first registration of each enterprise that takes part, stays, and keeps its name."""
    firms = ground.firms
    stays = firms.takes_part & np.isnat(firms.ended) & np.isnat(firms.moved_on)
    stays &= firms.founded < np.datetime64("2023-01-01")
    firm = ground.tables[dataset]["_firm"].to_numpy()
    first: np.ndarray = np.zeros(len(firm), dtype=bool)
    first[np.unique(firm, return_index=True)[1]] = True
    return first & stays[firm]


def gone(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """The registry enters the new state on a day of 2026 and keeps it; other departments keep their records."""
    state, column = _GONE[kind], "regstateCn"
    days = _FROM + np.floor(lots[rows] * _DAYS).astype("timedelta64[D]")
    table = ground.tables[dataset]
    firm, arrival = table["_firm"].to_numpy(), table["_arrival"].to_numpy()
    before = []
    for one, day in zip(firm[rows].tolist(), days, strict=True):
        mine = np.flatnonzero(firm == one)
        ground.taken[dataset][mine] = True
        since = int(day.astype("datetime64[s]").astype(np.int64))
        later = mine[arrival[mine] >= since]
        ground.write(dataset, column, later, [state] * len(later))
        before.append(mine[arrival[mine] < since][np.argmax(arrival[mine][arrival[mine] < since])])
    entered = days.astype("datetime64[s]") + np.timedelta64(10, "h")
    latest = np.array(before, dtype=np.int64)
    was = ground.texts(dataset, column, latest)
    changes = {
        column: [state] * len(rows),
        "uptime": moments(entered).to_pylist(),
        "_arrival": entered.astype(np.int64).tolist(),
    }
    copies = ground.append(dataset, latest, changes)
    ground.end(firm[rows], days)
    ground.note(kind, dataset, copies, column, LEAVES, was)


def certified(ground: Ground, dataset: str) -> np.ndarray:
    """Lines of the high-tech list whose certificates are valid in the summer of 2026."""
    table, held = ground.tables[dataset], ground.certificates
    good = held.number[np.isnat(held.cancelled) & held.valid_on(_CANCELLED_ON + 30)]
    listed = pc.and_(pc.equal(table["_list"], HIGH_TECH), pc.equal(table["状态"], "有效")).to_numpy()
    return listed & np.isin(np.array(table["证书编号"].to_pylist(), dtype=object), good)


def revoked(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """A later list cancels the certificate; the old list still says 有效."""
    table, held = ground.tables[dataset], ground.certificates
    numbers = ground.texts(dataset, "证书编号", rows)
    day = dates(np.array([_CANCELLED_ON])).to_pylist() * len(rows)
    changes = {
        "状态": ["取消"] * len(rows),
        "公布日期": day,
        "_published": day,
        "_arrival": [int(_CANCELLED_ON.astype("datetime64[s]").astype(np.int64))] * len(rows),
        "_line": (pc.max(table["_line"]).as_py() + 1 + np.arange(len(rows))).tolist(),
    }
    copies = ground.append(dataset, rows, changes)
    cancelled = np.where(np.isin(held.number, numbers), _CANCELLED_ON, held.cancelled)
    ground.certificates = replace(held, cancelled=cancelled)
    ground.note(kind, dataset, copies, "状态", CANCELLED, ["有效"] * len(rows))
