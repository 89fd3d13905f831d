"""The departments' faults, planted at small seeded rates, each with a line in the truth table.

A record carries at most one planted fault, so that what a correct pipeline concludes is never in doubt. Figures are
never edited in place except where the fault is the figure. `_fate` remembers what becomes of a record: empty = it
counts, else `void`, `duplicate` or `quarantined`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.sandbox.dropfolder import SUM_ROW
from include.sandbox.firms import DEREGISTERED_ON, DISTRICTS, END, Firms
from include.sandbox.lists import HIGH_TECH
from include.sandbox.numbers import dates, moments, stream
from include.sandbox.tax import FORM_ROWS

RESOLVED, QUARANTINED, DUPLICATE = "resolved", "quarantined", "duplicate"
VOID, SUPERSEDED, ARRIVES_LATE = "void", "superseded", "arrives_late"
SHARED, CANCELLED = "shared", "cancelled"

KEYS = {
    "REG_ENT": ("uniscid",),
    "TAX_CIT": ("SBUUID", "BDDM", "EWBHXH"),
    "TAX_RDD": ("SBUUID",),
    "TAX_HNTE": ("SBUUID",),
    "TAX_VAT": ("SBUUID",),
    "TAX_PAY": ("PZXH",),
    "TAX_FIN": ("CWBBUUID",),
    "HR_INS": ("AAB001", "AAE002"),
    "HR_STAFF": ("AAB001", "TJRQ"),
    "IP_PAT": ("PublicationNumber", "UpdateTime"),
    "IP_PCT": ("InternationalNumber", "UpdateTime"),
    "IP_OTHER": ("RecordNumber", "UpdateTime"),
    "STD_CERT": ("recordno", "updatetime"),
    "REG_RISK": ("WSH", "GXSJ"),
    "FIN_EQ": ("JLBH", "GXSJ"),
    "FIN_LOAN": ("银行", "数据月份", "合同编号"),
    "ST_QUAL": ("证书编号", "状态"),
    "ST_PLAT": ("平台编号", "公布日期"),
    "ST_INCUB": ("备案编号", "公布日期"),
    "MIIT_QUAL": ("证书编号", "公布日期"),
    "HR_TALENT": ("证书编号", "公布日期"),
    "ST_CONTRACT": ("HTDJBH", "BGXH"),
    "ST_PROJ": ("项目编号", "公布日期"),
    "ST_AWARD": ("获奖编号", "公布日期"),
    "ST_COOP": ("备案编号", "公布日期"),
    "POL_CASH": ("LSH",),
}
TRUTH = pa.schema(
    [
        pa.field("dataset", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("key", pa.string(), metadata={"is": "native key columns parted by |"}),
        pa.field("uscc", pa.string(), metadata={"is": "the enterprise that it truly concerns"}),
        pa.field("area", pa.string()),
        pa.field("arrived_at", pa.string()),
        pa.field("column", pa.string(), metadata={"is": "the native column that carries the fault"}),
        pa.field("conclusion", pa.string(), metadata={"is": "what a correct pipeline concludes about the record"}),
    ]
)

# kind of quarantine: dataset, column, what stands there
_QUARANTINE = (
    ("negative_amount", "TAX_RDD", "NDYFFYXJ", "-1200.00"),
    ("negative_amount", "TAX_HNTE", "BNGJYFJE", "-800.00"),
    ("unparsable_number", "TAX_VAT", "XSE", "1,234.56"),
    ("unparsable_number", "HR_INS", "CBRS", "十二"),
    ("unparsable_number", "TAX_FIN", "ZCZJ", "#REF!"),
    ("unknown_code", "HR_INS", "AAE140", "999"),
    ("unknown_code", "TAX_PAY", "JLLX", "待核"),
    ("unknown_code", "TAX_VAT", "SBZQ", "旬"),
    ("missing_name", "TAX_RDD", "NSRMC", ""),
    ("missing_name", "HR_STAFF", "AAB004", ""),
    ("missing_name", "TAX_FIN", "NSRMC", ""),
    ("absurd_date", "IP_PCT", "InternationalDate", "2098.13.45"),
    ("absurd_date", "TAX_PAY", "RKRQ", "2026-02-30"),
    ("absurd_date", "HR_STAFF", "TJRQ", "0000-00-00"),
    ("unknown_code", "IP_OTHER", "KindDesc", "其他"),
    ("absurd_date", "IP_OTHER", "RegistrationDate", "2024.13.01"),
    ("unknown_code", "STD_CERT", "recstate", "待定"),
    ("absurd_date", "STD_CERT", "recdate", "2025-02-30"),
    ("absurd_date", "REG_RISK", "JDRQ", "2025-13-01"),
    ("unknown_code", "REG_RISK", "CFCD", "特大"),
    ("missing_name", "REG_RISK", "XDR_MC", ""),
    ("unparsable_number", "FIN_EQ", "SJJE", "约500"),
    ("unknown_code", "FIN_EQ", "TZFLX", "其他机构"),
    ("absurd_date", "FIN_EQ", "FSRQ", "2025-02-30"),
    ("unparsable_number", "FIN_LOAN", "授信额度", "五百"),
    ("absurd_date", "FIN_LOAN", "授信到期日", "2026-02-30"),
    ("unknown_code", "FIN_LOAN", "知识产权质押", "待定"),
    ("unknown_code", "ST_PLAT", "平台级别", "院级"),
    ("absurd_date", "ST_PLAT", "批准日期", "2024-06-31"),
    ("unknown_code", "ST_INCUB", "载体类型", "产业园"),
    ("absurd_date", "ST_INCUB", "起始日期", "二〇二四年"),
    ("unknown_code", "MIIT_QUAL", "认定类型", "其他"),
    ("absurd_date", "MIIT_QUAL", "认定日期", "2024/6"),
    ("unknown_code", "HR_TALENT", "在职状态", "不详"),
    ("absurd_date", "HR_TALENT", "入选日期", "1900-01-00"),
    ("negative_amount", "ST_CONTRACT", "HTCJJE", "-3.5"),
    ("unknown_code", "ST_CONTRACT", "HTLB", "其他合同"),
    ("unknown_code", "ST_PROJ", "级别", "厅局"),
    ("absurd_date", "ST_PROJ", "到期日期", "2026-13-01"),
    ("unknown_code", "ST_AWARD", "等级", "入围"),
    ("unparsable_number", "ST_AWARD", "单位排名", "第一"),
    ("absurd_date", "ST_COOP", "起始日期", "待定"),
    ("unknown_code", "ST_COOP", "合作类型", "其他"),
    ("negative_amount", "POL_CASH", "JE", "-5000.00"),
    ("unknown_code", "POL_CASH", "ZT", "在途"),
)
_NAME_LINGERS = 360 * 86400  # seconds after a renaming in which people still write the former name
_QUARANTINE_RATE = 0.0015  # of a dataset's records, per line above
_CODE_COLUMNS = {
    "TAX_CIT": "SHXYDM",
    "TAX_RDD": "SHXYDM",
    "TAX_HNTE": "SHXYDM",
    "TAX_VAT": "SHXYDM",
    "TAX_PAY": "SHXYDM",
    "TAX_FIN": "SHXYDM",
    "HR_INS": "TYSHXYDM",
    "HR_STAFF": "TYSHXYDM",
    "REG_ENT": "uniscid",
    "STD_CERT": "uniscid",
    "REG_RISK": "XDR_SHXYM",
    "FIN_EQ": "TYSHXYDM",
    "FIN_LOAN": "统一社会信用代码",
    "ST_QUAL": "统一社会信用代码",
    "ST_PLAT": "统一社会信用代码",
    "ST_INCUB": "统一社会信用代码",
    "MIIT_QUAL": "统一社会信用代码",
    "HR_TALENT": "统一社会信用代码",
    "ST_CONTRACT": "YFDM",
    "ST_PROJ": "统一社会信用代码",
    "ST_AWARD": "统一社会信用代码",
    "ST_COOP": "统一社会信用代码",
    "POL_CASH": "SHXYDM",
}
_LARGEST = max(DISTRICTS, key=DISTRICTS.__getitem__)
_ENOUGH = 100  # records of which one may be spoilt without spoiling the snapshot
_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


@dataclass
class Soil:
    """The tables while faults are planted, and the truth lines so far."""

    seed: int
    rate: float
    firms: Firms
    tables: dict[str, pa.Table]
    randoms: dict[str, np.random.Generator] = field(default_factory=dict)
    taken: dict[str, np.ndarray] = field(default_factory=dict)
    lines: list[pa.Table] = field(default_factory=list)

    def random(self, dataset: str) -> np.random.Generator:
        """A stream for each dataset, so that a new one leaves the faults of the others where they were."""
        return self.randoms.setdefault(dataset, stream(self.seed, f"dirt {dataset}"))

    def pick(self, dataset: str, rate: float, among: np.ndarray | None = None) -> np.ndarray:
        """Records that carry no fault yet, sorted. At least one, if dirt is wanted at all and there are a hundred to
        pick from; few ones fall into the largest district, where they are a small share of a snapshot. (A list is one
        snapshot of the whole city.)
        """
        free = ~self._taken(dataset)
        rows = np.flatnonzero(free if among is None else free & among)
        wanted = round(rate * self.rate * len(rows))
        if wanted < len(DISTRICTS):
            if not _is_list(self, dataset):
                rows = rows[pc.equal(self.tables[dataset]["_area"], _LARGEST).to_numpy()[rows]]
            wanted = max(wanted, int(self.rate > 0 and len(rows) >= _ENOUGH))
        wanted = min(wanted, len(rows))
        return self.take(
            dataset, np.sort(self.random(dataset).choice(rows, wanted, replace=False)) if wanted else rows[:0]
        )

    def take(self, dataset: str, rows: np.ndarray) -> np.ndarray:
        """Remember that these records carry a fault."""
        self._taken(dataset)[rows] = True
        return rows

    def _taken(self, dataset: str) -> np.ndarray:
        """Who moved is left alone: the same record stands in two districts and would be spoilt in one."""
        if dataset not in self.taken:
            self.taken[dataset] = ~np.isnat(self.firms.moved_on[self.tables[dataset]["_firm"].to_numpy()])
        return self.taken[dataset]

    def texts(self, dataset: str, column: str, rows: np.ndarray) -> list[str]:
        """What stands in a column at these rows."""
        return self.tables[dataset][column].take(pa.array(rows)).to_pylist()

    def write(self, dataset: str, column: str, rows: np.ndarray, values: list[Any]) -> None:
        """Put `values` into a column at the (sorted) rows."""
        table = self.tables[dataset]
        mask = np.zeros(table.num_rows, dtype=bool)
        mask[rows] = True
        held = table[column].combine_chunks()
        changed = pc.replace_with_mask(held, pa.array(mask), pa.array(values, held.type))
        self.tables[dataset] = table.set_column(table.column_names.index(column), column, changed)

    def append(self, dataset: str, rows: np.ndarray, changes: dict[str, list[Any]]) -> np.ndarray:
        """Copies of records with some columns changed; returns where they stand. They carry a fault by definition."""
        copies = self.tables[dataset].take(pa.array(rows))
        for column, values in changes.items():
            at = copies.column_names.index(column)
            copies = copies.set_column(at, column, pa.array(values, copies.schema.field(at).type))
        first = self.tables[dataset].num_rows
        self.tables[dataset] = pa.concat_tables([self.tables[dataset], copies]).combine_chunks()
        self.taken[dataset] = np.concatenate([self.taken[dataset], np.ones(len(rows), dtype=bool)])
        return np.arange(first, first + len(rows))

    def note(self, dataset: str, kind: str, rows: np.ndarray, column: str, conclusion: str) -> None:
        """One truth line per record, taken from the record as it stands now."""
        part = self.tables[dataset].take(pa.array(rows))
        key = pc.binary_join_element_wise(*(part[name] for name in KEYS[dataset]), "|")
        constant = {"dataset": dataset, "kind": kind, "column": column, "conclusion": conclusion}
        columns = {
            "key": key,
            "uscc": pa.array(self.firms.uscc[part["_firm"].to_numpy()]),
            "area": part["_area"],
            "arrived_at": moments(part["_arrival"].to_numpy().astype("datetime64[s]")),
        } | {name: pa.array([text] * len(rows), pa.string()) for name, text in constant.items()}
        self.lines.append(pa.table({name: columns[name] for name in TRUTH.names}).cast(TRUTH))


def soil(seed: int, firms: Firms, tables: dict[str, pa.Table], rate: float) -> pa.Table:
    """Plant the faults and return the truth table. What is natural in the world is noted even at rate 0.

    `tables` is taken over: each table is replaced in it, so that no second copy of the world stays in memory.
    """
    ground = Soil(seed, rate, firms, tables)
    _late_filings(ground)
    _absurd_patents(ground)
    _corrections(ground)
    _voids(ground)
    _quarantine(ground)
    _codes(ground)
    _names(ground)
    _list_habits(ground)
    _natural(ground)
    _duplicates(ground)
    for name in KEYS:
        tables[name] = tables[name].filter(pc.less(tables[name]["_arrival"], _seconds(END)))
    truth = pa.concat_tables([pa.table({name: [] for name in TRUTH.names}, TRUTH), *ground.lines])
    truth = truth.filter(pc.less(truth["arrived_at"], str(END)))
    order = [(name, "ascending") for name in ("dataset", "kind", "key", "arrived_at", "conclusion")]
    return truth.sort_by(order).combine_chunks()


def _is_list(ground: Soil, dataset: str) -> bool:
    return "_line" in ground.tables[dataset].column_names


def _seconds(day: np.datetime64) -> int:
    return int(day.astype("datetime64[s]").astype(np.int64))


def _width(dataset: str) -> int:
    """Records per filing. A return is one block of form rows, as generated and as copied."""
    return len(FORM_ROWS) if dataset == "TAX_CIT" else 1


def _heads(dataset: str, rows: np.ndarray) -> np.ndarray:
    """Of whole filings the first record each; of a return it is the row 营业收入."""
    return rows[:: _width(dataset)]


def _pick_filings(ground: Soil, dataset: str, rate: float, among: np.ndarray | None = None) -> np.ndarray:
    """Records of whole filings."""
    width = _width(dataset)
    head = np.arange(ground.tables[dataset].num_rows) % width == 0
    heads = ground.pick(dataset, rate, head if among is None else head & among)
    return ground.take(dataset, (heads[:, None] + np.arange(width)).ravel())


def _late_filings(ground: Soil) -> None:
    """Returns that come after 31 May. (The annexes of the same year arrive in time: they are their own records.)"""
    rows = _pick_filings(ground, "TAX_CIT", 0.008)
    heads = _heads("TAX_CIT", rows)
    years = np.array([int(text[:4]) for text in ground.texts("TAX_CIT", "SKSSQQ", heads)], dtype=int)
    days = np.array([f"{year + 1}-06-02" for year in years.tolist()], dtype="datetime64[D]")
    days = days + ground.random("TAX_CIT").integers(0, 140, len(heads)).astype("timedelta64[D]")
    _move(ground, "TAX_CIT", rows, np.repeat(days, len(FORM_ROWS)))
    ground.note("TAX_CIT", "late_filing", heads, "RKSJ", ARRIVES_LATE)


def _move(ground: Soil, dataset: str, rows: np.ndarray, days: np.ndarray) -> None:
    """Let records be filed and arrive on other days, at 10:15."""
    arrival = days.astype("datetime64[s]") + np.timedelta64(10 * 3600 + 900, "s")
    ground.write(dataset, "SBRQ", rows, dates(days).to_pylist())
    ground.write(dataset, "RKSJ", rows, moments(arrival).to_pylist())
    ground.write(dataset, "_arrival", rows, arrival.astype(np.int64).tolist())


def _absurd_patents(ground: Soil) -> None:
    """An application date before the patent law, in every record of the application, so that it is not held at all."""
    table = ground.tables["IP_PAT"]
    patent = table["_patent"].to_numpy()
    chosen = patent[ground.pick("IP_PAT", 0.0015)]
    rows = ground.take("IP_PAT", np.flatnonzero(np.isin(patent, chosen)))
    _spoil(ground, "absurd_date", "IP_PAT", "ApplicationDate", rows, "1900.01.01")


def _spoil(ground: Soil, kind: str, dataset: str, column: str, rows: np.ndarray, text: str) -> None:
    ground.note(dataset, kind, rows, column, QUARANTINED)
    ground.write(dataset, column, rows, [text] * len(rows))
    ground.write(dataset, "_fate", rows, [QUARANTINED] * len(rows))


def _quarantine(ground: Soil) -> None:
    for kind, dataset, column, text in _QUARANTINE:
        _spoil(ground, kind, dataset, column, ground.pick(dataset, _QUARANTINE_RATE), text)
    # Of a return only the revenue row is unreadable; the rest of the filing stands.
    rows = _heads("TAX_CIT", _pick_filings(ground, "TAX_CIT", 2 * _QUARANTINE_RATE))
    _spoil(ground, "unparsable_number", "TAX_CIT", "JE", rows, "—")
    # Only registrations that take no part: a registry row in quarantine hides an enterprise.
    bystanders = ~ground.firms.takes_part[ground.tables["REG_ENT"]["_firm"].to_numpy()]
    _spoil(ground, "unknown_code", "REG_ENT", "regstateCn", ground.pick("REG_ENT", 0.03, bystanders), "状态未知")


_AMOUNT_CORRECTED = {
    "TAX_CIT": ("JE",),
    "TAX_RDD": ("ZZYFXJ", "RYRGFY", "NDYFFYXJ", "FYHJE", "JJKCZE"),
    "TAX_HNTE": ("BNGJYFJE",),
    "TAX_VAT": ("XSE",),
    "TAX_FIN": ("YYSR",),
}
_VOID_COLUMN = {"TAX_CIT": "ZFBZ_1", "TAX_RDD": "ZFBZ", "TAX_HNTE": "ZFBZ", "TAX_VAT": "ZFBZ_1", "TAX_FIN": "ZFBZ_1"}
_ID = {"TAX_CIT": "SBUUID", "TAX_RDD": "SBUUID", "TAX_HNTE": "SBUUID", "TAX_VAT": "SBUUID", "TAX_FIN": "CWBBUUID"}


def _cents(texts: list[str]) -> np.ndarray:
    return np.array([int(text.replace(".", "")) for text in texts], dtype=np.int64)


def _yuan(amounts: np.ndarray) -> list[str]:
    return [f"{'-' if a < 0 else ''}{abs(a) // 100}.{abs(a) % 100:02d}" for a in amounts.tolist()]


def _corrections(ground: Soil) -> None:
    """A first filing with too small a figure, and the true one as a correction two to seven months later."""
    for dataset, columns in _AMOUNT_CORRECTED.items():
        among = np.ones(ground.tables[dataset].num_rows, dtype=bool)
        if dataset == "TAX_RDD":  # what was forgotten is personnel, in cost that was expensed in a year at 100 %
            plain = pc.and_(
                pc.equal(ground.tables[dataset]["ZBHJE"], "0.00"),
                pc.greater_equal(ground.tables[dataset]["SSND"], "2022"),
            )
            among = plain.to_numpy()
        rows = _pick_filings(ground, dataset, 0.008, among)
        copies = _refile(ground, dataset, rows, "01", "N", "1", 60, 200)
        wrong = _heads(dataset, rows)
        base = _cents(ground.texts(dataset, "RYRGFY" if dataset == "TAX_RDD" else columns[0], wrong))
        forgotten = np.abs(base) // 10
        for column in columns:
            held = _cents(ground.texts(dataset, column, wrong))
            ground.write(dataset, column, wrong, _yuan(held - forgotten))
        if dataset == "TAX_RDD":
            wages = np.minimum(_cents(ground.texts(dataset, "GZXJ", wrong)), base - forgotten)
            ground.write(dataset, "GZXJ", wrong, _yuan(wages))
        ground.note(dataset, "corrected_filing", wrong, columns[0], SUPERSEDED)
        ground.note(dataset, "correction", _heads(dataset, copies), columns[0], RESOLVED)


def _voids(ground: Soil) -> None:
    """A filing marked void, entered the day before the one that stands."""
    for dataset in _AMOUNT_CORRECTED:
        rows = _pick_filings(ground, dataset, 0.006)
        copies = _refile(ground, dataset, rows, "99", "Y", "0", -1, 0)
        doubled: np.ndarray = _cents(ground.texts(dataset, _AMOUNT_CORRECTED[dataset][-1], copies)) * 3
        ground.write(dataset, _AMOUNT_CORRECTED[dataset][-1], copies, _yuan(np.abs(doubled)))
        ground.write(dataset, "_fate", copies, [VOID] * len(copies))
        ground.note(dataset, "void_filing", _heads(dataset, copies), _VOID_COLUMN[dataset], VOID)


def _refile(
    ground: Soil, dataset: str, rows: np.ndarray, suffix: str, void: str, correction: str, low: int, high: int
) -> np.ndarray:
    """Copies of filings under another id, `low` to `high` days from the original."""
    width = _width(dataset)
    shift: np.ndarray = np.repeat(ground.random(dataset).integers(low, high, len(rows) // width), width) * 86400
    arrival = ground.tables[dataset]["_arrival"].to_numpy()[rows] + shift
    changes = {
        _ID[dataset]: [text[:-2] + suffix for text in ground.texts(dataset, _ID[dataset], rows)],
        _VOID_COLUMN[dataset]: [void] * len(rows),
        "GZCS": [correction] * len(rows),
        "RKSJ": moments(arrival.astype("datetime64[s]")).to_pylist(),
        "_arrival": arrival.tolist(),
    }
    if "SBRQ" in ground.tables[dataset].column_names:
        changes["SBRQ"] = dates(arrival.astype("datetime64[s]")).to_pylist()
    return ground.append(dataset, rows, changes)


def _codes(ground: Soil) -> None:
    """Blanks, zero-width and full-width characters in codes; no code at all where a taxpayer number or name helps."""
    for dataset, column in _CODE_COLUMNS.items():
        filled = pc.not_equal(ground.tables[dataset][column], "").to_numpy()
        rows = _pick_filings(ground, dataset, 0.005, filled)
        codes = ground.texts(dataset, column, rows)
        ground.write(dataset, column, rows, [_misspelt(code, k // _width(dataset)) for k, code in enumerate(codes)])
        ground.note(dataset, "code_spelling", _heads(dataset, rows), column, RESOLVED)
        if dataset == "REG_ENT" or _is_list(ground, dataset):  # lists lack codes by habit
            continue
        rows = _pick_filings(ground, dataset, 0.008, filled)
        ground.write(dataset, column, rows, [""] * len(rows))
        ground.note(dataset, "missing_code", _heads(dataset, rows), column, RESOLVED)


def _misspelt(code: str, number: int) -> str:
    return (
        code + " ",
        code[:8] + "\u200b" + code[8:],
        code.translate(_FULL_WIDTH),
        " " + code[:9] + " " + code[9:],
    )[number % 4]


def _names(ground: Soil) -> None:
    """Other brackets in names, and the former name in the year after the enterprise got a new one."""
    firms = ground.firms
    brackets = np.array(["（" in name for name in firms.name.tolist()])
    for dataset, columns in {
        "IP_PAT": ("AssigneeStringList", "ApplicantStringList"),
        "ST_QUAL": ("企业名称",),
        "FIN_LOAN": ("企业名称",),
        "ST_CONTRACT": ("YFMC",),
        "ST_PROJ": ("承担单位",),
        "ST_AWARD": ("获奖单位",),
        "ST_COOP": ("企业名称",),
        "HR_INS": ("AAB004",),
        "HR_STAFF": ("AAB004",),
        "IP_OTHER": ("OwnerStringList",),
        "STD_CERT": ("entname",),
        "ST_PLAT": ("企业名称",),
        "ST_INCUB": ("企业名称",),
        "MIIT_QUAL": ("企业名称",),
        "HR_TALENT": ("用人单位",),
    }.items():
        table = ground.tables[dataset]
        firm = table["_firm"].to_numpy()
        own = brackets[firm] & pc.equal(table[columns[0]], table[columns[-1]]).to_numpy()
        rows = ground.pick(dataset, 0.02, own & pc.match_substring(table[columns[0]], "（").to_numpy())
        for column in columns:
            half = [text.replace("（", "(").replace("）", ")") for text in ground.texts(dataset, column, rows)]
            ground.write(dataset, column, rows, half)
        ground.note(dataset, "brackets", rows, columns[0], RESOLVED)

    for dataset, columns in {
        "IP_PAT": ("AssigneeStringList", "ApplicantStringList"),
        "ST_QUAL": ("企业名称",),
        "IP_OTHER": ("OwnerStringList",),
        "STD_CERT": ("entname",),
        "FIN_LOAN": ("企业名称",),
        "ST_PLAT": ("企业名称",),
        "ST_INCUB": ("企业名称",),
        "MIIT_QUAL": ("企业名称",),
        "HR_TALENT": ("用人单位",),
        "ST_CONTRACT": ("YFMC",),
        "ST_PROJ": ("承担单位",),
        "ST_AWARD": ("获奖单位",),
        "ST_COOP": ("企业名称",),
    }.items():
        table = ground.tables[dataset]
        firm = table["_firm"].to_numpy()
        since = table["_arrival"].to_numpy() - firms.renamed_on[firm].astype("datetime64[s]").astype(np.int64)
        renamed_before = ~np.isnat(firms.renamed_on[firm]) & (since > 0) & (since < _NAME_LINGERS)
        current = pc.equal(pc.list_element(pc.split_pattern(table[columns[0]], ";"), 0), pa.array(firms.name[firm]))
        own = pc.equal(table[columns[0]], table[columns[-1]]).to_numpy()
        rows = ground.pick(dataset, 0.3, renamed_before & own & current.to_numpy())
        firm_of = firm[rows].tolist()
        for column in columns:
            texts = ground.texts(dataset, column, rows)
            old = [text.replace(firms.name[f], firms.former_name[f]) for f, text in zip(firm_of, texts, strict=True)]
            ground.write(dataset, column, rows, old)
        ground.note(dataset, "former_name", rows, columns[0], RESOLVED)


def _list_habits(ground: Soil) -> None:
    """A sum row inside some of the CSV lists: the last line of a list is followed by 合计."""
    table = ground.tables["ST_QUAL"]
    published = np.array(table["_published"].to_pylist(), dtype=object)
    high_tech = pc.equal(table["_list"], HIGH_TECH).to_numpy()
    days = sorted(set(published[high_tech].tolist()))
    if ground.rate <= 0 or not days:
        return
    chosen = days[:: max(1, round(8 / ground.rate))]
    rows = np.array([np.flatnonzero(high_tech & (published == day))[-1] for day in chosen])
    blank = [""] * len(rows)
    changes: dict[str, list[Any]] = {name: blank for name in table.column_names if not name.startswith("_")}
    changes["企业名称"] = [SUM_ROW] * len(rows)
    changes["_line"] = [table.num_rows + k for k in range(len(rows))]
    changes["_fate"] = [QUARANTINED] * len(rows)
    copies = ground.append("ST_QUAL", rows, changes)
    ground.note("ST_QUAL", "sum_row", copies, "企业名称", QUARANTINED)


def _natural(ground: Soil) -> None:
    """No faults, but to be understood: co-owners, two insurance units, cancelled certificates, rare characters."""
    firms = ground.firms

    def counts(dataset: str, holds: pa.ChunkedArray) -> np.ndarray:
        return np.flatnonzero(pc.and_(holds, pc.equal(ground.tables[dataset]["_fate"], "")).to_numpy())

    shared = counts("IP_PAT", pc.match_substring(ground.tables["IP_PAT"]["AssigneeStringList"], ";"))
    ground.note("IP_PAT", "co_owned", shared, "AssigneeStringList", SHARED)
    registered = ground.tables["REG_ENT"]
    firm, arrival = registered["_firm"].to_numpy(), registered["_arrival"].to_numpy().astype("datetime64[s]")
    day = arrival.astype("datetime64[D]")
    ground.note("REG_ENT", "moved", np.flatnonzero(firms.moved_on[firm] == day), "mgtarea", RESOLVED)
    gone = (firms.ended[firm] == day) & (day == DEREGISTERED_ON)
    ground.note("REG_ENT", "deregistered", np.flatnonzero(gone), "regstateCn", RESOLVED)
    second = counts("HR_INS", pc.ends_with(ground.tables["HR_INS"]["AAB001"], "2"))
    ground.note("HR_INS", "two_units", second, "AAB001", RESOLVED)
    cancelled = counts("ST_QUAL", pc.equal(ground.tables["ST_QUAL"]["状态"], "取消"))
    ground.note("ST_QUAL", "revoked_certificate", cancelled, "状态", CANCELLED)
    rare = np.array([any(not _in_gbk(c) for c in name) for name in firms.name.tolist()])
    lines = ground.tables["ST_QUAL"]
    listed = rare[lines["_firm"].to_numpy()] & pc.not_equal(lines["企业名称"], SUM_ROW).to_numpy()
    ground.note("ST_QUAL", "rare_characters", np.flatnonzero(listed), "企业名称", RESOLVED)


def _in_gbk(character: str) -> bool:
    try:
        character.encode("gbk")
    except UnicodeEncodeError:
        return False
    return True


def _duplicates(ground: Soil) -> None:
    """The same record twice, to the letter."""
    for dataset in KEYS:
        # One state per enterprise, one number per line of a list: no twin is possible.
        if dataset == "REG_ENT" or _is_list(ground, dataset):
            continue
        rows = ground.pick(dataset, 0.004)
        copies = ground.append(dataset, rows, {"_fate": [DUPLICATE] * len(rows)})
        ground.note(dataset, "duplicate", copies, "", DUPLICATE)
