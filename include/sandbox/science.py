"""The science bureau's other lists: projects approved and examined, awards, co-operation with universities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.sandbox.firms import YEARS, Figures, Firms
from include.sandbox.lists import month_end
from include.sandbox.market import ten_thousands
from include.sandbox.naming import INSTITUTIONS
from include.sandbox.numbers import dates, exp, integers, joined, stream, year_start
from include.sandbox.records import name_on, table

APPROVED, EXAMINED = "立项名单", "验收名单"
SCIENCE_AWARDS, PATENT_AWARDS, CONTESTS = "科技奖励名单", "专利奖名单", "大赛获奖名单"
COOPERATION = "产学研备案"

_NEVER = np.datetime64("NaT", "D")
_LEVELS = np.array(["国家", "省", "市", "区"], dtype=object)


def _days(random: np.random.Generator, low: int, high: int, count: int) -> np.ndarray:
    return random.integers(low, high, count).astype("timedelta64[D]")


def _next_batch(days: np.ndarray, months: tuple[int, ...]) -> np.ndarray:
    """The end of the first of these months that has not ended before the day."""
    year: np.ndarray = days.astype("datetime64[Y]").astype(int) + 1970
    ends = np.stack([month_end(year + later, month) for later in (0, 1) for month in months], axis=1)
    return np.where(ends >= days[:, None], ends, np.datetime64("9999-12-31")).min(axis=1)


def _listed(
    random: np.random.Generator,
    firms: Firms,
    columns: dict[str, Any],
    firm: np.ndarray,
    published: np.ndarray,
    lists: np.ndarray,
    coded: float,
) -> pa.Table:
    """Lines of lists: name and often no code in their places, day of publication last, and where each line stands."""
    known = random.random(len(firm)) < coded
    said = {
        "name": name_on(firms, firm, published),
        "code": pa.array(np.where(known, firms.uscc[firm], "").astype(object)),
    }
    filled = {name: said[text] if isinstance(text, str) else text for name, text in columns.items()}
    hidden = {"_list": pa.array(lists), "_published": dates(published), "_line": pa.array(np.arange(len(firm)))}
    return table(firms, firm, published.astype("datetime64[s]"), filled | {"公布日期": dates(published)} | hidden, None)


def projects(seed: int, firms: Firms, figures: Figures) -> pa.Table:
    """ST_PROJ: a line per unit when a project is approved, and again when it is examined."""
    random = stream(seed, "projects")
    lead, approved, level = [], [], []
    for year in range(2020, int(YEARS[-1]) + 1):
        fits = firms.research & figures.active[:, year - int(YEARS[0])]
        for number, part in enumerate((0.012, 0.05, 0.09, 0.08)):
            likely = part * np.clip(1 + 0.6 * firms.size, 0.2, 3)
            member = np.flatnonzero(fits & (random.random(firms.count) < likely))
            lead.append(member)
            approved.append(year_start(np.full(len(member), year)) + _days(random, 20, 330, len(member)))
            level.append(np.full(len(member), number))
    firm, day, at_level = np.concatenate(lead), np.concatenate(approved), np.concatenate(level)
    m = len(firm)
    due = day + np.array([365, 730, 1095])[random.integers(0, 3, m)].astype("timedelta64[D]")
    examined = due + _days(random, -150, 120, m)
    examined[random.random(m) < 0.04] = _NEVER
    result = np.array(["合格", "不合格", "结题"], dtype=object)[np.searchsorted([0.9, 0.96], random.random(m))]
    programme = np.array(["重点研发", "成果转化", "揭榜挂帅", "基础研究", "人才项目"], dtype=object)[
        np.searchsorted([0.5, 0.75, 0.85, 0.93], random.random(m))
    ]
    # In every fifth project another enterprise takes part; a few are led from elsewhere.
    joins = np.flatnonzero(random.random(m) < 0.2)
    partner = random.integers(0, firms.count, len(joins))
    joins, partner = joins[partner != firm[joins]], partner[partner != firm[joins]]
    role = np.where(random.random(m) < 0.12, "参与", "牵头").astype(object)
    project = np.concatenate([np.arange(m), joins])
    unit = np.concatenate([firm, partner])
    unit_role = np.concatenate([role, np.full(len(joins), "参与", dtype=object)])

    closed = np.flatnonzero(~np.isnat(examined[project]))
    at, unit, unit_role = (np.concatenate([part, part[closed]]) for part in (project, unit, unit_role))
    over = np.arange(len(at)) >= len(project)
    published = np.where(
        over,
        _next_batch(np.where(over, examined[at], due[at]), (3, 6, 9, 12)),
        _next_batch(day[at], (4, 8, 12)),
    )
    columns = {
        "项目编号": joined(pa.array(np.array(["GJ", "BE", "CE", "XQ"], dtype=object)[at_level[at]]), integers(at, 6)),
        "项目名称": joined("关键技术研究", integers(at + 1)),
        "计划类别": pa.array(programme[at]),
        "级别": pa.array(_LEVELS[at_level[at]]),
        "承担单位": "name",
        "统一社会信用代码": "code",
        "承担角色": pa.array(unit_role),
        "立项日期": dates(day[at]),
        "到期日期": dates(due[at]),
        "验收日期": pc.if_else(pa.array(over), pc.fill_null(dates(examined[at]), ""), ""),
        "验收结论": pa.array(np.where(over, result[at], "").astype(object)),
    }
    return _listed(random, firms, columns, unit, published, np.where(over, EXAMINED, APPROVED).astype(object), 0.6)


def awards(seed: int, firms: Firms, figures: Figures) -> pa.Table:
    """ST_AWARD: science prizes, patent prizes and contests of each year; some are shared, one in fifty is revoked."""
    random = stream(seed, "awards")
    kinds = (
        (SCIENCE_AWARDS, "科学技术奖", 6, ((0, 0.003), (1, 0.016), (2, 0.03)), ("一等奖", "二等奖", "三等奖")),
        (PATENT_AWARDS, "专利奖", 9, ((0, 0.008), (1, 0.01), (2, 0.02)), ("金奖", "银奖", "优秀奖")),
        (CONTESTS, "创新创业大赛", 11, ((0, 0.004), (1, 0.012), (2, 0.035)), ("一等奖", "二等奖", "优秀奖")),
    )
    parts = []
    for year in range(2020, int(YEARS[-1]) + 1):
        fits = firms.research & figures.active[:, year - int(YEARS[0])]
        for name, kind, month, levels, grades in kinds:
            for level, part in levels:
                member = np.flatnonzero(fits & (random.random(firms.count) < part * np.clip(1 + firms.size, 0.3, 4)))
                grade = np.array(grades, dtype=object)[np.searchsorted([0.15, 0.4], random.random(len(member)))]
                parts.append((name, kind, year, month, level, member, grade))
    count = [len(part[5]) for part in parts]
    of: np.ndarray = np.repeat(np.arange(len(parts)), count)
    firm = np.concatenate([part[5] for part in parts])
    year, month = (np.array([part[i] for part in parts])[of] for i in (2, 3))
    m = len(firm)
    published = month_end(year, month)
    awarded = published - _days(random, 5, 40, m)
    rank = np.where(random.random(m) < 0.7, 1, random.integers(2, 9, m))
    shared = np.flatnonzero(random.random(m) < 0.12)
    partner = random.integers(0, firms.count, len(shared))
    shared, partner = shared[partner != firm[shared]], partner[partner != firm[shared]]
    revoked = np.flatnonzero(random.random(m) < 0.02)
    at = np.concatenate([np.arange(m), shared, revoked])
    unit = np.concatenate([firm, partner, firm[revoked]])
    unit_rank = np.concatenate([rank, rank[shared] + 1, rank[revoked]])
    over = np.arange(len(at)) >= m + len(shared)
    columns = {
        "获奖编号": joined("J", integers(year[at]), integers(at, 6)),
        "成果名称": joined("获奖成果", integers(at + 1)),
        "奖励类别": pa.array(np.array([part[1] for part in parts], dtype=object)[of][at]),
        "级别": pa.array(_LEVELS[np.array([part[4] for part in parts])[of][at]]),
        "等级": pa.array(np.concatenate([part[6] for part in parts])[at]),
        "获奖单位": "name",
        "统一社会信用代码": "code",
        "单位排名": integers(unit_rank),
        "授奖日期": dates(awarded[at]),
        "状态": pa.array(np.where(over, "撤销", "有效").astype(object)),
    }
    lists = np.array([part[0] for part in parts], dtype=object)[of][at]
    on = np.where(over, month_end(year[at] + 1, month[at]), published[at])
    return _listed(random, firms, columns, unit, on, lists, 0.5)


_BOUND = ("合作协议", "联合实验室", "联合创新中心")
_ALLIED = ("创新联合体", "揭榜挂帅", "产业技术联盟")
_SHARED = "仪器共享"


def cooperation(seed: int, firms: Firms, figures: Figures, contracts: pa.Table, projects: pa.Table) -> pa.Table:
    """ST_COOP: quarterly lists. A third of the contracts with universities stands here too, and most open calls."""
    random = stream(seed, "cooperation")
    rates = {"合作协议": 0.07, "联合实验室": 0.012, "联合创新中心": 0.008, "创新联合体": 0.012, "产业技术联盟": 0.02}
    kind: list[np.ndarray] = []
    firm: list[np.ndarray] = []
    begins: list[np.ndarray] = []
    for year in range(2020, int(YEARS[-1]) + 1):
        fits = figures.active[:, year - int(YEARS[0])]
        for name, part in (rates | {_SHARED: 0.06}).items():
            likely = part * np.clip(1 + 0.5 * firms.size, 0.3, 3) * (1 + firms.research)
            member = np.flatnonzero(fits & (random.random(firms.count) < likely))
            kind.append(np.full(len(member), name, dtype=object))
            firm.append(member)
            begins.append(year_start(np.full(len(member), year)) + _days(random, 0, 365, len(member)))
    own = sum(map(len, firm))

    bought = _carried_out(contracts)
    open_calls = projects.filter(
        pc.and_(pc.equal(projects["_list"], APPROVED), pc.equal(projects["计划类别"], "揭榜挂帅"))
    )
    called = random.random(open_calls.num_rows) < 0.8
    kind += [np.full(len(bought), "合作协议", dtype=object), np.full(int(called.sum()), "揭榜挂帅", dtype=object)]
    firm += [bought["_buyer"].to_numpy(), open_calls["_firm"].to_numpy()[called]]
    begins += [
        np.array(bought["QDRQ"].to_pylist(), dtype="datetime64[D]"),
        np.array(open_calls["立项日期"].to_pylist(), dtype="datetime64[D]")[called],
    ]
    kinds, who, start = np.concatenate(kind), np.concatenate(firm), np.concatenate(begins)
    m = len(who)
    of_contract: np.ndarray = np.full(m, "", dtype=object)
    of_contract[own : own + len(bought)] = bought["HTDJBH"].to_pylist()
    number = np.array([f"HZ99{i:06d}" for i in range(m)], dtype=object)
    number[own + len(bought) :] = np.array(open_calls["项目编号"].to_pylist(), dtype=object)[called]
    allied, using = np.isin(kinds, _ALLIED), kinds == _SHARED
    level = np.array(["国家", "省", "市"], dtype=object)[np.searchsorted([0.1, 0.55], random.random(m))]
    held = np.array(open_calls["级别"].to_pylist(), dtype=object)[called]
    level[own + len(bought) :] = np.where(held == "区", "市", held)
    ends = start + np.array([365, 730, 1095])[random.integers(0, 3, m)].astype("timedelta64[D]")
    amount = np.rint(exp(10.8 + 1.0 * random.normal(size=m))).astype(np.int64) * 100
    academy = random.random(m) < 0.8
    place = random.integers(0, len(INSTITUTIONS), m)
    partner = np.where(academy, np.array(INSTITUTIONS, dtype=object)[place], "异地虚拟合作有限公司")
    partner_kind = np.where(academy, np.where(place == 3, "产研院", "高校院所"), "企业")
    stopped = np.flatnonzero(np.isin(kinds, _BOUND) & (random.random(m) < 0.06))
    at = np.concatenate([np.arange(m), stopped])
    over = np.arange(len(at)) >= m
    day = np.where(over, start[at] + np.timedelta64(200, "D"), start[at])
    lead = np.where(random.random(m) < 0.3, "牵头", "参与").astype(object)
    columns = {
        "备案编号": pa.array(number[at]),
        "合作类型": pa.array(kinds[at]),
        "企业名称": "name",
        "统一社会信用代码": "code",
        "承担角色": pa.array(np.where(allied, lead, "")[at].astype(object)),
        "级别": pa.array(np.where(allied, level, "")[at].astype(object)),
        "合作方": pa.array(np.where(using | allied, "", partner)[at].astype(object)),
        "合作方类型": pa.array(np.where(using | allied, "", partner_kind)[at].astype(object)),
        "技术合同登记编号": pa.array(of_contract[at]),
        "起始日期": dates(start[at]),
        "终止日期": pc.if_else(pa.array((using | allied)[at]), "", dates(ends[at])),
        "金额": pc.if_else(pa.array(using[at]), ten_thousands(amount[at]), ""),
        "状态": pa.array(np.where(over, "终止", "有效").astype(object)),
    }
    published = _next_batch(day, (3, 6, 9, 12))
    return _listed(random, firms, columns, who[at], published, np.full(len(at), COOPERATION, dtype=object), 0.6)


def _carried_out(contracts: pa.Table) -> pa.Table:
    """Every third contract of development that an enterprise here has from a university."""
    first = pc.and_(pc.equal(contracts["BGXH"], "0"), pc.equal(contracts["YFLX"], "高校院所"))
    own = pc.and_(pc.greater_equal(contracts["_buyer"], 0), pc.equal(contracts["HTLB"], "技术开发"))
    found = contracts.filter(pc.and_(first, own)).sort_by("HTDJBH")
    return found.take(pa.array(range(0, found.num_rows, 3), pa.int64()))
