"""The intellectual-property office: CN patents as publication records, and PCT applications.

An invention appears as an A record (发明公布) and, once granted, as a B record too (发明授权); its legal status is that
of the application, so a change re-issues both. Every change is the whole record again with a later update time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.sandbox.firms import Firms, industries
from include.sandbox.naming import INSTITUTIONS, patent_check, person
from include.sandbox.numbers import dates, exp, integers, joined, moments, office_time, stacked, stream
from include.sandbox.records import dotted, name_on, table

_NEVER = np.datetime64("2099-01-01")
_FIRST_YEAR, _LAST_YEAR = 2006, 2027
INVENTION, UTILITY, DESIGN = 1, 2, 3
_KINDS = {INVENTION: "发明授权", UTILITY: "实用新型", DESIGN: "外观设计"}


@dataclass(frozen=True)
class Patents:
    """The true life of every application, one row each. `_NEVER` = does not happen."""

    firm: np.ndarray
    kind: np.ndarray
    applied: np.ndarray
    published: np.ndarray  # the A publication of an invention
    granted: np.ndarray
    refused: np.ndarray
    refusal: np.ndarray
    lapsed: np.ndarray
    lapse: np.ndarray
    partner: np.ndarray  # text: co-owner's name or ""
    partner_firm: np.ndarray  # the co-owner's enterprise number, -1 = none, a person or an institution
    buyer: np.ndarray  # enterprise number of the new owner, -1 = never sold
    sold: np.ndarray
    pledged: np.ndarray  # 万元, 0 = none
    award: np.ndarray
    licensed: np.ndarray
    strategic: np.ndarray
    number: np.ndarray  # application number without dot
    ipc: np.ndarray

    def valid_shares(
        self, day: np.datetime64, kinds: tuple[int, ...] = (INVENTION,)
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(application, enterprise, share) of the valid patents, by what had been entered before `day` began."""
        valid = np.isin(self.kind, kinds) & (self.granted + _GRANT_LAG < day) & ~(self.lapsed + _LAPSE_LAG < day)
        first = np.where(self.sold + _TRANSFER_LAG < day, self.buyer, self.firm)
        share = np.where(self.partner == "", 1.0, 0.5)
        alone, allied = np.flatnonzero(valid), np.flatnonzero(valid & (self.partner_firm >= 0))
        application = np.concatenate([alone, allied])
        return application, np.concatenate([first[alone], self.partner_firm[allied]]), share[application]


_GRANT_LAG = np.timedelta64(4, "D")
_LAPSE_LAG = np.timedelta64(40, "D")
_TRANSFER_LAG = np.timedelta64(15, "D")


def patents(seed: int, firms: Firms) -> Patents:
    """Applications of 22 years: more with size, R&D and an inventive industry."""
    random = stream(seed, "patents")
    n = firms.count
    years = np.arange(_FIRST_YEAR, _LAST_YEAR + 1)
    founded: np.ndarray = firms.founded.astype("datetime64[Y]").astype(int) + 1970
    alive = (years > founded[:, None]) & ~(~np.isnat(firms.ended)[:, None] & (years >= 2021))
    rate = firms.profile("patents") * exp(0.75 * np.clip(firms.size, -2, 2.6) + 0.55 * random.normal(size=n) - 0.45)
    rate = rate * np.where(firms.research, 1.0, 0.12)
    growth = np.clip((years - 2004) / 16, 0.1, 1.15)
    counts = np.asarray(random.poisson(rate[:, None] * growth * alive))
    firm, t = np.nonzero(counts)
    repeats = counts[firm, t]
    firm, t = np.repeat(firm, repeats), np.repeat(t, repeats)
    m = len(firm)

    draw = random.random(m)
    invention = firms.profile("invention")[firm] * 0.8
    kind = np.where(draw < invention, INVENTION, np.where(draw > 0.93, DESIGN, UTILITY))
    starts = (years[t] - 1970).astype("datetime64[Y]").astype("datetime64[D]")
    applied = starts + random.integers(0, 365, m).astype("timedelta64[D]")
    is_invention = kind == INVENTION

    def later(days: np.ndarray, low: int, high: int) -> np.ndarray:
        return days + random.integers(low, high, m).astype("timedelta64[D]")

    published = np.where(is_invention, later(applied, 150, 548), _NEVER)
    outcome = random.random(m)
    success = np.clip(0.5 + 0.08 * random.normal(size=n), 0.2, 0.8)[firm]
    is_granted = ~is_invention | (outcome < success)
    granted = np.where(is_invention, later(published, 300, 900), later(applied, 110, 330))
    granted = np.where(is_granted, granted, _NEVER)
    refused = np.where(is_granted, _NEVER, later(published, 250, 800))
    refusal = np.select([outcome > 0.97, outcome > 0.82], ["撤回", "视为撤回"], "驳回").astype(object)
    term = np.where(is_invention, 20 * 365 + 5, np.where(kind == UTILITY, 10 * 365 + 2, 15 * 365 + 3))
    expires = applied + term.astype("timedelta64[D]")
    hazard = np.where(is_invention, 0.06, 0.13)
    years_kept = np.floor(np.log(1 - random.random(m)) / np.log(1 - hazard)).astype(int) + 1
    unpaid = granted + np.minimum(years_kept * 365 + 30, 40_000).astype("timedelta64[D]")
    unpaid = np.where(is_granted, unpaid, _NEVER)
    lapsed = np.where(is_granted, np.minimum(unpaid, expires), _NEVER)
    lapse = np.where(unpaid <= expires, "未缴年费终止", "期限届满").astype(object)

    shared = random.random(m)
    other_firm, ally = random.integers(0, n, m), random.integers(0, n, m)
    institution = np.array(INSTITUTIONS, dtype=object)[random.integers(0, len(INSTITUTIONS), m)]
    people = np.array([person(i * 97 + 5) for i in range(500)], dtype=object)[random.integers(0, 500, m)]
    partner: np.ndarray = np.full(m, "", dtype=object)
    partner[shared < 0.035] = institution[shared < 0.035]
    by_person = (shared > 0.035) & (shared < 0.042)
    partner[by_person] = people[by_person]
    partner_firm = np.where((shared > 0.042) & (shared < 0.06) & (ally != firm), ally, -1)
    by_firm = partner_firm >= 0
    partner[by_firm] = name_on(firms, ally, applied).filter(pa.array(by_firm)).to_pylist()
    sold_to = random.random(m) < 0.015
    sold = np.where(sold_to & is_granted, later(granted, 60, 1500), _NEVER)
    sold = np.where((sold < lapsed) & (other_firm != firm) & (other_firm != partner_firm), sold, _NEVER)
    strategic = np.array([p["strategic"] or "" for p in industries()], dtype=object)[firms.industry][firm]
    strategic = np.where(is_invention & (random.random(m) < 0.5), strategic, "")
    licensed = np.where((random.random(m) < 0.02) & is_granted, later(granted, 30, 1200), _NEVER)
    pledged = np.where(is_invention & is_granted & (random.random(m) < 0.02), random.integers(1, 60, m) * 50, 0)
    award = np.where(is_invention & is_granted & (random.random(m) < 0.004), "中国专利优秀奖", "").astype(object)

    classes = [p["ipc"] for p in industries()]
    home = np.where(random.random(m) < 0.82, firms.industry[firm], random.integers(0, len(classes), m))
    pick, group = random.integers(0, 1 << 16, m), random.integers(1, 60, m)
    ipc = [
        f"{classes[h][p % len(classes[h])]}{g}/{p % 90 + 10:02d}"
        for h, p, g in zip(home.tolist(), pick.tolist(), group.tolist(), strict=True)
    ]
    order = np.lexsort((np.arange(m), kind, years[t]))
    serial: np.ndarray = np.empty(m, dtype=np.int64)
    block = years[t][order] * 10 + kind[order]
    serial[order] = np.arange(m) - np.searchsorted(block, block)
    if m and serial.max() >= 100_000:
        raise ValueError(
            "more than 100,000 applications of one kind in one year: the serial range 99xxxxx is too small"
        )
    twelve = years[t].astype(np.int64) * 10**8 + kind * 10**7 + 99 * 10**5 + serial
    number = np.char.add(twelve.astype(str), patent_check(twelve)).astype(object)
    return Patents(
        firm=firm,
        kind=kind,
        applied=applied,
        published=published,
        granted=granted,
        refused=refused,
        refusal=refusal,
        lapsed=lapsed,
        lapse=lapse,
        partner=partner,
        partner_firm=partner_firm,
        buyer=np.where(sold < _NEVER, other_firm, -1),
        sold=sold,
        pledged=pledged,
        award=award,
        licensed=licensed,
        strategic=strategic.astype(object),
        number=number,
        ipc=np.array(ipc, dtype=object),
    )


def publications(seed: int, firms: Firms, patents: Patents) -> pa.Table:
    """IP_PAT: every version of every publication record."""
    random = stream(seed, "publications")
    p = patents
    m = len(p.firm)
    is_invention = p.kind == INVENTION
    # (application, is it the B or only record?, day the office enters it, status, status day)
    events = [
        (is_invention, False, p.published + np.timedelta64(3, "D"), "实质审查", p.published),
        (p.granted < _NEVER, True, p.granted + _GRANT_LAG, "有效", p.granted),
        (is_invention & (p.granted < _NEVER), False, p.granted + _GRANT_LAG, "有效", p.granted),
        (p.refused < _NEVER, False, p.refused + np.timedelta64(20, "D"), None, p.refused),
        (p.lapsed < _NEVER, True, p.lapsed + _LAPSE_LAG, None, p.lapsed),
        (is_invention & (p.lapsed < _NEVER), False, p.lapsed + _LAPSE_LAG, None, p.lapsed),
        (p.sold < _NEVER, True, p.sold + _TRANSFER_LAG, "有效", p.granted),
        (
            (p.licensed < _NEVER) & (p.licensed < p.lapsed),
            True,
            p.licensed + _TRANSFER_LAG,
            "有效",
            p.granted,
        ),
    ]
    application, is_grant, entered, status, status_day = [], [], [], [], []
    ended = np.where(p.refused < _NEVER, p.refusal, p.lapse)
    for happens, grant_record, day, text, since in events:
        rows = np.flatnonzero(happens)
        application.append(rows)
        is_grant.append(np.full(len(rows), grant_record))
        entered.append(day[rows])
        status.append(ended[rows] if text is None else np.full(len(rows), text, dtype=object))
        status_day.append(since[rows])
    at = np.concatenate(application)
    is_grant, entered = np.concatenate(is_grant), np.concatenate(entered)
    status, status_day = np.concatenate(status), np.concatenate(status_day)
    keep = entered < np.datetime64("2028-01-01")
    at, is_grant, entered, status, status_day = (part[keep] for part in (at, is_grant, entered, status, status_day))
    after_lapse = (p.lapsed[at] + _LAPSE_LAG <= entered) & is_grant
    status = np.where(after_lapse, p.lapse[at], status)
    status_day = np.where(after_lapse, p.lapsed[at], status_day)

    # Both records of an application are entered in the same minute.
    second: np.ndarray = (np.arange(m) * 7919 % 40_000 + 8 * 3600).astype("timedelta64[s]")
    arrival = entered.astype("datetime64[s]") + second[at]
    applicant = name_on(firms, p.firm, p.applied)
    applicants = pc.if_else(pa.array(p.partner == ""), applicant, joined(applicant, ";", pa.array(p.partner)))
    buyer = name_on(firms, np.maximum(p.buyer, 0), p.sold)
    after_sale = pc.if_else(pa.array(p.partner == ""), buyer, joined(buyer, ";", pa.array(p.partner)))
    where = pa.array(at)
    sold = (p.sold[at] < _NEVER) & (entered > p.sold[at])
    licensed = (p.licensed[at] < _NEVER) & (entered > p.licensed[at])
    sale = pc.if_else(pa.array(sold), joined("转让@", dates(p.sold[at])), "")
    licence = pc.if_else(pa.array(licensed), joined("许可@", dates(p.licensed[at])), "")
    both = pc.if_else(pa.array(sold & licensed), ";", "")
    serial: np.ndarray = (np.arange(m) + 1).astype(np.int64)
    letter = np.where(p.kind == INVENTION, "B", np.where(p.kind == UTILITY, "U", "S")).astype(object)
    dotted_number = joined(
        "CN",
        pc.utf8_slice_codeunits(pa.array(p.number), 0, 12),
        ".",
        pc.utf8_slice_codeunits(pa.array(p.number), 12, 13),
    )
    published_on = np.where(is_grant, p.granted[at], p.published[at])
    columns = {
        "Title": joined("一种装置及其方法", integers(at + 1)),
        "ApplicationNumber": dotted_number.take(where),
        "ApplicationDate": dotted(p.applied[at]),
        "PublicationNumber": joined(
            "CN", integers(serial + 990_000_000).take(where), pa.array(np.where(is_grant, letter[at], "A"))
        ),
        "PublicationDate": dotted(published_on),
        "KindCodeDesc": pa.array(
            np.where(is_grant, np.array([_KINDS[k] for k in (1, 2, 3)], dtype=object)[p.kind[at] - 1], "发明公布")
        ),
        "ApplicantStringList": applicants.take(where),
        "AssigneeStringList": pc.if_else(pa.array(sold), after_sale.take(where), applicants.take(where)),
        "InventorStringList": pa.array(_inventors(random, firms, p)).take(where),
        "IPCList": pa.array(p.ipc).take(where),
        "LegalStatusDesc": pa.array(status),
        "LegalStatusDate": dotted(status_day),
        "StrategicIndustry": pa.array(p.strategic).take(where),
        "PledgeAmount": pc.if_else(pa.array((p.pledged[at] > 0) & is_grant), integers(p.pledged[at]), ""),
        "AwardDesc": pc.if_else(pa.array(is_grant), pa.array(p.award).take(where), ""),
        "TransactionList": joined(sale, both, licence),
        "Agency": pa.array(["龙城虚拟专利代理事务所"] * len(at)),
        "Agent": pa.array([""] * len(at)),
        "Abstract": pa.array([""] * len(at)),
        "UpdateTime": moments(arrival),
    }
    found = table(firms, p.firm[at], arrival, columns, None)
    return found.append_column("_patent", pa.array(at))


def _inventors(random: np.random.Generator, firms: Firms, p: Patents) -> list[str]:
    """One to five people out of the enterprise's own small circle, so that they recur."""
    circle = np.maximum(2, np.rint(exp(1.2 + 0.9 * np.clip(firms.size, -1.5, 3)))).astype(int)[p.firm]
    number = random.integers(1, 6, len(p.firm)).tolist()
    start = np.floor(circle * random.random(len(p.firm)) ** 1.5).astype(int).tolist()
    base = (p.firm * 211).tolist()
    return [
        ";".join(dict.fromkeys(person(b + (s + k) % c) for k in range(count)))
        for count, s, b, c in zip(number, start, base, circle.tolist(), strict=True)
    ]


def international_applications(seed: int, firms: Firms, patents: Patents) -> pa.Table:
    """IP_PCT: some inventions of larger enterprises, filed a year later; grants abroad arrive as new versions."""
    random = stream(seed, "pct")
    p = patents
    chance = 0.02 + 0.08 * np.clip(firms.size, 0, 2)[p.firm]
    at = np.flatnonzero(
        (p.kind == INVENTION) & (p.applied >= np.datetime64("2012-01-01")) & (random.random(len(p.firm)) < chance)
    )
    filed = p.applied[at] + random.integers(330, 365, len(at)).astype("timedelta64[D]")
    years = filed.astype("datetime64[Y]").astype(int) + 1970
    order = np.lexsort((at, years))
    serial: np.ndarray = np.empty(len(at), dtype=np.int64)
    serial[order] = np.arange(len(at)) - np.searchsorted(years[order], years[order])
    number = joined("PCT/CN", integers(years), "/", integers(990_000 + serial, 6))
    granted = (random.random(len(at)) < 0.45) & (p.refused[at] == _NEVER)
    first = filed + random.integers(500, 1100, len(at)).astype("timedelta64[D]")
    second = first + random.integers(30, 500, len(at)).astype("timedelta64[D]")
    two, lost = random.random(len(at)) < 0.4, random.random(len(at)) < 0.12
    offices = np.array(["US", "EP", "JP", "KR"], dtype=object)
    one, other = random.integers(0, 2, len(at)), random.integers(2, 4, len(at))
    grant_one = joined(pa.array(offices[one]), "@", dates(first), "@有效")
    expired = joined(pa.array(offices[one]), "@", dates(first), "@失效")
    grant_two = joined(pa.array(offices[other]), "@", dates(second), "@有效")
    lost_on = second + np.timedelta64(700, "D")

    everyone = np.arange(len(at))
    versions = [
        (everyone, filed + np.timedelta64(45, "D"), pa.array([""] * len(at))),
        (everyone[granted], first + np.timedelta64(20, "D"), grant_one),
        (everyone[granted & two], second + np.timedelta64(20, "D"), joined(grant_one, ";", grant_two)),
        (everyone[granted & ~two & lost], lost_on, expired),
    ]
    row = np.concatenate([rows for rows, _, _ in versions])
    entered = np.concatenate([day[rows] for rows, day, _ in versions])
    grants = stacked(text.take(pa.array(rows)) for rows, _, text in versions)
    arrival = office_time(random, entered)
    columns = {
        "InternationalNumber": number.take(pa.array(row)),
        "InternationalDate": dotted(filed[row]),
        "PriorityNumber": joined("CN", pa.array(p.number[at][row])),
        "ApplicantStringList": name_on(firms, p.firm[at], filed).take(pa.array(row)),
        "IPCList": pa.array(p.ipc[at][row]),
        "GrantList": grants,
        "Title": joined("DEVICE AND METHOD ", integers(at[row] + 1)),
        "UpdateTime": moments(arrival),
    }
    return table(firms, p.firm[at][row], arrival, columns, None)
