"""The registry: one row per version of an enterprise's registration; the gateway answers the state as of a moment."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from include.kernel.areas import areas
from include.sandbox.firms import END, Firms, industries
from include.sandbox.naming import person
from include.sandbox.numbers import dates, integers, joined, moments, money, office_time, stream
from include.sandbox.records import name_on, table

_TOUCHED_FROM = np.datetime64("2023-06-01")


def registrations(seed: int, firms: Firms) -> pa.Table:
    """Founding, renaming, capital paid in, end of business, and every day somewhere a small change."""
    random = stream(seed, "registry")
    n = firms.count
    renamed = np.flatnonzero(~np.isnat(firms.renamed_on))
    paid = np.flatnonzero(firms.paid_later > firms.paid_first)
    moved = np.flatnonzero(~np.isnat(firms.moved_on))
    over = np.flatnonzero(~np.isnat(firms.ended))
    days = np.arange(_TOUCHED_FROM, END)
    touched: np.ndarray = np.repeat(days, max(1, n // 1000))
    firm = np.concatenate([np.arange(n), renamed, paid, moved, over, random.integers(0, n, len(touched))])
    day = np.concatenate(
        [
            firms.founded,
            firms.renamed_on[renamed],
            firms.paid_later_on[paid],
            firms.moved_on[moved],
            firms.ended[over],
            touched,
        ]
    )
    after_founding = day >= firms.founded[firm]
    firm, day = firm[after_founding], day[after_founding]
    arrival = office_time(random, day)

    ended = ~np.isnat(firms.ended[firm]) & (firms.ended[firm] <= day)
    had_other_name = ~np.isnat(firms.renamed_on[firm]) & (firms.renamed_on[firm] <= day)
    former = joined(pa.array(firms.former_name[firm]), "@", dates(firms.renamed_on[firm]))
    sections = np.array([profile["section"] for profile in industries()], dtype=object)[firms.industry]
    code_fault = random.random(n)
    codes = np.where(code_fault < 0.04, firms.industry_code.astype("<U2"), firms.industry_code.astype("<U4"))
    epoch_ms = (firms.founded[firm].astype("datetime64[s]").astype(np.int64) - 8 * 3600) * 1000
    born_in = np.where(
        ended, firms.end_state[firm], np.where(_spelt_short(firms)[firm], "正常", "存续（在营、开业、在册）")
    )
    district = firms.district_on(day, firm)
    address = joined("常州市创新路", integers(firm + 1), "号")
    columns = {
        "uniscid": pa.array(firms.uscc[firm]),
        "pripid": joined("3204", integers(firm + 1, 12)),
        "entname": name_on(firms, firm, day),
        "formernames": pa.compute.if_else(pa.array(had_other_name), former, ""),
        "enttype": pa.array(np.where(firm % 9 == 0, "1223", "1130").astype(object)),
        "estdate": integers(epoch_ms),
        "regstateCn": pa.array(born_in.astype(object)),
        "industryphy": pa.array(sections[firm]),
        "industryco": pa.array(codes[firm].astype(object)),
        "regcap": ten_thousands(firms.registered_capital[firm]),
        "reccap": ten_thousands(_paid(firms, firm, day)),
        "regorg": joined(pa.array([areas()[code].name_zh for code in district.tolist()]), "行政审批局"),
        "mgtarea": pa.array(district),
        "esopflag": integers(firms.platform_holder[firm]),
        "lerep": pa.array([person(int(i) * 37 + 11) for i in range(n)]).take(pa.array(firm)),
        "dom": address,
        "tel": pa.array([""] * len(firm)),
        "opscope": pa.array(["技术开发、技术服务；产品制造与销售"] * len(firm)),
        "opfrom": dates(firms.founded[firm]),
        "opto": pa.array([""] * len(firm)),
        "regno": pa.array([""] * len(firm)),
        "uptime": moments(arrival),
    }
    return table(firms, firm, arrival, columns, None, district)


def _paid(firms: Firms, firm: np.ndarray, day: np.ndarray) -> np.ndarray:
    return np.where(firms.paid_later_on[firm] <= day, firms.paid_later[firm], firms.paid_first[firm])


def _spelt_short(firms: Firms) -> np.ndarray:
    """Enterprises in business whose state the registry spells 正常."""
    return firms.end_state == "正常"


def ten_thousands(amount_cents: np.ndarray) -> pa.Array:
    """Cents → 万元 without a unit, as the registry writes it: `200.0`, `21985.75`."""
    hundredths: np.ndarray = amount_cents // 10_000
    text = money(hundredths)
    short = pa.compute.ends_with(text, "0")
    return pa.compute.if_else(short, pa.compute.utf8_slice_codeunits(text, 0, -1), text)
