"""Spoilt cells: texts that a contract alone can refuse."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from include.sandbox.dirt.fields import FIELDS
from include.sandbox.dirt.ground import QUARANTINED, Ground
from include.sandbox.dropfolder import SUM_ROW

# Dataset → the columns that are spoilt, and what then stands there: no number, no day, no known code, nothing at all.
UNREADABLE: dict[str, tuple[tuple[str, str], ...]] = {
    "REG_ENT": (("regstateCn", "状态未知"),),
    "TAX_CIT": (("JE", "—"),),
    "TAX_RDD": (("NSRMC", ""),),
    "TAX_VAT": (("XSE", "1,234.56"), ("SBZQ", "旬")),
    "TAX_PAY": (("JLLX", "待核"), ("RKRQ", "2026-02-30")),
    "TAX_FIN": (("ZCZJ", "#REF!"), ("NSRMC", "")),
    "HR_INS": (("CBRS", "十二"), ("AAE140", "999")),
    "HR_STAFF": (("AAB004", ""), ("TJRQ", "0000-00-00")),
    "IP_PAT": (("ApplicationDate", "1900.01.01"),),
    "IP_PCT": (("InternationalDate", "2098.13.45"),),
    "IP_OTHER": (("KindDesc", "其他"), ("RegistrationDate", "2024.13.01")),
    "STD_CERT": (("recstate", "待定"), ("recdate", "2025-02-30")),
    "REG_RISK": (("JDRQ", "2025-13-01"), ("CFCD", "特大"), ("XDR_MC", "")),
    "FIN_EQ": (("SJJE", "约500"), ("TZFLX", "其他机构"), ("FSRQ", "2025-02-30")),
    "FIN_LOAN": (("授信额度", "五百"), ("授信到期日", "2026-02-30"), ("知识产权质押", "待定")),
    "ST_PLAT": (("平台级别", "院级"), ("批准日期", "2024-06-31")),
    "ST_INCUB": (("载体类型", "产业园"), ("起始日期", "二〇二四年")),
    "MIIT_QUAL": (("认定类型", "其他"), ("认定日期", "2024/6")),
    "HR_TALENT": (("在职状态", "不详"), ("入选日期", "1900-01-00")),
    "ST_CONTRACT": (("HTLB", "其他合同"),),
    "ST_PROJ": (("级别", "厅局"), ("到期日期", "2026-13-01")),
    "ST_AWARD": (("等级", "入围"), ("单位排名", "第一")),
    "ST_COOP": (("起始日期", "待定"), ("合作类型", "其他")),
    "POL_CASH": (("ZT", "在途"),),
}
# Dataset → columns of amounts or heads that are never below zero.
NEGATIVE = {
    "TAX_RDD": ("NDYFFYXJ", "-1200.00"),
    "TAX_HNTE": ("BNGJYFJE", "-800.00"),
    "ST_CONTRACT": ("HTCJJE", "-3.5"),
    "POL_CASH": ("JE", "-5000.00"),
}


def unreadable(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """One of the dataset's columns, by lot."""
    choices = UNREADABLE[dataset]
    chosen = np.floor(lots[rows] * len(choices)).astype(int)
    for place, (column, text) in enumerate(choices):
        here = rows[chosen == place]
        ground.spoil(kind, dataset, column, here, [text] * len(here))


def negative(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """Below zero where nothing is."""
    column, text = NEGATIVE[dataset]
    ground.spoil(kind, dataset, column, rows, [text] * len(rows))


def last_lines(ground: Ground, dataset: str) -> np.ndarray:
    """The last line of each CSV list."""
    table = ground.tables[dataset]
    lists = table["_list"].to_pylist()
    last = {
        (name, day): row for row, (name, day) in enumerate(zip(lists, table["_published"].to_pylist(), strict=True))
    }
    wanted = np.zeros(table.num_rows, dtype=bool)
    wanted[[row for (name, _), row in last.items() if name in FIELDS[dataset].csv]] = True
    return wanted


def sum_rows(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """The last line of a list is followed by 合计, which repeats its number."""
    table = ground.tables[dataset]
    blank = [""] * len(rows)
    changes = {name: blank for name in table.column_names if not name.startswith("_")}
    changes[FIELDS[dataset].names[0]] = [SUM_ROW] * len(rows)
    lines = (pc.max(table["_line"]).as_py() + 1 + np.arange(len(rows))).tolist()
    copies = ground.append(dataset, rows, changes | {"_line": lines, "_fate": [QUARANTINED] * len(rows)})
    ground.note(kind, dataset, copies, FIELDS[dataset].names[0], QUARANTINED, blank)
