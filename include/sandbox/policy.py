"""The policy redemption platform: who was found entitled to what, what was paid, what had to be returned."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from include.sandbox.firms import YEARS, Figures, Firms
from include.sandbox.numbers import dates, exp, integers, joined, moments, money, office_time, stream, year_start
from include.sandbox.records import name_on, table

ENTITLED, PAID, RETURNED = "符合条件", "已拨付", "已退回"

# policy, category, share of the enterprises found entitled each year, middle of its amounts (log of yuan)
_POLICIES = (
    ("研发投入后补助", "研发投入", 0.24, 11.2),
    ("高企培育奖励", "资质", 0.12, 11.9),
    ("科小入库奖励", "资质", 0.10, 9.3),
    ("创新券兑付", "创新券", 0.09, 10.2),
    ("科技人才项目资助", "人才", 0.04, 12.2),
    ("研发平台资助", "平台", 0.03, 12.6),
    ("科技贷款贴息", "金融", 0.07, 10.4),
    ("技术合同登记奖励", "成果转化", 0.08, 9.8),
    ("发明专利资助", "知识产权", 0.11, 8.9),
    ("稳岗返还", "稳岗就业", 0.35, 9.0),
    ("外贸稳增长补贴", "商贸外贸", 0.06, 10.5),
)


def redemptions(seed: int, firms: Firms, figures: Figures) -> pa.Table:
    """POL_CASH: the platform finds an enterprise entitled, mostly pays within months, now and then takes it back."""
    random = stream(seed, "redemptions")
    first = 2021
    policy, firm, year = [], [], []
    for in_year in range(first, int(YEARS[-1]) + 1):
        fits = figures.active[:, in_year - int(YEARS[0])] & firms.takes_part
        for number, (_, category, part, _) in enumerate(_POLICIES):
            likely = np.where(category in ("稳岗就业", "商贸外贸") or firms.research, part, part / 8)
            member = np.flatnonzero(fits & (random.random(firms.count) < likely))
            policy.append(np.full(len(member), number))
            firm.append(member)
            year.append(np.full(len(member), in_year))
    which, who, when = np.concatenate(policy), np.concatenate(firm), np.concatenate(year)
    m = len(which)
    found = year_start(when) + random.integers(30, 320, m).astype("timedelta64[D]")
    paid = found + random.integers(20, 150, m).astype("timedelta64[D]")
    returned = paid + random.integers(30, 200, m).astype("timedelta64[D]")
    pays = random.random(m) < 0.72
    returns = pays & (random.random(m) < 0.02)
    middle = np.array([line[3] for line in _POLICIES])[which]
    amount = np.rint(exp(middle + 0.6 * random.normal(size=m)) / 100).astype(np.int64) * 10_000
    back = np.where(random.random(m) < 0.6, amount, amount // 200 * 100)

    everybody, payers, returners = np.arange(m), np.flatnonzero(pays), np.flatnonzero(returns)
    at = np.concatenate([everybody, payers, returners])
    event: np.ndarray = np.repeat(np.array([ENTITLED, PAID, RETURNED], dtype=object), [m, len(payers), len(returners)])
    day = np.concatenate([found, paid[payers], returned[returners]])
    value = np.concatenate([np.zeros(m, dtype=np.int64), amount[payers], back[returners]])
    arrival = office_time(random, day)
    letter: np.ndarray = np.repeat(np.array(["P", "B", "T"], dtype=object), [m, len(payers), len(returners)])
    names = np.array([line[0] for line in _POLICIES], dtype=object)
    columns = {
        "LSH": joined(pa.array(letter), integers(at, 8)),
        "ZCBH": joined("ZC", integers(when[at]), "99", integers(which[at] + 1, 3)),
        "ZCDL": pa.array(np.array([line[1] for line in _POLICIES], dtype=object)[which[at]]),
        "SQBT": pa.array(names[which[at]]),
        "QYMC": name_on(firms, who[at], day),
        "SHXYDM": pa.array(firms.uscc[who[at]]),
        "ZT": pa.array(event),
        "JE": money(value),
        "RQ": dates(day),
        "QHDM": pa.array(firms.district[who[at]]),
        "RKSJ": moments(arrival),
    }
    return table(firms, who[at], arrival, columns | {"_cents": pa.array(value)}, columns["RQ"])
