"""The science bureau's platforms and incubators: lists by batch; appraisals, graduations, cancellations come later."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from include.sandbox.firms import Firms, industries
from include.sandbox.naming import INSTITUTIONS
from include.sandbox.numbers import stream
from include.sandbox.records import Line, listed

APPROVED, APPRAISED, CANCELLED = "平台名单", "平台考评", "平台撤销"
PLATFORM_LISTS = {APPROVED: "创新平台认定名单", APPRAISED: "创新平台绩效考评结果", CANCELLED: "撤销创新平台名单"}
TENANTS, CARRIERS = "入驻名单", "载体名单"
_KINDS = (
    "工程技术研究中心", "企业技术中心", "重点实验室", "工程研究中心", "工业设计中心", "研究生工作站",
    "博士后创新实践基地", "博士后科研工作站", "院士工作站", "外国专家工作室", "联合实验室", "联合创新中心",
)  # fmt: skip
_KIND_SHARES = (0.26, 0.2, 0.06, 0.08, 0.05, 0.12, 0.05, 0.03, 0.03, 0.04, 0.05, 0.03)
# level, share, month and day of its yearly list, years of validity (0 = no end is printed)
_LEVELS = (
    ("区级", 0.36, "04-28", 5),
    ("市级", 0.36, "06-30", 5),
    ("省级", 0.23, "09-29", 0),
    ("国家级", 0.05, "12-28", 0),
)
_RESULTS, _RESULT_SHARES = ("优秀", "良好", "合格", "不合格"), (0.2, 0.36, 0.38, 0.06)
_FIRST, _LAST = 2015, 2027
_DAY = np.timedelta64(1, "D")
_PLATFORM_COLUMNS = (
    "平台名称",
    "平台编号",
    "平台类型",
    "平台级别",
    "共建单位",
    "批准日期",
    "有效期至",
    "考评年度",
    "考评结果",
    "状态",
)


def platform_lists(seed: int, firms: Firms) -> pa.Table:
    """ST_PLAT: approvals, yearly appraisals, risings to a higher level under the same name, cancellations."""
    random = stream(seed, "platforms")
    count = np.asarray(random.poisson(np.clip(0.5 + 0.6 * firms.size, 0.05, 2.5) * firms.research))
    lines: list[Line] = []
    for firm in np.flatnonzero(count).tolist():
        for place in range(int(count[firm])):
            year = int(random.integers(_FIRST, _LAST + 1))
            level = int(random.choice(len(_LEVELS), p=[level[1] for level in _LEVELS]))
            if firms.founded[firm] < np.datetime64(f"{year}-01-01"):
                lines += _life(random, firms, firm, place, year, level)
    return listed(firms, random, _PLATFORM_COLUMNS, lines)


def _life(random: np.random.Generator, firms: Firms, firm: int, place: int, year: int, level: int) -> list[Line]:
    """One platform's lines; a city platform may rise to a provincial one, which is approved under its own number."""
    kind = _KINDS[int(random.choice(len(_KINDS), p=_KIND_SHARES))]
    words = industries()[firms.industry[firm]]["words"]
    partner = INSTITUTIONS[int(random.integers(0, len(INSTITUTIONS)))] if kind.startswith("联合") else ""
    cells = {
        "平台名称": f"{words[place % len(words)]}{'' if place < len(words) else place}{kind}",
        "平台编号": f"PT{level + 1}{year}99{firm:06}{place}",
        "平台类型": kind,
        "平台级别": _LEVELS[level][0],
        "共建单位": partner,
    }
    lines = _standing(random, firm, cells, year, level)
    rises = level == 1 and random.random() < 0.35 and year + 2 <= _LAST
    if rises:
        risen = cells | {"平台编号": f"PT3{year + 2}99{firm:06}{place}", "平台级别": "省级"}
        lines += _standing(random, firm, risen, year + 2, 2)
    return lines


def _standing(random: np.random.Generator, firm: int, cells: dict[str, str], year: int, level: int) -> list[Line]:
    """Approval, appraisals while it stands, and for a few the cancellation."""
    _, _, day, years = _LEVELS[level]
    published = np.datetime64(f"{year}-{day}")
    approved = published - int(random.integers(12, 40)) * _DAY
    until = np.datetime64(f"{year + years}-{day}") if years else None
    dated = cells | {"批准日期": str(approved), "有效期至": str(until) if until else ""}
    gone = year + int(random.integers(1, 6)) if random.random() < 0.06 else _LAST + 1
    plain = dated | {"考评年度": "", "考评结果": "", "状态": "有效"}
    lines = [Line(APPROVED, published, firm, plain)]
    for appraised in range(year + 2, min(gone, _LAST + 1)):
        if random.random() < 0.35 and (until is None or appraised <= year + years):
            result = _RESULTS[int(random.choice(len(_RESULTS), p=_RESULT_SHARES))]
            judged = plain | {"考评年度": str(appraised), "考评结果": result}
            lines.append(Line(APPRAISED, np.datetime64(f"{appraised}-11-12"), firm, judged))
    if gone <= _LAST:
        lines.append(Line(CANCELLED, np.datetime64(f"{gone}-05-30"), firm, plain | {"状态": "取消"}))
    return lines


_CARRIERS = (("众创空间", 0.3), ("孵化器", 0.45), ("加速器", 0.15), ("中试基地", 0.05), ("概念验证中心", 0.05))
_CARRIER_LEVELS, _CARRIER_SHARES = ("区级", "市级", "省级", "国家级"), (0.15, 0.4, 0.3, 0.15)
_PARKS = ("云溪", "清渚", "东渚", "栖霞湾", "澜湖", "南栖")
_CARRIER_COLUMNS = ("载体名称", "备案编号", "载体类型", "载体级别", "关系", "起始日期", "截止日期", "毕业日期", "状态")


def incubator_lists(seed: int, firms: Firms) -> pa.Table:
    """ST_INCUB: young enterprises as tenants, who graduate or leave; large ones that operate a carrier."""
    random = stream(seed, "incubators")
    founded: np.ndarray = firms.founded.astype("datetime64[Y]").astype(int) + 1970
    lines: list[Line] = []
    tenant = (random.random(firms.count) < 0.42) & (firms.size < 0.8) & (founded >= 2012)
    for firm in np.flatnonzero(tenant).tolist():
        lines += _tenancy(random, firm, int(founded[firm]) + int(random.integers(1, 3)))
    operator = (random.random(firms.count) < 0.06) & (firms.size > 0.2)
    for firm in np.flatnonzero(operator).tolist():
        lines += _operation(random, firm, max(int(founded[firm]) + 2, int(random.integers(2014, 2026))))
    lines = [line for line in lines if line.published < np.datetime64(f"{_LAST + 1}-01-01")]
    return listed(firms, random, _CARRIER_COLUMNS, lines)


def _carrier(random: np.random.Generator, number: str, relation: str) -> dict[str, str]:
    kind = _CARRIERS[int(random.choice(len(_CARRIERS), p=[share for _, share in _CARRIERS]))][0]
    level = _CARRIER_LEVELS[int(random.choice(len(_CARRIER_LEVELS), p=_CARRIER_SHARES))]
    park = _PARKS[int(random.integers(0, len(_PARKS)))]
    return {
        "载体名称": f"龙城{park}{kind}",
        "备案编号": number,
        "载体类型": kind,
        "载体级别": level,
        "关系": relation,
    }


def _tenancy(random: np.random.Generator, firm: int, year: int) -> list[Line]:
    since = np.datetime64(f"{year}-01-01") + int(random.integers(0, 180)) * _DAY
    until = since + 5 * 365 * _DAY
    cells = _carrier(random, f"ZF{year}99{firm:06}", "入驻") | {
        "起始日期": str(since),
        "截止日期": str(until),
        "毕业日期": "",
        "状态": "有效",
    }
    lines = [Line(TENANTS, np.datetime64(f"{year}-10-20"), firm, cells)]
    fate = random.random()
    later = year + int(random.integers(2, 5))
    if fate < 0.45:
        graduated = {"毕业日期": f"{later}-06-{int(random.integers(1, 29)):02}"}
        lines.append(Line(TENANTS, np.datetime64(f"{later}-10-20"), firm, cells | graduated))
    elif fate < 0.6:
        lines.append(Line(TENANTS, np.datetime64(f"{later}-10-20"), firm, cells | {"状态": "退出"}))
    return lines


def _operation(random: np.random.Generator, firm: int, year: int) -> list[Line]:
    cells = _carrier(random, f"ZT{year}99{firm:06}", "运营") | {
        "起始日期": f"{year}-07-{int(random.integers(1, 29)):02}",
        "截止日期": "",
        "毕业日期": "",
        "状态": "有效",
    }
    lines = [Line(CARRIERS, np.datetime64(f"{year}-08-30"), firm, cells)]
    if random.random() < 0.1:
        lines.append(Line(CARRIERS, np.datetime64(f"{year + 3}-08-30"), firm, cells | {"状态": "取消"}))
    return lines
