"""Which of a dataset's native columns a fault may fall on, and how the dataset is asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fields:
    """One dataset. `code` "" = it carries none; `names` agree where the enterprise stands alone; `day` = a date of the
    business, "" = none that may be spelt otherwise (a front-end database selects by its date's text); `filing` =
    (number, void flag) of what can be filed again; `csv` = the lists of it that are CSV files.
    """

    key: tuple[str, ...]
    names: tuple[str, ...]
    code: str = ""
    day: str = ""
    city: bool = False
    filing: tuple[str, str] = ("", "")
    csv: tuple[str, ...] = ()


_LIST_CODE = "统一社会信用代码"
FIELDS = {
    "REG_ENT": Fields(("uniscid",), ("entname",), "uniscid"),
    "TAX_CIT": Fields(("SBUUID", "BDDM", "EWBHXH"), ("NSRMC",), "SHXYDM", filing=("SBUUID", "ZFBZ_1")),
    "TAX_RDD": Fields(("SBUUID",), ("NSRMC",), "SHXYDM", "SBRQ", filing=("SBUUID", "ZFBZ")),
    "TAX_HNTE": Fields(("SBUUID",), ("NSRMC",), "SHXYDM", "SBRQ", filing=("SBUUID", "ZFBZ")),
    "TAX_VAT": Fields(("SBUUID",), ("NSRMC",), "SHXYDM", "SBRQ", filing=("SBUUID", "ZFBZ_1")),
    "TAX_PAY": Fields(("PZXH",), ("NSRMC",), "SHXYDM"),
    "TAX_FIN": Fields(("CWBBUUID",), ("NSRMC",), "SHXYDM", filing=("CWBBUUID", "ZFBZ_1")),
    "HR_INS": Fields(("AAB001", "AAE002"), ("AAB004",), "TYSHXYDM"),
    "HR_STAFF": Fields(("AAB001", "TJRQ"), ("AAB004",), "TYSHXYDM"),
    "IP_PAT": Fields(
        ("PublicationNumber", "UpdateTime"),
        ("AssigneeStringList", "ApplicantStringList"),
        day="ApplicationDate",
        city=True,
    ),
    "IP_PCT": Fields(
        ("InternationalNumber", "UpdateTime"), ("ApplicantStringList",), day="InternationalDate", city=True
    ),
    "IP_OTHER": Fields(("RecordNumber", "UpdateTime"), ("OwnerStringList",), day="RegistrationDate", city=True),
    "STD_CERT": Fields(("recordno", "updatetime"), ("entname",), "uniscid", "recdate", city=True),
    "REG_RISK": Fields(("WSH", "GXSJ"), ("XDR_MC",), "XDR_SHXYM", "JDRQ", city=True),
    "FIN_EQ": Fields(("JLBH", "GXSJ"), ("QYMC",), "TYSHXYDM", "FSRQ", city=True),
    "FIN_LOAN": Fields(("银行", "数据月份", "合同编号"), ("企业名称",), _LIST_CODE, city=True),
    "ST_QUAL": Fields(("证书编号", "状态"), ("企业名称",), _LIST_CODE, "发证日期", city=True, csv=("高企名单",)),
    "ST_PLAT": Fields(("平台编号", "公布日期"), ("企业名称",), _LIST_CODE, "批准日期", city=True),
    "ST_INCUB": Fields(("备案编号", "公布日期"), ("企业名称",), _LIST_CODE, "起始日期", city=True),
    "MIIT_QUAL": Fields(("证书编号", "公布日期"), ("企业名称",), _LIST_CODE, "认定日期", city=True),
    "HR_TALENT": Fields(("证书编号", "公布日期"), ("用人单位",), _LIST_CODE, "入选日期", city=True),
    "ST_CONTRACT": Fields(("HTDJBH", "BGXH"), ("YFMC",), "YFDM", "QDRQ", city=True),
    "ST_PROJ": Fields(("项目编号", "承担单位", "公布日期"), ("承担单位",), _LIST_CODE, "立项日期", city=True),
    "ST_AWARD": Fields(("获奖编号", "获奖单位", "公布日期"), ("获奖单位",), _LIST_CODE, "授奖日期", city=True),
    "ST_COOP": Fields(("备案编号", "企业名称", "公布日期"), ("企业名称",), _LIST_CODE, "起始日期", city=True),
    "POL_CASH": Fields(("LSH",), ("QYMC",), "SHXYDM"),
}
