"""The talent office: selections into plans, work permits, returnees; a yearly check of who is still there."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from include.sandbox.firms import Firms
from include.sandbox.naming import person
from include.sandbox.numbers import stream
from include.sandbox.records import Line, listed

SELECTED, CHECKED = "人才名单", "核验名单"
# kind, share of selections, years of validity (0 = no end is printed)
_KINDS = (
    ("国家级人才计划", 0.05, 5),
    ("省级人才计划", 0.14, 5),
    ("市级领军人才", 0.26, 3),
    ("区级人才项目", 0.2, 3),
    ("外国专家工作许可", 0.12, 2),
    ("留学归国人员", 0.23, 0),
)
_YEARS = range(2018, 2028)
_COLUMNS = (
    "姓名",
    "证件号码",
    "联系电话",
    "人才类别",
    "证书编号",
    "学历认证",
    "入选日期",
    "有效期至",
    "在职状态",
    "状态",
)


def talent_lists(seed: int, firms: Firms) -> pa.Table:
    """HR_TALENT: a list every September, and every April the check of some earlier selections."""
    random = stream(seed, "talent")
    rate = np.clip(0.06 + 0.13 * firms.size, 0.01, 0.6) * firms.research
    lines: list[Line] = []
    for year in _YEARS:
        here = firms.founded < np.datetime64(f"{year}-01-01")
        count = np.asarray(random.poisson(rate * here))
        for firm in np.flatnonzero(count).tolist():
            for place in range(int(count[firm])):
                lines += _selection(random, firm, year, place)
    return listed(firms, random, _COLUMNS, lines, name="用人单位", with_code=0.7)


def _selection(random: np.random.Generator, firm: int, year: int, place: int) -> list[Line]:
    """One certificate: the list that grants it, and the checks that follow while the person is there."""
    kind, _, years = _KINDS[int(random.choice(len(_KINDS), p=[share for _, share, _ in _KINDS]))]
    # A small circle in each enterprise, so that one person is found in several plans.
    name = person(firm * 53 + int(random.integers(0, 12)))
    cells = {
        "姓名": name,
        "证件号码": f"XX{year}{firm:06}{place:02}",
        "联系电话": "",
        "人才类别": kind,
        "证书编号": f"RC{year}99{firm:06}{place:02}",
        "学历认证": ("是" if random.random() < 0.8 else "否") if kind == "留学归国人员" else "",
        "入选日期": f"{year}-08-{int(random.integers(1, 29)):02}",
        "有效期至": f"{year + years}-08-31" if years else "",
        "在职状态": "在职参保" if random.random() < 0.9 else "在职未参保",
        "状态": "有效",
    }
    lines = [Line(SELECTED, np.datetime64(f"{year}-09-10"), firm, cells)]
    for checked in range(year + 1, min(year + 4, _YEARS.stop)):
        if random.random() < 0.2:
            fate = random.random()
            found = {"在职状态": "离职"} if fate < 0.4 else {"状态": "取消"} if fate < 0.5 else {"在职状态": "在职参保"}
            lines.append(Line(CHECKED, np.datetime64(f"{checked}-04-18"), firm, cells | found))
            if fate < 0.5:
                break
    return lines
