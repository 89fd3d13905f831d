"""The finance office: rounds of equity with who paid, funds among the shareholders, and steps towards a listing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from include.sandbox.firms import Firms
from include.sandbox.naming import person
from include.sandbox.numbers import cents, dates, exp, integers, joined, moments, office_time, stream
from include.sandbox.records import name_on, table
from include.sandbox.registry import ten_thousands

_NEVER = np.datetime64("NaT", "D")
_KINDS = ("私募基金", "国有引导基金", "产业资本", "员工持股平台", "自然人")
_KIND_SHARES = (0.45, 0.2, 0.15, 0.08, 0.12)
_FUNDS = 60
_STEPS = (("股份制改造", -0.2), ("市级上市后备", 0.4), ("辅导备案", 1.0), ("新三板挂牌", 0.9), ("境内外上市", 1.6))


def records(seed: int, firms: Firms) -> pa.Table:
    """FIN_EQ: one row per state of a record; a withdrawal, an exit or an end is a later row of the same number."""
    random = stream(seed, "equity")
    n = firms.count
    courted = np.flatnonzero(firms.research & (random.random(n) < np.clip(0.14 + 0.05 * firms.size, 0.03, 0.35)))
    firm: np.ndarray = np.repeat(courted, random.integers(1, 6, len(courted)))
    paid_on = np.datetime64("2021-01-05") + random.integers(0, 2500, len(firm)).astype("timedelta64[D]")
    kind = random.choice(_KINDS, len(firm), p=_KIND_SHARES).astype(object)
    amount = cents(np.rint(exp(14.8 + 0.4 * firms.size[firm] + 0.9 * random.normal(size=len(firm))) / 1e4) * 1e4)
    related = (random.random(len(firm)) < 0.1) | (kind == "员工持股平台")
    is_fund = (kind == "私募基金") | (kind == "国有引导基金")
    number = random.integers(0, _FUNDS, len(firm))
    fund = np.where(is_fund, np.array(joined("S", "99", integers(number, 4)).to_pylist(), dtype=object), "")
    stake = np.flatnonzero(is_fund)
    rounds = {
        "firm": firm,
        "record": np.full(len(firm), "实缴出资", dtype=object),
        "day": paid_on,
        "kind": kind,
        "fund": fund.astype(object),
        "related": np.where(related, "是", "否").astype(object),
        "amount": np.array(ten_thousands(amount).to_pylist(), dtype=object),
        "step": np.full(len(firm), "", dtype=object),
    }
    blank: np.ndarray = np.full(len(stake), "", dtype=object)
    stakes = {name: values[stake] for name, values in rounds.items()}
    stakes |= {"record": np.full(len(stake), "基金持股", dtype=object), "amount": blank, "related": blank}
    parts = [rounds, stakes, _listing(random, firms)]
    held = {name: np.concatenate([part[name] for part in parts]) for name in rounds}
    existed = held["day"] > firms.founded[held["firm"]]
    existed &= np.isnat(firms.ended[held["firm"]]) | (firms.ended[held["firm"]] > held["day"])
    return _as_table(random, firms, {name: values[existed] for name, values in held.items()})


def _listing(random: np.random.Generator, firms: Firms) -> dict[str, np.ndarray]:
    """Steps in their order, each from a size on, each for a part of those that are large enough."""
    firm: list[np.ndarray] = []
    step: list[np.ndarray] = []
    day: list[np.ndarray] = []
    for place, (name, least) in enumerate(_STEPS):
        member = np.flatnonzero((firms.size > least) & (random.random(firms.count) < 0.25))
        firm.append(member)
        step.append(np.full(len(member), name, dtype=object))
        first = np.datetime64("2020-03-01") + np.timedelta64(300 * place, "D")
        day.append(first + random.integers(0, 1500, len(member)).astype("timedelta64[D]"))
    firms_of = np.concatenate(firm)
    blank: np.ndarray = np.full(len(firms_of), "", dtype=object)
    return {
        "firm": firms_of,
        "record": np.full(len(firms_of), "上市进程", dtype=object),
        "day": np.concatenate(day),
        "step": np.concatenate(step),
        **dict.fromkeys(("kind", "fund", "related", "amount"), blank),
    }


def _as_table(random: np.random.Generator, firms: Firms, held: dict[str, np.ndarray]) -> pa.Table:
    """First the records as entered, a week or more after the day, then those that changed once more."""
    count = len(held["firm"])
    entered = held["day"] + random.integers(7, 60, count).astype("timedelta64[D]")
    fate = random.random(count)
    withdrawn, over = fate < 0.03, (fate > 0.88) & (held["record"] != "实缴出资")
    changed = np.flatnonzero(withdrawn | over)
    row = np.concatenate([np.arange(count), changed])
    again = np.arange(len(row)) >= count
    firm = held["firm"][row]
    later = entered + random.integers(40, 900, count).astype("timedelta64[D]")
    arrival = office_time(random, np.where(again, later[row], entered[row]))
    ended = np.where(again & over[row], later[row] - np.timedelta64(5, "D"), _NEVER)
    coded = random.random(count)[row] < 0.7
    columns = {
        "JLBH": joined("GQ99", integers(row + 1, 6)),
        "JLLX": pa.array(held["record"][row]),
        "TYSHXYDM": pa.array(np.where(coded, firms.uscc[firm], "").astype(object)),
        "QYMC": name_on(firms, firm, held["day"][row]),
        "TZFLX": pa.array(held["kind"][row]),
        "TZFMC": pa.array(np.where(held["kind"][row] == "自然人", person(41), "").astype(object)),
        "JJBABM": pa.array(held["fund"][row]),
        "SFGLF": pa.array(held["related"][row]),
        "SJJE": pa.array(held["amount"][row]),
        "JEDW": pa.compute.if_else(pa.compute.equal(pa.array(held["amount"][row]), ""), "", "万元"),
        "SSJC": pa.array(held["step"][row]),
        "FSRQ": dates(held["day"][row]),
        "ZZRQ": pa.compute.fill_null(dates(ended), ""),
        "ZT": pa.array(np.where(again & withdrawn[row], "撤销", "有效").astype(object)),
        "GXSJ": moments(arrival),
        "JBR": pa.array([person(number % 50 + 7) for number in range(len(row))]),
    }
    return table(firms, firm, arrival, columns, None)
