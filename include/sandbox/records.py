"""The shape in which departments hold records: native text columns, and what the server needs to select by.

`_area` management area, `_arrival` seconds since 1970 in Shanghai wall time, `_period` the business period's first day
as text (empty = none), `_firm` the enterprise's number in the world, `_fate` what becomes of the record, both
for the truth tables. No column that begins with `_` is served.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from include.sandbox.firms import END, Firms
from include.sandbox.numbers import Text, dates, integers, joined

# What the server selects by.
HIDDEN = ("_area", "_arrival", "_period", "_firm")


@dataclass(frozen=True)
class Resource:
    """One dataset as a department serves it: over which department, under which path, keyed by what."""

    dataset: str
    department: str
    path: str
    key: tuple[str, ...]
    numeric: frozenset[str] = frozenset()


RESOURCES = {
    resource.dataset: resource
    for resource in (
        Resource("REG_ENT", "registry", "enterprises", ("uniscid",), frozenset({"estdate"})),
        Resource("TAX_RDD", "tax", "rd-deduction", ("SBUUID",)),
        Resource("TAX_HNTE", "tax", "high-tech", ("SBUUID",)),
        Resource("ST_CONTRACT", "market", "contracts", ("HTDJBH", "BGXH"), frozenset({"BGXH"})),
        Resource("IP_PAT", "ip", "patents", ("PublicationNumber",)),
        Resource("IP_PCT", "ip", "pct", ("InternationalNumber",)),
        Resource("IP_OTHER", "ip", "other-rights", ("RecordNumber",)),
        Resource("STD_CERT", "registry", "certificates", ("recordno",)),
        Resource("HR_INS", "hr", "insured", ("AAB001", "AAE002"), frozenset({"CBRS", "NCZCRS", "YJBYSRS"})),
        Resource(
            "HR_STAFF",
            "hr",
            "staff",
            ("AAB001", "TJRQ"),
            frozenset({"ZCRS", "BKJYS", "SSRS", "BSRS", "ZGJZC", "GJGJYS", "YFGWRS", "YFSSRS", "YFBSRS"}),
        ),
        Resource("REG_RISK", "credit", "records", ("WSH", "GXSJ")),
        Resource("FIN_EQ", "finance", "equity", ("JLBH", "GXSJ")),
    )
}


def table(
    firms: Firms,
    firm: np.ndarray,
    arrival: np.ndarray,
    columns: dict[str, Text],
    period: Text | None,
    district: np.ndarray | None = None,
) -> pa.Table:
    """Native columns plus the hidden ones, in the enterprise's own district unless another is given.

    Records that would arrive after the world's end do not exist.
    """
    hidden = {
        "_area": pa.array(firms.district[firm] if district is None else district),
        "_arrival": pa.array(arrival.astype("datetime64[s]").astype(np.int64)),
        "_period": period if period is not None else pa.array([""] * len(firm)),
        "_firm": pa.array(firm.astype(np.int32)),
        "_fate": pa.array([""] * len(firm)),
    }
    built = pa.table({**columns, **hidden})
    # A column without a row has no type of its own: it is text as well.
    types = [(field.name, pa.string() if pa.types.is_null(field.type) else field.type) for field in built.schema]
    built = built.cast(pa.schema(types))
    return built.filter(pa.array(arrival < END.astype("datetime64[s]")))


@dataclass(frozen=True)
class Line:
    """One line of a published list: of which list, about which enterprise, in what words of the department."""

    list: str
    published: np.datetime64
    firm: int
    cells: dict[str, str]


def listed(
    firms: Firms,
    random: np.random.Generator,
    columns: tuple[str, ...],
    lines: list[Line],
    name: str = "企业名称",
    with_code: float = 0.6,
) -> pa.Table:
    """Lines as a table that is handed over in a drop folder: the enterprise by its name of the day, and a part of them
    by its code too; `_list`, `_published` and `_line` say where in which file a line stands.
    """
    firm = np.array([line.firm for line in lines], dtype=np.int64)
    published = np.array([line.published for line in lines], dtype="datetime64[D]")
    coded = random.random(len(lines)) < with_code
    held = {
        name: name_on(firms, firm, published),
        "统一社会信用代码": pa.array(np.where(coded, firms.uscc[firm], "").astype(object), pa.string()),
        **{column: pa.array([line.cells[column] for line in lines], pa.string()) for column in columns},
        "公布日期": dates(published),
    }
    hidden = {
        "_list": pa.array([line.list for line in lines]),
        "_published": dates(published),
        "_line": pa.array(np.arange(len(lines))),
    }
    return table(firms, firm, published.astype("datetime64[s]"), held | hidden, None)


def name_on(firms: Firms, firm: np.ndarray, days: np.ndarray) -> pa.Array:
    """The enterprise's name on a day."""
    later = ~np.isnat(firms.renamed_on[firm]) & (firms.renamed_on[firm] > days)
    return pa.array(np.where(later, firms.former_name[firm], firms.name[firm]), pa.string())


def taxpayer(firms: Firms, firm: np.ndarray, days: np.ndarray) -> dict[str, Text]:
    """The three columns by which the tax bureau names an enterprise."""
    code = pa.array(firms.uscc).take(pa.array(firm))
    return {"NSRSBH": code, "SHXYDM": code, "NSRMC": name_on(firms, firm, days)}


def identifier(prefix: str, firm: np.ndarray, *parts: Text) -> pa.Array:
    """A record's own id: prefix, enterprise number, what else makes it unique."""
    return joined(prefix, integers(firm, 6), *parts)


def dotted(days: np.ndarray) -> pa.Array:
    """The patent office's `2026.06.15`."""
    return pa.compute.replace_substring(dates(days), "-", ".")
