"""Six partner banks: every month a statement of all science credit contracts, each bank in its own words and form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from include.sandbox.firms import Firms
from include.sandbox.numbers import dates, exp, integers, joined, stream
from include.sandbox.records import name_on, table

_DAY = np.timedelta64(1, "D")
FIELDS = (
    "数据月份", "报送日期", "合同编号", "企业名称", "统一社会信用代码", "产品", "授信额度", "授信到期日", "贷款余额",
    "放款日期", "发放金额", "知识产权质押", "质押登记号",
)  # fmt: skip
SUMMED = "贷款余额"
_PRODUCTS = ("科创积分贷", "创新贷", "苏科贷", "知识产权质押贷", "流动资金贷款")
_PRODUCT_SHARES = (0.32, 0.2, 0.18, 0.12, 0.18)


@dataclass(frozen=True)
class Bank:
    """How a bank writes its statement. `titles` are its own words for `FIELDS`; "" = it never says that."""

    name: str
    prefix: str
    file: str
    since: str  # its first statement is of this month
    reports_on: int  # day of the following month
    titles: tuple[str, ...]
    title: tuple[str, ...] = ()
    groups: tuple[tuple[int, int, str], ...] = ()
    total: bool = False
    csv: bool = False


BANKS = (
    Bank(
        "中国银行", "BOC", "中国银行科技信贷月报", "2023-11", 6,
        ("报表月份", "制表日期", "协议号", "客户名称", "", "贷款品种", "授信总额（万元）", "授信到期日",
         "期末余额（万元）", "起息日", "累计发放（万元）", "是否知识产权质押", "质押登记编号"),
        title=("中国银行常州分行科技信贷月报",), total=True,
    ),
    Bank(
        "邮储银行", "PSBC", "邮储银行_科创贷款", "2025-06", 8,
        ("统计月", "报送日", "借据合同号", "借款人", "", "产品名称", "额度(万元)", "额度到期", "余额(万元)", "放款日",
         "放款额(万元)", "知识产权质押", "登记号"),
    ),
    Bank(
        "江苏银行", "JSB", "江苏银行_苏科信贷", "2023-11", 5,
        ("月份", "上报日期", "合同号", "企业名称", "", "产品", "授信金额", "授信有效期至", "贷款余额", "最近放款日",
         "发放金额", "知产质押", "质押登记号"),
        title=("苏科信贷统计表（单位：万元）",), total=True,
        groups=((3, 5, "合同"), (6, 10, "授信与用信"), (11, 12, "知识产权")),
    ),
    Bank(
        "南京银行", "NJB", "南京银行_KJXD", "2025-06", 9,
        ("DATA_MONTH", "RPT_DATE", "CONT_NO", "CUST_NAME", "", "PROD_NAME", "CRDT_AMT_W", "CRDT_DUE", "BAL_W",
         "GRANT_DATE", "GRANT_AMT_W", "IP_PLEDGE", "PLEDGE_NO"),
        csv=True,
    ),
    Bank(
        "上海银行", "BOSC", "上海银行科技金融统计表", "2025-06", 10,
        ("期次", "填报日期", "授信编号", "授信客户", "", "授信产品", "授信额度/万元", "到期日", "用信余额/万元",
         "首次用信日", "用信发生额/万元", "含知识产权质押", "质押登记"),
        title=("科技金融统计表", "单位：万元"), total=True,
    ),
    Bank(
        "江南农商行", "JNRC", "江南农商行_科技贷款", "2025-06", 7,
        ("数据月份", "报送日期", "合同编号", "企业名称", "证件号码", "贷款产品", "授信额度（万元）", "授信到期",
         "贷款余额（万元）", "发放日期", "发放额（万元）", "知识产权质押标志", "质押登记号"),
        title=("江南农村商业银行科技贷款明细",), total=True,
    ),
)  # fmt: skip
MONTHS = np.arange(np.datetime64("2023-11"), np.datetime64("2027-12"))


def statements(seed: int, firms: Firms) -> pa.Table:
    """FIN_LOAN: every bank's every statement, row by row, in the contract's words; amounts in 万元.

    A contract stands in the statements from its first month until twelve months after its line has run out. The loan is
    paid out a few days after signing, half of it comes back at half-time, the rest at the end.
    """
    random = stream(seed, "banks")
    n = firms.count
    borrows = firms.takes_part & (random.random(n) < np.clip(0.2 + 0.08 * firms.size, 0.04, 0.5))
    firm: np.ndarray = np.repeat(np.flatnonzero(borrows), random.integers(1, 5, int(borrows.sum())))
    count = len(firm)
    bank = random.integers(0, len(BANKS), count)
    signed = np.datetime64("2022-03-01") + random.integers(0, 1980, count).astype("timedelta64[D]")
    signed = np.maximum(signed, firms.founded[firm] + 200 * _DAY)
    line = np.maximum(np.rint(exp(5.3 + 0.6 * firms.size[firm] + 0.5 * random.normal(size=count)) / 10) * 10, 50)
    until = signed + 365 * random.integers(1, 4, count) * _DAY
    drawn = random.choice([0.0, 0.5, 0.8, 1.0], count, p=[0.15, 0.25, 0.3, 0.3])
    hundredths = np.rint(line * drawn * 100).astype(np.int64)  # of 万元
    paid_out = signed + random.integers(2, 40, count) * _DAY
    tenor = 30 * random.integers(6, 25, count) * _DAY
    product = random.choice(_PRODUCTS, count, p=_PRODUCT_SHARES).astype(object)
    pledged = (product == "知识产权质押贷") | (random.random(count) < 0.06)
    registered = pledged & (random.random(count) < 0.85)
    year = signed.astype("datetime64[Y]").astype(int) + 1970
    prefixes = np.array([one.prefix for one in BANKS], dtype=object)
    number = joined(pa.array(prefixes[bank]), integers(year), "99", integers(np.arange(count) + 1, 6))
    registration = joined("Y", integers(year), "9899", integers(np.arange(count) + 1, 6))
    registration = np.where(registered, np.array(registration.to_pylist(), dtype=object), "")

    since = np.array([np.datetime64(one.since) for one in BANKS])[bank]
    end = (MONTHS + 1).astype("datetime64[D]") - _DAY
    listed = (signed[:, None] <= end) & (until[:, None] + 365 * _DAY > end) & (since[:, None] <= MONTHS)
    row, month = np.nonzero(listed)
    order = np.lexsort((row, bank[row], month))
    row, month = row[order], month[order]
    paid = paid_out[row] <= end[month]
    half, over = end[month] >= (paid_out + tenor // 2)[row], end[month] >= (paid_out + tenor)[row]
    balance = np.where(over, 0, np.where(half, hundredths[row] // 2, hundredths[row])) * paid
    reported = end[month] + np.array([one.reports_on for one in BANKS])[bank[row]] * _DAY
    says_code = np.array([bool(one.titles[FIELDS.index("统一社会信用代码")]) for one in BANKS])[bank[row]]
    granted = paid & (hundredths[row] > 0)
    columns = {
        "银行": pa.array(np.array([one.name for one in BANKS], dtype=object)[bank[row]]),
        "数据月份": pa.array(np.datetime_as_string(MONTHS[month]).astype(object)),
        "报送日期": dates(reported),
        "合同编号": number.take(pa.array(row)),
        "企业名称": name_on(firms, firm[row], signed[row]),
        "统一社会信用代码": pa.array(np.where(says_code, firms.uscc[firm[row]], "").astype(object)),
        "产品": pa.array(product[row]),
        "授信额度": _in_hundredths(np.rint(line * 100).astype(np.int64)[row]),
        "授信到期日": dates(until[row]),
        "贷款余额": _in_hundredths(balance),
        "放款日期": pa.compute.if_else(pa.array(granted), dates(paid_out[row]), ""),
        "发放金额": pa.compute.if_else(pa.array(granted), _in_hundredths(hundredths[row]), ""),
        "知识产权质押": pa.array(np.where(pledged[row], "是", "否").astype(object)),
        "质押登记号": pa.array(registration[row]),
    }
    return table(firms, firm[row], reported.astype("datetime64[s]"), columns, None)


def _in_hundredths(amounts: np.ndarray) -> pa.Array:
    """Hundredths of 万元 as a bank writes them: 120.5, 300."""
    rest = pa.compute.utf8_rtrim(joined(".", integers(amounts % 100, 2)), "0.")
    return joined(integers(amounts // 100), rest)
