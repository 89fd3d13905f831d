"""The intellectual-property office beside patents: software copyrights, layouts, varieties, drugs, model enterprises.

A change of a record (a transfer, a deletion) re-issues it whole with a later update time.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from include.sandbox.firms import Firms, industries
from include.sandbox.naming import INSTITUTIONS
from include.sandbox.numbers import exp, integers, joined, moments, office_time, stream
from include.sandbox.records import dotted, name_on, table

_DAY = np.timedelta64(1, "D")
_YEARS = np.arange(2012, 2028)
SOFTWARE, MODEL = "计算机软件著作权", "知识产权示范优势企业"
# kind, prefix of its number, who registers it, how often per year
_RARE = (
    ("集成电路布图设计", "BS.99", ("39", "65"), 0.05),
    ("植物新品种权", "CNA99", ("73",), 0.03),
    ("国家级农作物品种", "国审99", ("73",), 0.015),
    ("国家新药", "国药证字H99", ("27",), 0.05),
    ("国家一级中药保护品种", "ZYB99", ("27",), 0.02),
)
_MODEL_LEVELS = (("市级", 0.05), ("省级", 0.025), ("国家优势", 0.012), ("国家示范", 0.004))


def other_rights(seed: int, firms: Firms) -> pa.Table:
    """IP_OTHER: every state of every record; `_owner` and `_partner` are the enterprises that it names (-1 = none)."""
    random = stream(seed, "other rights")
    parts = [_registered(random, firms, SOFTWARE, "SR99", _software_rate(random, firms))]
    divisions = np.array([code[:2] for code in firms.industry_code.tolist()])
    for kind, prefix, where, often in _RARE:
        rate = often * np.isin(divisions, where) * firms.research
        parts.append(_registered(random, firms, kind, prefix, rate))
    parts += [_recognised(random, firms, number, level, part) for number, (level, part) in enumerate(_MODEL_LEVELS)]
    kinds, numbers, firm, since, until, level = (
        np.concatenate([np.asarray(part[i]) for part in parts]) for i in range(6)
    )
    return _states(random, firms, kinds, numbers, firm, since, until, level)


def _software_rate(random: np.random.Generator, firms: Firms) -> np.ndarray:
    writes = np.array([1.3 if profile["section"] == "I" else 0.22 for profile in industries()])[firms.industry]
    rate = writes * exp(0.6 * np.clip(firms.size, -2, 2.5) + 0.5 * random.normal(size=firms.count))
    return np.where(firms.research, rate, 0.15 * rate)


def _registered(random: np.random.Generator, firms: Firms, kind: str, prefix: str, rate: np.ndarray) -> tuple:
    """Registrations of one kind over the years in which the enterprise exists."""
    founded: np.ndarray = firms.founded.astype("datetime64[Y]").astype(int) + 1970
    alive = (founded[:, None] < _YEARS) & ~(~np.isnat(firms.ended)[:, None] & (_YEARS >= 2021))
    counts = np.asarray(random.poisson(rate[:, None] * np.clip((_YEARS - 2009) / 12, 0.1, 1.2) * alive))
    firm, t = np.nonzero(counts)
    repeats = counts[firm, t]
    firm, years = np.repeat(firm, repeats), _YEARS[np.repeat(t, repeats)]
    since: np.ndarray = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]")
    since = since + random.integers(0, 365, len(firm)).astype("timedelta64[D]")
    until = since + np.timedelta64(3650, "D") if kind != SOFTWARE else np.full(len(firm), np.datetime64("NaT", "D"))
    numbers = joined(prefix, integers(years), integers(np.arange(len(firm)), 5))
    nothing: np.ndarray = np.full(len(firm), "", dtype=object)
    return (
        np.full(len(firm), kind, dtype=object),
        np.array(numbers.to_pylist(), dtype=object),
        firm,
        since,
        until,
        nothing,
    )


def _recognised(random: np.random.Generator, firms: Firms, number: int, level: str, part: float) -> tuple:
    """Model enterprises of one level: a list every autumn, valid three years; the lower lists print no end."""
    named = [
        (firm, year)
        for year in range(2019, 2028)
        for firm in np.flatnonzero(
            firms.takes_part & firms.research & (firms.size > 0.4) & (random.random(firms.count) < part)
        )
        if firms.founded[firm] < np.datetime64(f"{year}-01-01")
    ]
    firm = np.array([firm for firm, _ in named], dtype=np.int64)
    years = np.array([year for _, year in named], dtype=np.int64)
    since = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]") + np.timedelta64(272, "D")
    until = (since.astype("datetime64[M]") + 36).astype("datetime64[D]") + np.timedelta64(28, "D")
    until = np.where(number < 2, np.datetime64("NaT", "D"), until)
    numbers = joined("IPM", str(number + 1), integers(years), "99", integers(np.arange(len(firm)), 4))
    kinds: np.ndarray = np.full(len(firm), MODEL, dtype=object)
    levels: np.ndarray = np.full(len(firm), level, dtype=object)
    return kinds, np.array(numbers.to_pylist(), dtype=object), firm, since, until, levels


def _states(
    random: np.random.Generator,
    firms: Firms,
    kinds: np.ndarray,
    numbers: np.ndarray,
    firm: np.ndarray,
    since: np.ndarray,
    until: np.ndarray,
    level: np.ndarray,
) -> pa.Table:
    """First states, then transfers of some rights and deletions of a few."""
    m = len(firm)
    draw, is_right = random.random(m), kinds != MODEL
    ally, buyer = random.integers(0, firms.count, m), random.integers(0, firms.count, m)
    with_firm = is_right & (draw < 0.02) & (ally != firm)
    with_institution = is_right & (draw > 0.97)
    institution = np.array(INSTITUTIONS, dtype=object)[random.integers(0, len(INSTITUTIONS), m)]
    partner = np.where(with_firm, ally, -1)
    sold = is_right & (random.random(m) < 0.012) & (buyer != firm) & (buyer != partner)
    gone = random.random(m) < np.where(is_right, 0.015, 0.03)
    entered = since + random.integers(5, 25, m).astype("timedelta64[D]")
    sold_on = entered + random.integers(60, 900, m).astype("timedelta64[D]")
    gone_on = np.maximum(entered, np.where(sold, sold_on, entered)) + random.integers(30, 1200, m) * _DAY
    how = np.where(is_right & (random.random(m) < 0.5), "终止", "撤销").astype(object)

    everyone = np.arange(m)
    states = [
        (everyone, entered, firm, "有效"),
        (everyone[sold], sold_on[sold], buyer[sold], "有效"),
        (everyone[gone], gone_on[gone], np.where(sold, buyer, firm)[gone], None),
    ]
    row = np.concatenate([rows for rows, *_ in states])
    day = np.concatenate([days for _, days, *_ in states])
    owner = np.concatenate([owners for *_, owners, _ in states])
    status = np.concatenate(
        [how[rows] if text is None else np.full(len(rows), text, dtype=object) for rows, _, _, text in states]
    )
    # After a transfer the register carries the buyer's name of that day.
    first = name_on(firms, owner, np.where(owner == firm[row], since[row], day))
    allied = name_on(firms, np.maximum(partner, 0), since).take(pa.array(row))
    second = pa.compute.if_else(pa.array(with_firm[row]), allied, pa.array(institution[row]))
    shared = pa.array((with_firm | with_institution)[row])
    owners = pa.compute.if_else(shared, joined(first, ";", second), first)
    arrival = office_time(random, day)
    columns = {
        "RecordNumber": pa.array(numbers[row]),
        "KindDesc": pa.array(kinds[row]),
        "LevelDesc": pa.array(level[row]),
        "OwnerStringList": owners,
        "RegistrationDate": dotted(since[row]),
        "ExpireDate": pa.compute.fill_null(dotted(until[row]), ""),
        "StatusDesc": pa.array(status),
        "Title": joined("一种软件或成果", integers(row + 1)),
        "Author": pa.array([""] * len(row)),
        "UpdateTime": moments(arrival),
    }
    found = table(firms, firm[row], arrival, columns, None)
    kept = pa.array(arrival < np.datetime64("2028-01-01"))
    found = found.append_column("_owner", pa.array(owner.astype(np.int32)).filter(kept))
    return found.append_column("_partner", pa.array(partner[row].astype(np.int32)).filter(kept))
