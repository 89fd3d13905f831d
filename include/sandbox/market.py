"""The technology market office: registered technology contracts, and every later event as a new row of the same number.

Parties are mostly named without a code, amounts are in 万元. A row repeats the whole contract as it stands: the amount
after a change, the payments made so far, the state.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.sandbox.firms import YEARS, Figures, Firms
from include.sandbox.naming import INSTITUTIONS
from include.sandbox.numbers import Text, cents, dates, exp, integers, joined, moments, office_time, stream, year_start
from include.sandbox.records import name_on, table

_DAY = np.timedelta64(1, "D")
_NEVER = np.datetime64("2099-01-01", "D")
_FIRST_YEAR = 2020
_KINDS = np.array(["技术开发", "技术服务", "技术转让", "技术许可", "技术咨询"], dtype=object)
REGISTERED, CHANGED, PERFORMED, CANCELLED = "登记", "变更", "履约", "撤销"
_COMPANY, _ACADEMY = "企业", "高校院所"
_STRANGERS = 400  # companies elsewhere


def ten_thousands(amount_cents: np.ndarray) -> pa.Array:
    """Cents → 万元 with six decimals, `12.345678`."""
    rest = integers(amount_cents % 1_000_000, 6)
    return joined(integers(amount_cents // 1_000_000), ".", rest)


def contracts(seed: int, firms: Firms, figures: Figures) -> pa.Table:
    """ST_CONTRACT. `_seller`, `_buyer` (enterprise number, -1 = elsewhere) and `_cents` serve the truth tables."""
    random = stream(seed, "contracts")
    n = firms.count
    sells = firms.research & (random.random(n) < 0.3)
    buys = random.random(n) < 0.14 + 0.1 * (firms.size > 0)
    seller, buyer, signed_in = _deals(random, firms, figures, sells, buys)
    m = len(seller)
    to_sell = np.rint(np.clip(exp(12.3 + 1.1 * random.normal(size=m)), 2e4, 3e7) / 100) * 100
    amount = cents(to_sell)
    signed = year_start(signed_in) + random.integers(0, 365, m).astype("timedelta64[D]")
    waited = np.where(random.random(m) < 0.18, random.integers(91, 220, m), random.integers(3, 91, m))
    waited[random.random(m) < 0.04] = 90
    registered = signed + waited.astype("timedelta64[D]")
    changed = np.where(random.random(m) < 0.08, registered + _some(random, 15, 160, m), _NEVER)
    amended = cents(np.rint(to_sell * np.array([0.6, 0.85, 1.2])[random.integers(0, 3, m)] / 100) * 100)
    next_year = year_start(registered.astype("datetime64[Y]").astype(int) + 1971)
    performed = np.where(random.random(m) < 0.8, next_year + _some(random, 9, 55, m), _NEVER)
    paid_share = np.array([0.3, 0.5, 0.9, 1.0])[random.integers(0, 4, m)]
    cancelled = np.where(random.random(m) < 0.03, registered + _some(random, 20, 300, m), _NEVER)
    kind = _KINDS[np.searchsorted([0.45, 0.75, 0.85, 0.92], random.random(m))]

    events = ((REGISTERED, registered), (CHANGED, changed), (PERFORMED, performed), (CANCELLED, cancelled))
    at = np.concatenate([np.flatnonzero((day < _NEVER) & (day <= cancelled)) for _, day in events])
    state = np.concatenate([np.full(((d < _NEVER) & (d <= cancelled)).sum(), s, dtype=object) for s, d in events])
    day = np.concatenate([d[(d < _NEVER) & (d <= cancelled)] for _, d in events])
    arrival = office_time(random, day)
    number = _numbered(at, arrival)
    standing = np.where(changed[at] <= day, amended[at], amount[at])
    paid = np.floor(standing * paid_share[at] / 100).astype(np.int64) * 100
    paid_year = registered.astype("datetime64[Y]").astype(int)[at] + 1970
    payments = pc.if_else(pa.array(performed[at] <= day), joined(integers(paid_year), "@", ten_thousands(paid)), "")

    serial = joined("2", integers(registered.astype("datetime64[Y]").astype(int) + 1970), "320400", "99")
    number_of_contract = joined(serial, integers(np.arange(m), 6)).take(pa.array(at))
    with_code = random.random(m) < 0.12
    named = {
        party: _party(random, firms, firm, other, registered, with_code)
        for party, firm, other in (("JF", buyer, seller), ("YF", seller, buyer))
    }
    columns = {
        "HTDJBH": number_of_contract,
        "BGXH": integers(number),
        "XMMC": joined("技术合作项目", integers(at + 1)),
        "HTLB": pa.array(kind[at]),
        **{f"JF{what}": text.take(pa.array(at)) for what, text in named["JF"].items()},
        **{f"YF{what}": text.take(pa.array(at)) for what, text in named["YF"].items()},
        "HTCJJE": ten_thousands(standing),
        "JSJYE": ten_thousands(np.floor(standing * 0.9 / 100).astype(np.int64) * 100),
        "QDRQ": dates(signed[at]),
        "DJRQ": dates(registered[at]),
        "LYJL": payments,
        "ZT": pa.array(state),
        "JSLY": pa.array(["先进制造与自动化"] * len(at)),
        "GXSJ": moments(arrival),
    }
    owner = np.where(seller >= 0, seller, buyer)[at]
    hidden = {
        "_seller": pa.array(seller[at].astype(np.int32)),
        "_buyer": pa.array(buyer[at].astype(np.int32)),
        "_cents": pa.array(standing),
    }
    return table(firms, owner, arrival, columns | hidden, None)


def _some(random: np.random.Generator, low: int, high: int, count: int) -> np.ndarray:
    return random.integers(low, high, count).astype("timedelta64[D]")


def _deals(
    random: np.random.Generator, firms: Firms, figures: Figures, sells: np.ndarray, buys: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(seller, buyer, year): of its own work to others here and elsewhere; from universities, from companies elsewhere.

    -1 and below is no enterprise of the registry: -1-k is institution k, -1-len(INSTITUTIONS)-k a company elsewhere.
    """
    sellers, buyers, years = [], [], []
    elsewhere = -1 - len(INSTITUTIONS)
    for year in range(_FIRST_YEAR, int(YEARS[-1]) + 1):
        active = figures.active[:, year - int(YEARS[0])]
        for takes_part, most in ((sells, 4), (buys, 3)):
            firm: np.ndarray = np.repeat(np.arange(firms.count), random.integers(0, most, firms.count))
            firm = firm[(takes_part & active)[firm]]
            stranger = elsewhere - random.integers(0, _STRANGERS, len(firm))
            neighbour = random.integers(0, firms.count, len(firm))
            academy = -1 - random.integers(0, len(INSTITUTIONS), len(firm))
            draw = random.random(len(firm))
            if takes_part is sells:
                other = np.where(
                    (draw < 0.3) & (neighbour != firm), neighbour, np.where(draw < 0.34, academy, stranger)
                )
                sellers.append(firm)
                buyers.append(other)
            else:
                sellers.append(np.where(draw < 0.75, academy, stranger))
                buyers.append(firm)
            years.append(np.full(len(firm), year))
    return np.concatenate(sellers), np.concatenate(buyers), np.concatenate(years)


def _numbered(at: np.ndarray, arrival: np.ndarray) -> np.ndarray:
    """How many rows of its contract came before."""
    order = np.lexsort((arrival, at))
    place = np.arange(len(at))
    starts = np.searchsorted(at[order], at[order])
    number: np.ndarray = np.empty(len(at), dtype=np.int64)
    number[order] = place - starts
    return number


def _party(
    random: np.random.Generator,
    firms: Firms,
    firm: np.ndarray,
    other: np.ndarray,
    day: np.ndarray,
    with_code: np.ndarray,
) -> dict[str, Text]:
    """Name, code and kind of one side, as the office registered it."""
    known = firm >= 0
    academy = ~known & (firm >= -len(INSTITUTIONS))
    names = np.array(name_on(firms, np.maximum(firm, 0), day).to_pylist(), dtype=object)
    names[academy] = np.array(INSTITUTIONS, dtype=object)[-1 - firm[academy]]
    strange = ~known & ~academy
    names[strange] = [f"异地虚拟科技{-firm_number:04d}有限公司" for firm_number in firm[strange].tolist()]
    code = np.where(known & with_code, firms.uscc[np.maximum(firm, 0)], "").astype(object)
    return {
        "MC": pa.array(names),
        "DM": pa.array(code),
        "LX": pa.array(np.where(academy, _ACADEMY, _COMPANY).astype(object)),
    }
