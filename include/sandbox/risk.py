"""The public credit platform: grades by year, penalties that may be revoked, and lists that one enters and leaves."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from include.sandbox.firms import Firms
from include.sandbox.naming import person
from include.sandbox.numbers import dates, integers, joined, moments, office_time, stream
from include.sandbox.records import name_on, table

_NEVER = np.datetime64("NaT", "D")
_GRADES, _GRADE_SHARES = ("优", "良", "中", "差"), (0.27, 0.48, 0.2, 0.05)
_FIELDS, _FIELD_SHARES = ("安全生产", "生态环境", "市场监管", "其他"), (0.3, 0.3, 0.25, 0.15)
_SEVERITIES, _SEVERITY_SHARES = ("一般", "较大", "重大"), (0.8, 0.15, 0.05)
_CODED = 0.8  # of the records carry the credit code, the others the name alone


def records(seed: int, firms: Firms) -> pa.Table:
    """REG_RISK: one row per state of a record; a revocation or a removal is a later row of the same number."""
    random = stream(seed, "risk")
    n = firms.count
    parts: list[dict[str, np.ndarray]] = []

    def entered(kind: str, prefix: str, firm: np.ndarray, days: np.ndarray, **said: np.ndarray) -> None:
        """Records of firms that existed on the day, with what else is said of them."""
        there = firms.founded[firm] < days
        there &= np.isnat(firms.ended[firm]) | (firms.ended[firm] > days)
        firm, days = firm[there], days[there]
        serial: np.ndarray = np.arange(len(firm)) + 1
        number = joined(prefix, integers(days.astype("datetime64[Y]").astype(int) + 1970), "99", integers(serial, 5))
        blank: np.ndarray = np.full(len(firm), "", dtype=object)
        columns = {"year": blank, "grade": blank, "field": blank, "severity": blank}
        columns |= {name: values[there] for name, values in said.items()}
        parts.append(
            {
                "kind": np.full(len(firm), kind, dtype=object),
                "number": np.array(number.to_pylist(), dtype=object),
                "firm": firm,
                "decided": days,
                "later": columns.pop("later", np.full(len(firm), _NEVER)).astype("datetime64[D]"),
                **columns,
            }
        )

    for year in range(2021, 2027):
        graded = np.flatnonzero(random.random(n) < 0.9)
        entered(
            "公共信用评价",
            f"信评{year}-",
            graded,
            np.full(len(graded), np.datetime64(f"{year + 1}-03-20")),
            year=np.full(len(graded), str(year), dtype=object),
            grade=random.choice(_GRADES, len(graded), p=_GRADE_SHARES).astype(object),
        )
    firm, days = _events(random, n, 0.05)
    revoked = random.random(len(firm)) < 0.08
    entered(
        "行政处罚",
        "常罚",
        firm,
        days,
        field=random.choice(_FIELDS, len(firm), p=_FIELD_SHARES).astype(object),
        severity=random.choice(_SEVERITIES, len(firm), p=_SEVERITY_SHARES).astype(object),
        later=np.where(revoked, _after(random, days, 40, 300), _NEVER),
    )
    for kind, prefix, rate, stays in (
        ("经营异常", "异常", 0.025, 0.3),
        ("严重违法失信", "失信", 0.002, 0.6),
        ("科研失信", "研信", 0.001, 0.6),
    ):
        firm, days = _events(random, n, rate)
        left = random.random(len(firm)) > stays
        entered(kind, prefix, firm, days, later=np.where(left, _after(random, days, 30, 500), _NEVER))
    return _as_table(random, firms, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _events(random: np.random.Generator, n: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Firms and days of what happens to a firm `rate` times a year from 2020 to 2027; at least twice in all."""
    count = max(2, round(8 * rate * n))
    days = np.datetime64("2020-01-01") + np.sort(random.integers(0, 2920, count)).astype("timedelta64[D]")
    return random.integers(0, n, count), days


def _after(random: np.random.Generator, days: np.ndarray, low: int, high: int) -> np.ndarray:
    return days + random.integers(low, high, len(days)).astype("timedelta64[D]")


def _as_table(random: np.random.Generator, firms: Firms, held: dict[str, np.ndarray]) -> pa.Table:
    """First the records as entered, then those that changed once more, on the later day."""
    changed = np.flatnonzero(~np.isnat(held["later"]))
    row = np.concatenate([np.arange(len(held["firm"])), changed])
    again = np.arange(len(row)) >= len(held["firm"])
    firm, kind = held["firm"][row], held["kind"][row]
    day = np.where(again, held["later"][row], held["decided"][row])
    arrival = office_time(random, day)
    coded = random.random(len(held["firm"]))[row] < _CODED
    revoked = again & (kind == "行政处罚")
    removed = np.where(again & ~revoked, held["later"][row], _NEVER)
    columns = {
        "WSH": pa.array(held["number"][row]),
        "JLLX": pa.array(kind),
        "XDR_SHXYM": pa.array(np.where(coded, firms.uscc[firm], "").astype(object)),
        "XDR_MC": name_on(firms, firm, held["decided"][row]),
        "PJND": pa.array(held["year"][row]),
        "PJDJ": pa.array(held["grade"][row]),
        "CFLY": pa.array(held["field"][row]),
        "CFCD": pa.array(held["severity"][row]),
        "JDRQ": dates(held["decided"][row]),
        "YCRQ": pa.compute.fill_null(dates(removed), ""),
        "ZT": pa.array(np.where(revoked, "撤销", "有效").astype(object)),
        "GXSJ": moments(arrival),
        "FDDBR": pa.array([person(int(number) * 37 + 11) for number in firm]),
        "WFSS": pa.array(np.where(kind == "行政处罚", "见决定书", "").astype(object)),
    }
    return table(firms, firm, arrival, columns, None)
