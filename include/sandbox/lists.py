"""The science bureau: qualification lists by batch, cancellations as later lists of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from include.sandbox.firms import CERTIFICATE_YEARS, YEARS, Figures, Firms
from include.sandbox.numbers import dates, integers, joined, stacked, stream, year_start
from include.sandbox.records import name_on, table

_DAY = np.timedelta64(1, "D")
HIGH_TECH, TECH_SME, LADDER = "高企名单", "科小名单", "梯度名单"


def month_end(year: np.ndarray, month: np.ndarray | int) -> np.ndarray:
    """The last day of a month, when a batch is published."""
    return ((year - 1970) * 12 + month).astype("datetime64[M]").astype("datetime64[D]") - _DAY


@dataclass(frozen=True)
class Certificates:
    """High-tech certificates, one row each; `cancelled` NaT = never; the day of the list is `published`."""

    firm: np.ndarray
    number: np.ndarray
    issued: np.ndarray
    until: np.ndarray
    published: np.ndarray
    cancelled: np.ndarray  # the day the cancellation is published

    def valid_on(self, day: np.datetime64) -> np.ndarray:
        """Valid on `day` by what had been published before it began."""
        known = (self.published < day) & ~(self.cancelled < day)
        return known & (self.issued <= day) & (self.until >= day)


def certificates(seed: int, firms: Firms) -> Certificates:
    """Three batches a year; valid three years; about 1 % cancelled in the May of a later year."""
    random = stream(seed, "certificates")
    firm, t = np.nonzero(firms.certificate_years)
    year = CERTIFICATE_YEARS[t]
    batch = random.integers(0, 3, len(firm))
    published = month_end(year, np.array([9, 11, 12])[batch])
    issued = published - random.integers(12, 31, len(firm)).astype("timedelta64[D]")
    until = (issued.astype("datetime64[M]") + 36).astype("datetime64[D]") + (
        issued - issued.astype("datetime64[M]").astype("datetime64[D]")
    )
    lost = random.random(len(firm)) < 0.012
    revoked_on = month_end(year + 1 + random.integers(0, 2, len(firm)), 5)
    order = np.lexsort((firm, year))
    serial: np.ndarray = np.empty(len(firm), dtype=np.int64)
    serial[order] = np.arange(len(firm)) - np.searchsorted(year[order], year[order])
    number = joined("GR", integers(year), "32", integers(990_000 + serial, 6))
    return Certificates(
        firm=firm,
        number=np.array(number.to_pylist(), dtype=object),
        issued=issued,
        until=until - _DAY,
        published=published,
        cancelled=np.where(lost, revoked_on, np.datetime64("NaT", "D")),
    )


def number_by_year(firms: Firms, held: Certificates) -> np.ndarray:
    """[n, YEARS] the number of the certificate held at the end of the year, "" = none."""
    numbers: np.ndarray = np.full((firms.count, len(YEARS)), "", dtype=object)
    issued_in: np.ndarray = held.issued.astype("datetime64[Y]").astype(int) + 1970
    for row in np.argsort(issued_in, kind="stable"):
        covered = (issued_in[row] <= YEARS) & (issued_in[row] + 3 > YEARS)
        numbers[held.firm[row], covered] = held.number[row]
    return numbers


def qualification_lists(seed: int, firms: Firms, figures: Figures, held: Certificates) -> pa.Table:
    """ST_QUAL: all lines of all lists; `_list`, `_published` and `_line` say where in which file a line stands."""
    random = stream(seed, "lists")
    n = firms.count
    recent = held.published >= np.datetime64("2018-01-01")
    gone = np.flatnonzero(recent & ~np.isnat(held.cancelled))
    rows = np.flatnonzero(recent)
    parts = [
        (
            HIGH_TECH,
            "高新技术企业",
            held.firm[at],
            pa.array(held.number[at]),
            held.issued[at],
            held.until[at],
            day[at],
            state,
        )
        for at, day, state in ((rows, held.published, "有效"), (gone, held.cancelled, "取消"))
    ]
    small = (firms.size < 1.2) & firms.research & firms.takes_part
    habit = random.random(n) < 0.72
    for year in range(2021, 2028):
        member = np.flatnonzero(small & habit & (firms.founded < year_start(year)) & (random.random(n) < 0.9))
        published = month_end(np.full(len(member), year), np.array([3, 6, 9])[random.integers(0, 3, len(member))])
        number = joined(str(year), "320400", "99", integers(np.arange(len(member)), 6))
        until = np.full(len(member), np.datetime64(f"{year}-12-31"))
        parts.append((TECH_SME, "科技型中小企业", member, number, published - 10 * _DAY, until, published, "有效"))
    ladder = (
        ("市瞪羚企业", 0.035, 0.3, "SD"),
        ("省瞪羚企业", 0.012, 0.8, "PD"),
        ("潜在独角兽企业", 0.006, 1.0, "PU"),
        ("独角兽企业", 0.001, 1.5, "UN"),
        ("区主导产业企业", 0.12, -9.0, "ZD"),
    )
    for year in range(2020, 2028):
        published_on = np.datetime64(f"{year}-11-15")
        for qualification, part, least, prefix in ladder:
            fits = (firms.size > least) & firms.takes_part & (firms.founded < np.datetime64(f"{year}-01-01"))
            fits &= figures.active[:, year - int(YEARS[0])]
            member = np.flatnonzero(fits & (random.random(n) < part / 3 / max(fits.mean(), 1e-9)))
            issued = np.full(len(member), published_on - 20 * _DAY)
            until = np.full(len(member), np.datetime64(f"{year + 3}-10-25"))
            number = joined(prefix, str(year), "99", integers(np.arange(len(member)), 4))
            days = np.full(len(member), published_on)
            parts.append((LADDER, qualification, member, number, issued, until, days, "有效"))

    lists = np.concatenate([np.full(len(part[2]), part[0], dtype=object) for part in parts])
    firm = np.concatenate([part[2] for part in parts])
    published = np.concatenate([part[6] for part in parts])
    with_code = random.random(len(firm)) < np.where(lists == HIGH_TECH, 0.35, 0.7)
    columns = {
        "企业名称": name_on(firms, firm, published),
        "统一社会信用代码": pa.array(np.where(with_code, firms.uscc[firm], "").astype(object)),
        "资质类型": pa.array(np.concatenate([np.full(len(part[2]), part[1], dtype=object) for part in parts])),
        "证书编号": stacked(part[3] for part in parts),
        "发证日期": dates(np.concatenate([part[4] for part in parts])),
        "有效期至": dates(np.concatenate([part[5] for part in parts])),
        "状态": pa.array(np.concatenate([np.full(len(part[2]), part[7], dtype=object) for part in parts])),
        "公布日期": dates(published),
    }
    arrival = published.astype("datetime64[s]")
    hidden = {"_list": pa.array(lists), "_published": dates(published), "_line": pa.array(np.arange(len(firm)))}
    return table(firms, firm, arrival, columns | hidden, None)
