"""The tax bureau: income-tax returns as form rows, A107012 and A107041, VAT, statements, payments and ratings."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.sandbox.firms import END, MONTHS, MONTHS_FROM, YEARS, Figures, Firms
from include.sandbox.numbers import dates, integers, moments, money, office_time, share, stacked, stream, year_start
from include.sandbox.records import identifier, table, taxpayer

# The stand-in's own copy of the form layouts: (form, item, row before the 2022 layout, row in it, row name).
FORM_ROWS = (
    ("A100000", "revenue", 1, 1, "营业收入"),
    ("A100000", "cost", 2, 2, "营业成本"),
    ("A100000", "profit", 13, 13, "利润总额"),
    ("A100000", "taxable", 23, 23, "应纳税所得额"),
    ("A105050", "wages", 1, 2, "工资薪金支出"),
    ("A105050", "training", 4, 6, "职工教育经费支出"),
    ("A105080", "machinery", 3, 4, "机器设备原值"),
    ("A105080", "electronics", 6, 8, "电子设备原值"),
    ("A000000", "incentive", 220, 224, "股权激励递延纳税备案"),
)
NEW_LAYOUT_FROM = 2022

_DAY = np.timedelta64(1, "D")


def filing_days(seed: int, firms: Firms) -> np.ndarray:
    """[n, YEARS] the day of the yearly return: mid January to 31 May, most in April and May."""
    random = stream(seed, "filing days")
    spread = 1 - random.random((firms.count, len(YEARS))) ** 2.2
    return year_start(YEARS + 1) + (14 + np.floor(spread * 136.99)).astype("timedelta64[D]")


def _yearly(firms: Firms, mask: np.ndarray, filed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(enterprise, year column) pairs of the filings that are made while the enterprise exists."""
    gone = ~np.isnat(firms.ended)[:, None] & (firms.ended[:, None] <= filed)
    firm, t = np.nonzero(mask & ~gone)
    return firm, t


def returns(seed: int, firms: Firms, figures: Figures) -> pa.Table:
    """TAX_CIT: nine rows per return."""
    random = stream(seed, "returns")
    filed = filing_days(seed, firms)
    firm, t = _yearly(firms, figures.active, filed)
    day = filed[firm, t]
    arrival = office_time(random, day)
    filing = identifier("QYSDS", firm, integers(YEARS[t]), "00")

    rows, new = len(FORM_ROWS), YEARS[t] >= NEW_LAYOUT_FROM
    each: np.ndarray = np.repeat(np.arange(len(firm)), rows)
    numbers = np.where(new[:, None], [row[3] for row in FORM_ROWS], [row[2] for row in FORM_ROWS]).ravel()
    amounts = np.stack([getattr(figures, row[1])[firm, t] for row in FORM_ROWS], axis=1)
    amounts[:, -1] *= 100
    which = pa.array(np.tile(np.arange(rows), len(firm)))
    per_filing = {
        "SBUUID": filing,
        **taxpayer(firms, firm, day),
        "SKSSQQ": dates(year_start(YEARS[t])),
        "SKSSQZ": dates(year_start(YEARS[t] + 1) - _DAY),
        "BBH": pc.if_else(pa.array(new), "2022", "2017"),
        "ZFBZ_1": pa.array(["N"] * len(firm)),
        "GZCS": pa.array(["0"] * len(firm)),
        "SBRQ": dates(day),
        "GLQH_DM": pa.array(firms.district[firm]),
        "RKSJ": moments(arrival),
    }
    columns = {name: column.take(pa.array(each)) for name, column in per_filing.items()} | {
        "BDDM": pa.array([row[0] for row in FORM_ROWS]).take(which),
        "EWBHXH": integers(numbers),
        "HMC": pa.array([row[4] for row in FORM_ROWS]).take(which),
        "JE": money(amounts.ravel()),
    }
    return table(firms, firm[each], arrival[each], columns, columns["SKSSQQ"])


def _annex(firms: Firms, firm: np.ndarray, t: np.ndarray, day: np.ndarray, arrival: np.ndarray) -> dict:
    return {
        **taxpayer(firms, firm, day),
        "SSND": integers(YEARS[t]),
        "ZFBZ": pa.array(["N"] * len(firm)),
        "GZCS": pa.array(["0"] * len(firm)),
        "SBRQ": dates(day),
        "GLQH_DM": pa.array(firms.district[firm]),
        "RKSJ": moments(arrival),
    }


def super_deductions(seed: int, firms: Firms, figures: Figures) -> pa.Table:
    """TAX_RDD: the yearly total is own + 80 % of commissioned R&D; expensed + capitalised = total."""
    random = stream(seed, "super deductions")
    filed = filing_days(seed, firms)
    firm, t = _yearly(firms, figures.rd_claimed > 0, filed)
    day = filed[firm, t]
    arrival = office_time(random, day)
    n, total = len(firm), figures.rd_claimed[firm, t]
    outsourced = np.where(random.random(n) < 0.35, share(total, 0.3 * random.random(n) ** 2), 0) // 5 * 5
    own = total - outsourced * 4 // 5
    personnel = share(own, np.clip(0.46 + 0.13 * random.normal(size=n), 0.08, 0.92))
    rest = own - personnel
    parts = random.random((n, 6)) * [0.12, 0.1, 0.06, 0.2, 0.06, 0.4]
    pilot, samples, inspection, depreciation, amortisation, _ = (share(rest, part) for part in parts.T)
    capitalised = np.where(random.random(n) < 0.12, share(total, 0.5 * random.random(n)), 0)
    expensed = total - capitalised
    rate = np.where(YEARS[t] >= 2022, 1.0, 0.75)
    columns = {
        "SBUUID": identifier("A107012", firm, integers(YEARS[t]), "00"),
        **_annex(firms, firm, t, day, arrival),
        "YFXMSL": integers(1 + np.floor(np.sqrt(total / 6e7) + 2.5 * random.random(n)).astype(int)),
        "ZZYFXJ": money(own),
        "RYRGFY": money(personnel),
        "GZXJ": money(share(personnel, 0.78 + 0.1 * random.random(n))),
        "ZJMJ": money(pilot),
        "YPYJ": money(samples),
        "SZJY": money(inspection),
        "ZJFY": money(depreciation),
        "WXZCTX": money(amortisation),
        "WTYF": money(outsourced),
        "NDYFFYXJ": money(total),
        "FYHJE": money(expensed),
        "ZBHJE": money(capitalised),
        "JJKCZE": money(share(expensed, rate)),
    }
    return table(firms, firm, arrival, columns, dates(year_start(YEARS[t])))


def technical_staff(seed: int, firms: Firms, figures: Figures) -> tuple[np.ndarray, np.ndarray]:
    """[n, YEARS] (all staff, S&T staff) as A107041 counts them: somewhat more people than are insured."""
    random = stream(seed, "technical staff")
    staff = np.ceil(figures.average_insured * (1 + 0.12 * random.random((firms.count, 1)))).astype(np.int64)
    part = np.clip(0.1 + firms.profile("rd") * 2.2 + 0.07 * random.normal(size=firms.count), 0.1, 0.8)[:, None]
    return staff, np.minimum(staff, np.ceil(staff * part * (0.95 + 0.1 * random.random(staff.shape))).astype(np.int64))


def high_tech_relief(seed: int, firms: Firms, figures: Figures, certificate_nos: np.ndarray) -> pa.Table:
    """TAX_HNTE: only years with a certificate; technical revenue <= high-tech revenue <= total income."""
    random = stream(seed, "high tech relief")
    filed = filing_days(seed, firms)
    firm, t = _yearly(firms, figures.certified & figures.active & (figures.revenue > 0), filed)
    day = filed[firm, t]
    arrival = office_time(random, day)
    n = len(firm)
    income = share(figures.revenue[firm, t], 1.0 + 0.02 * random.random(n))
    high_tech = share(income, np.clip(0.76 + 0.1 * random.normal(size=n), 0.52, 0.99))
    software = np.array([code.startswith(("6", "7")) for code in firms.industry_code.tolist()])[firm]
    technical = share(high_tech, np.where(software, 0.5, 0.06) * random.random(n))
    research = figures.rd_high_tech[firm, t]
    abroad = np.where(random.random(n) < 0.06, share(research, 0.2 * random.random(n)), 0)
    staff, technicians = technical_staff(seed, firms, figures)
    columns = {
        "SBUUID": identifier("A107041", firm, integers(YEARS[t]), "00"),
        **_annex(firms, firm, t, day, arrival),
        "GXQYZSBH": pa.array(certificate_nos[firm, t]),
        "BNGXJSSR": money(high_tech),
        "JSXSR": money(technical),
        "BNQYSR": money(income),
        "BNJYDZXLRS": integers(technicians[firm, t]),
        "BNZGZS": integers(staff[firm, t]),
        "BNGJYFJE": money(research),
        "JWYFFY": money(abroad),
        "XSSR": money(figures.revenue[firm, t]),
    }
    return table(firms, firm, arrival, columns, dates(year_start(YEARS[t])))


def vat_returns(seed: int, firms: Firms, figures: Figures) -> pa.Table:
    """TAX_VAT: monthly, or quarterly for small-scale taxpayers; due on the 15th; nil returns are filed too."""
    random = stream(seed, "vat")
    alive = firms.exists(MONTHS.astype("datetime64[D]") + np.timedelta64(27, "D"))
    exporter = random.random(firms.count) < firms.profile("export") + 0.1 * (firms.size > 0.5)
    abroad = np.where(exporter, 0.6 * random.random(firms.count), 0.0)

    by_month = np.nonzero(alive & firms.monthly_vat[:, None])
    quarters = figures.month_revenue.reshape(firms.count, -1, 3).sum(axis=2)
    by_quarter = np.nonzero(alive.reshape(firms.count, -1, 3).any(axis=2) & ~firms.monthly_vat[:, None])
    firm = np.concatenate([by_month[0], by_quarter[0]])
    first = np.concatenate([MONTHS[by_month[1]], MONTHS[by_quarter[1] * 3]])
    length = np.concatenate([np.full(len(by_month[0]), 1), np.full(len(by_quarter[0]), 3)])
    sales = np.concatenate([figures.month_revenue[by_month], quarters[by_quarter]])
    following = first + length.astype("timedelta64[M]")
    filed = following.astype("datetime64[D]") + random.integers(2, 15, len(firm)).astype("timedelta64[D]")
    arrival = office_time(random, filed)
    columns = {
        "SBUUID": identifier("ZZS", firm, pc.replace_substring(dates(first), "-", ""), "00"),
        **taxpayer(firms, firm, filed),
        "SKSSQQ": dates(first),
        "SKSSQZ": dates(following.astype("datetime64[D]") - _DAY),
        "SBZQ": pc.if_else(pa.array(length == 1), "月", "季"),
        "XSE": money(sales),
        "MDTXSE": money(share(sales, abroad[firm])),
        "ZFBZ_1": pa.array(["N"] * len(firm)),
        "GZCS": pa.array(["0"] * len(firm)),
        "SBRQ": dates(filed),
        "GLQH_DM": pa.array(firms.district[firm]),
        "RKSJ": moments(arrival),
    }
    return table(firms, firm, arrival, columns, columns["SKSSQQ"])


def statements(seed: int, firms: Firms, figures: Figures) -> pa.Table:
    """TAX_FIN: yearly statements with the return, quarterly ones (cumulated in the year) within 18 days."""
    random = stream(seed, "statements")
    filed = filing_days(seed, firms)
    firm_y, t_y = _yearly(firms, figures.active, filed)
    first = MONTHS_FROM
    quarters = 4 * (len(YEARS) - first)
    ends = (MONTHS[2::3] + 1).astype("datetime64[D]") - _DAY
    firm_q, q = np.nonzero(firms.exists(ends))
    t_q: np.ndarray = first + q // 4
    cumulated = figures.month_revenue.reshape(firms.count, -1, 4, 3).sum(axis=3).cumsum(axis=2).reshape(-1, quarters)
    yearly = np.maximum(figures.revenue[firm_q, t_q], 1)
    lived = np.where(figures.revenue[firm_q, t_q] > 0, cumulated[firm_q, q] / yearly, (q % 4 + 1) / 4)

    firm, t = np.concatenate([firm_y, firm_q]), np.concatenate([t_y, t_q])
    part = np.concatenate([np.ones(len(firm_y)), lived])
    day = np.concatenate([filed[firm_y, t_y], ends[q] + random.integers(5, 19, len(q)).astype("timedelta64[D]")])
    closing = np.concatenate([year_start(YEARS[t_y] + 1) - _DAY, ends[q]])
    arrival = office_time(random, day)
    of_year = np.arange(len(firm)) < len(firm_y)

    def flow(values: np.ndarray) -> np.ndarray:
        return np.where(part >= 1, values[firm, t], np.rint(values[firm, t] * part).astype(np.int64))

    def stock(opening: np.ndarray, end: np.ndarray) -> np.ndarray:
        moved = np.rint((end[firm, t] - opening[firm, t]) * part).astype(np.int64)
        return np.where(part >= 1, end[firm, t], opening[firm, t] + moved)

    assets = stock(figures.assets_opening, figures.assets)
    net_assets = np.minimum(stock(figures.net_assets_opening, figures.net_assets), assets)
    intangible = share(figures.assets, 0.12 * random.random((firms.count, 1)) ** 2)
    land = share(intangible, np.where(random.random((firms.count, 1)) < 0.3, 0.6, 0.0))
    developing = share(figures.rd_book, np.where(random.random((firms.count, 1)) < 0.1, 0.2, 0.0))
    columns = {
        "CWBBUUID": identifier(
            "CWBB", firm, pc.replace_substring(dates(closing), "-", ""), pc.if_else(pa.array(of_year), "N", "J"), "00"
        ),
        **taxpayer(firms, firm, day),
        "SSSQ_Q": dates(year_start(YEARS[t])),
        "SSSQ_Z": dates(closing),
        "BSQLX": pc.if_else(pa.array(of_year), "年报", "季报"),
        "ZCZJ": money(assets),
        "FZHJ": money(assets - net_assets),
        "SYZQYHJ": money(net_assets),
        "SYZQYHJ_NC": money(figures.net_assets_opening[firm, t]),
        "SSZB": money(np.where(firms.paid_later_on[firm] <= closing, firms.paid_later[firm], firms.paid_first[firm])),
        "WXZC": money(intangible[firm, t]),
        "TDSYQ": money(land[firm, t]),
        "KFZC": money(flow(developing)),
        "YYSR": money(flow(figures.revenue)),
        "YYCB": money(flow(figures.cost)),
        "YFFY": money(flow(figures.rd_book)),
        "JLR": money(flow(figures.net_profit)),
        "ZFBZ_1": pa.array(["N"] * len(firm)),
        "GZCS": pa.array(["0"] * len(firm)),
        "GLQH_DM": pa.array(firms.district[firm]),
        "RKSJ": moments(arrival),
    }
    return table(firms, firm, arrival, columns, columns["SSSQ_Q"])


def payments(seed: int, firms: Firms, figures: Figures) -> pa.Table:
    """TAX_PAY: payments on every day of the year, refunds, and each April the credit rating of the year before."""
    random = stream(seed, "payments")
    n, first = firms.count, MONTHS_FROM
    quarters = figures.month_revenue.reshape(n, -1, 3).sum(axis=2)
    column: np.ndarray = first + np.arange(quarters.shape[1]) // 4
    burden = (0.015 + 0.03 * random.random((n, 1))) * (random.random(quarters.shape) < 0.8)
    monthly = share(figures.month_revenue, np.repeat(burden, 3, axis=1)) * firms.monthly_vat[:, None]
    quarterly = share(quarters, burden) * ~firms.monthly_vat[:, None]
    lived = quarters / np.maximum(figures.revenue[:, column], 1)
    corporate = share(figures.tax[:, column], lived)
    withheld = share(figures.wages[:, column], 0.012 * lived)
    insurance = share(figures.wages[:, column], 0.2 * lived)
    other = share(figures.revenue[:, column], 0.002 * lived) * (random.random(quarters.shape) < 0.5)
    big = firms.size[:, None] > -0.2
    refund = share(corporate, 0.5) * (random.random(quarters.shape) < 0.01)
    credit = share(quarters, 0.02) * (random.random(quarters.shape) < 0.008)
    export = share(quarters, 0.03) * ((random.random((n, 1)) < firms.profile("export")[:, None] * 0.5) & big)

    blocks = [
        ("入库", "增值税", monthly, 1),
        ("入库", "增值税", quarterly, 3),
        ("入库", "企业所得税", corporate, 3),
        ("入库", "个人所得税代扣", withheld * big, 3),
        ("入库", "社会保险费", insurance * big, 3),
        ("入库", "其他税费", other, 3),
        ("退库", "企业所得税", refund, 3),
        ("留抵退税", "增值税", credit, 3),
        ("出口退税", "增值税", export, 3),
    ]
    firms_of, amounts, numbers = [], [], []
    months: list[np.ndarray] = []
    for number, (_, _, cells, length) in enumerate(blocks):
        rows, columns_ = np.nonzero(cells > 0)
        firms_of.append(rows)
        months.append(MONTHS[columns_ * length] + length)
        amounts.append(cells[rows, columns_])
        numbers.append(np.full(len(rows), number))
    firm, month, amount, block = (np.concatenate(part) for part in (firms_of, months, amounts, numbers))
    day = month.astype("datetime64[D]") + random.integers(0, 31, len(firm)).astype("timedelta64[D]")
    voucher = identifier(
        "PZ", firm, integers(block), pc.replace_substring(dates(month.astype("datetime64[D]")), "-", "")
    )
    kinds = pa.array([b[0] for b in blocks]).take(pa.array(block))
    taxes = pa.array([b[1] for b in blocks]).take(pa.array(block))

    rated, t = np.nonzero(figures.active[:, :-1] & figures.active[:, 1:])
    rated_on = year_start(YEARS[t] + 1) + random.integers(92, 118, len(rated)).astype("timedelta64[D]")
    quality = 0.5 * firms.size[rated] + random.normal(size=len(rated)) * 0.5 + random.normal(size=n)[rated]
    newly = firms.founded[rated] > rated_on - np.timedelta64(3 * 365, "D")
    grade = np.select(
        [newly & (quality > -1.5), quality > 0.3, quality > -1.4, quality > -2.1], ["M", "A", "B", "C"], "D"
    )

    all_firms, all_days = np.concatenate([firm, rated]), np.concatenate([day, rated_on])
    arrival = office_time(random, all_days)
    none, blank = pa.array([""] * len(rated)), pa.array([""] * len(firm))
    columns = {
        "PZXH": stacked([voucher, identifier("XYPJ", rated, integers(YEARS[t]))]),
        **taxpayer(firms, all_firms, all_days),
        "JLLX": stacked([kinds, pa.array(["信用评价"] * len(rated))]),
        "ZSXM": stacked([taxes, none]),
        "RKRQ": dates(all_days),
        "PJND": stacked([blank, integers(YEARS[t])]),
        "XYJB": stacked([blank, pa.array(grade.astype(object))]),
        "JE": stacked([money(amount), none]),
        "GLQH_DM": pa.array(firms.district[all_firms]),
        "RKSJ": moments(arrival),
    }
    found = table(firms, all_firms, arrival, columns, columns["RKRQ"])
    return found.filter(pc.less(found["RKRQ"], str(END)))
