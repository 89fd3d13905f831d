"""The industry bureau: specialised SMEs, smart and green factories, first sets; withdrawals as later lists."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from include.sandbox.firms import Firms, industries
from include.sandbox.numbers import stream
from include.sandbox.records import Line, listed

SPECIALISED, SMART_GREEN, FIRST_SETS, WITHDRAWN = "专精特新名单", "智改数转名单", "首台套名单", "撤销名单"
_DAY = np.timedelta64(1, "D")
_YEARS = range(2019, 2028)
# recognition, its level, prefix of its certificates, share of enterprises a year, least size, how the end is printed
_LADDER = (
    ("创新型中小企业", "省级", "CX", 0.09, -0.6, True),
    ("专精特新中小企业", "省级", "ZJ", 0.05, 0.0, True),
    ("专精特新小巨人企业", "国家级", "XJR", 0.018, 0.6, False),
    ("制造业单项冠军企业", "国家级", "DX", 0.006, 1.2, False),
)
_FACTORIES = (
    ("智能车间", ("市级", "省级")),
    ("智能工厂", ("市级", "省级", "国家级")),
    ("绿色工厂", ("市级", "省级", "国家级")),
    ("两化融合贯标示范", ("省级", "国家级")),
)
_FIRSTS = (("首台(套)重大装备", "SB"), ("首批次新材料", "CL"), ("首版次软件", "RJ"), ("新技术新产品", "XP"))
_COLUMNS = ("认定类型", "级别", "证书编号", "产品名称", "认定日期", "有效期至", "状态")


def recognition_lists(seed: int, firms: Firms) -> pa.Table:
    """MIIT_QUAL: a list of each kind a year; some recognitions are withdrawn in a later March."""
    random = stream(seed, "recognitions")
    lines: list[Line] = []
    for year in _YEARS:
        here = firms.takes_part & (firms.founded < np.datetime64(f"{year - 2}-01-01")) & firms.research
        lines += _ladder(random, firms, here, year)
        lines += _factories(random, firms, here, year)
        lines += _firsts(random, firms, here, year)
    withdrawn = [_withdrawal(random, line) for line in lines if random.random() < 0.04]
    lines += [line for line in withdrawn if line.published < np.datetime64("2028-01-01")]
    return listed(firms, random, _COLUMNS, lines)


def _line(
    name: str, published: np.datetime64, firm: int, recognition: str, level: str, number: str, product: str, until: str
) -> Line:
    cells = {
        "认定类型": recognition,
        "级别": level,
        "证书编号": number,
        "产品名称": product,
        "认定日期": str(published - 25 * _DAY),
        "有效期至": until,
        "状态": "有效",
    }
    return Line(name, published, firm, cells)


def _ladder(random: np.random.Generator, firms: Firms, here: np.ndarray, year: int) -> list[Line]:
    published = np.datetime64(f"{year}-12-15")
    lines = []
    for recognition, level, prefix, part, least, prints_end in _LADDER:
        until = f"{year + 3}-11-19" if prints_end else ""
        members = np.flatnonzero(here & (firms.size > least) & (random.random(firms.count) < 2 * part))
        lines += [
            _line(SPECIALISED, published, firm, recognition, level, f"{prefix}{year}99{place:04}", "", until)
            for place, firm in enumerate(members.tolist())
        ]
    return lines


def _factories(random: np.random.Generator, firms: Firms, here: np.ndarray, year: int) -> list[Line]:
    published = np.datetime64(f"{year}-08-20")
    makes = (
        here & (firms.size > 0.2) & np.array([profile["section"] == "C" for profile in industries()])[firms.industry]
    )
    lines = []
    for place, firm in enumerate(np.flatnonzero(makes & (random.random(firms.count) < 0.09)).tolist()):
        recognition, levels = _FACTORIES[int(random.integers(0, len(_FACTORIES)))]
        level = levels[int(random.integers(0, len(levels)))]
        lines.append(_line(SMART_GREEN, published, firm, recognition, level, f"ZG{year}99{place:04}", "", ""))
    return lines


def _firsts(random: np.random.Generator, firms: Firms, here: np.ndarray, year: int) -> list[Line]:
    published = np.datetime64(f"{year}-10-25")
    lines = []
    members = np.flatnonzero(here & (firms.size > 0) & (random.random(firms.count) < 0.06))
    for place, firm in enumerate(members.tolist()):
        recognition, prefix = _FIRSTS[int(random.integers(0, len(_FIRSTS)))]
        level = ("市级", "省级", "省级", "国家级")[int(random.integers(0, 4))]
        words = industries()[firms.industry[firm]]["words"]
        number, product = f"{prefix}{year}99{place:04}", f"{words[place % len(words)]}成套{place}号"
        lines.append(_line(FIRST_SETS, published, firm, recognition, level, number, product, ""))
    return lines


def _withdrawal(random: np.random.Generator, line: Line) -> Line:
    year = int(str(line.published)[:4]) + int(random.integers(1, 4))
    return Line(WITHDRAWN, np.datetime64(f"{year}-03-20"), line.firm, line.cells | {"状态": "撤销"})
