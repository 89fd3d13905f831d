"""The enterprises of the world and their true yearly and monthly figures, before any department writes them down.

Amounts are whole cents, people whole persons. All arrays have one row per enterprise; yearly ones a column per year of
`YEARS`, monthly ones a column per month of `MONTHS`. What holds: revenue - cost - other = profit, total assets =
liabilities + net assets, S&T staff <= staff, and so on; departments only copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from include.kernel.documents import read_yaml
from include.sandbox import naming
from include.sandbox.numbers import cents, exp, share, stream, year_start

YEARS = np.arange(2019, 2028)
MONTHS = np.arange(np.datetime64("2021-01"), np.datetime64("2028-01"))
END = np.datetime64("2028-01-01")  # nothing arrives from here on
MONTHS_FROM = 2  # the column of YEARS in which MONTHS begin

DISTRICTS = {
    "320411": 0.35,
    "320412": 0.22,
    "320402": 0.10,
    "320404": 0.10,
    "320413": 0.09,
    "320481": 0.08,
    "3204JK": 0.06,
}
_AUTHORITIES = ("320400", "320402", "320404", "320405", "320411", "320412", "320413", "320481", "320482", "320000")

# Yearly revenue in yuan over a standard normal: 55 % below 5m, 71 % below 20m, 93 % below 200m, heavy above.
_LATENT = np.array([-3.2, -0.8, 0.1257, 0.5534, 1.4758, 3.6])
_REVENUE = np.log([5e4, 1.1e6, 5e6, 2e7, 2e8, 1.1e10])
_PERSISTENCE = 0.9968  # of the latent size from one year to the next: revenue mostly moves by a fifth
_SHIFT = 0.03  # a stage looks at the better of two years, which lifts the mix by this much
_TREND = 0.015

EXTRA_SHARE = 0.04
DEREGISTERED_ON = np.datetime64("2026-04-20")


@cache
def industries() -> list[dict[str, Any]]:
    """The industry profiles of `industries.yaml`."""
    return read_yaml(Path(__file__).with_name("industries.yaml"))["industries"]


@dataclass(frozen=True)
class Firms:
    """Who they are. `takes_part` is false for the extra registrations that a correct pipeline leaves out."""

    takes_part: np.ndarray
    district: np.ndarray  # since the move, if it ever moved
    moved_from: np.ndarray  # "" = never moved
    moved_on: np.ndarray  # NaT = never moved
    industry: np.ndarray
    industry_code: np.ndarray
    founded: np.ndarray
    ended: np.ndarray  # from this day the registration has `end_state`; NaT = never
    end_state: np.ndarray
    uscc: np.ndarray
    name: np.ndarray
    former_name: np.ndarray  # "" = never renamed
    renamed_on: np.ndarray  # NaT = never renamed
    size: np.ndarray  # latent size in the middle year
    research: np.ndarray  # does R&D
    claims: np.ndarray  # claims the super-deduction
    certificate_years: np.ndarray  # [n, years 2012..2027] a high-tech certificate is issued
    units: np.ndarray  # insurance units, 1 or 2
    platform_holder: np.ndarray
    registered_capital: np.ndarray  # cents
    paid_first: np.ndarray
    paid_later: np.ndarray
    paid_later_on: np.ndarray
    monthly_vat: np.ndarray

    @property
    def count(self) -> int:
        """Registrations, taking part or not."""
        return len(self.uscc)

    def profile(self, key: str) -> np.ndarray:
        """One figure of each enterprise's industry."""
        return np.array([profile[key] for profile in industries()])[self.industry]

    def paid_in(self, days: np.ndarray) -> np.ndarray:
        """Paid-in capital on a day, same shape rules as numpy broadcasting of [n, 1] and `days`."""
        return np.where(self.paid_later_on[:, None] <= days, self.paid_later[:, None], self.paid_first[:, None])

    def district_on(self, days: np.ndarray, firm: np.ndarray) -> np.ndarray:
        """Where each of these firms is registered on the day beside it."""
        still_there = ~np.isnat(self.moved_on[firm]) & (days < self.moved_on[firm])
        return np.where(still_there, self.moved_from[firm], self.district[firm])

    def exists(self, days: np.ndarray) -> np.ndarray:
        """[n, days] founded and not ended."""
        alive = np.isnat(self.ended)[:, None] | (self.ended[:, None] > days)
        return alive & (self.founded[:, None] <= days)


CERTIFICATE_YEARS = np.arange(2012, 2028)


def firms(seed: int, enterprises: int) -> Firms:
    """`enterprises` that take part as of any date from 2026-06-01 on, and 4 % that do not; of these only one takes part
    from 2024 on, until it is deregistered on `DEREGISTERED_ON`.
    """
    random = stream(seed, "firms")
    extras = max(2, round(enterprises * EXTRA_SHARE))
    n = enterprises + extras
    takes_part: np.ndarray = np.ones(n, dtype=bool)
    takes_part[random.choice(n, extras, replace=False)] = False

    size = np.empty(n)
    quantiles = [NormalDist().inv_cdf((i + 0.5) / enterprises) for i in range(enterprises)]
    size[takes_part] = random.permutation(np.array(quantiles))
    size[~takes_part] = random.normal(size=extras) - 0.6

    profiles = industries()
    weights = np.array([profile["weight"] for profile in profiles], dtype=float)
    industry = random.choice(len(profiles), n, p=weights / weights.sum())
    industry_code = np.array([profiles[i]["codes"][k % len(profiles[i]["codes"])] for i, k in _pairs(random, industry)])

    age_days = (300 + 365.25 * 7.5 * exp(0.75 * random.normal(size=n) + 0.25 * size)).astype(int)
    founded = np.datetime64("2025-05-31") - np.minimum(age_days - 300, 33 * 365).astype("timedelta64[D]")
    ended = np.full(n, np.datetime64("NaT", "D"))
    end_state: np.ndarray = np.full(n, "存续（在营、开业、在册）", dtype=object)
    others = np.flatnonzero(~takes_part)
    young = others[: len(others) // 2]
    founded[young] = np.datetime64("2023-03-01") + random.integers(0, 1700, len(young)).astype("timedelta64[D]")
    ended[young] = founded[young] + random.integers(300, 361, len(young)).astype("timedelta64[D]")
    old = others[len(young) :]
    founded[old] = np.minimum(founded[old], np.datetime64("2020-06-30"))
    ended[old] = np.datetime64("2021-07-01") + random.integers(0, 900, len(old)).astype("timedelta64[D]")
    end_state[others] = random.choice(["注销", "吊销,未注销", "迁出"], extras)
    ended[old[-1]], end_state[old[-1]] = DEREGISTERED_ON, "注销"
    normal = takes_part & (random.random(n) < 0.15)
    end_state[normal] = "正常"

    serials = random.permutation(n) + 100_001
    authorities = random.choice(_AUTHORITIES, n)
    uscc = np.array([naming.credit_code(a, s) for a, s in zip(authorities.tolist(), serials.tolist(), strict=True)])
    settled = np.flatnonzero(takes_part & (founded < np.datetime64("2022-01-01")))
    renamed: np.ndarray = np.zeros(n, dtype=bool)
    renamed[random.choice(settled, min(len(settled), max(1, round(n * 0.04))), replace=False)] = True
    names = naming.company_names(
        random, [profiles[i]["words"] for i in np.concatenate([industry, industry[renamed]]).tolist()]
    )
    name: np.ndarray = np.array(names[:n], dtype=object)
    former_name: np.ndarray = np.full(n, "", dtype=object)
    former_name[renamed] = names[n:]
    renamed_on = np.full(n, np.datetime64("NaT", "D"))
    days = random.integers(0, 1800, int(renamed.sum())).astype("timedelta64[D]")
    renamed_on[renamed] = np.datetime64("2022-07-01") + days

    profile = np.array([p["tech"] for p in profiles])[industry]
    appetite = profile + 0.45 * size + 0.9 * random.normal(size=n)
    young_firm = founded > np.datetime64("2022-06-30")
    research = appetite > np.quantile(appetite, 0.24)
    certified = (appetite > np.quantile(appetite, 0.5)) & ~young_firm & takes_part
    claims = research & ((appetite > np.quantile(appetite, 0.31)) | (certified & (random.random(n) < 0.97)))

    registered = cents(np.rint(np.maximum(exp(13.9 + 1.1 * size + 0.6 * random.normal(size=n)), 1e5) / 1e5) * 1e5)
    first = share(registered, np.minimum(1.0, np.rint(random.choice([0.1, 0.2, 0.3, 0.5, 0.8, 1.0], n) * 100) / 100))
    topped_up = random.random(n) < 0.3
    later = np.where(topped_up, first + share(registered - first, 0.5), first)
    later_on = np.maximum(
        founded + np.timedelta64(200, "D"),
        np.datetime64("2020-01-01") + random.integers(0, 2900, n).astype("timedelta64[D]"),
    )
    district = random.choice(list(DISTRICTS), n, p=list(DISTRICTS.values())).astype(object)
    moved_from, moved_on = _moves(seed, district, settled)
    return Firms(
        takes_part=takes_part,
        district=district,
        moved_from=moved_from,
        moved_on=moved_on,
        industry=industry,
        industry_code=industry_code,
        founded=founded,
        ended=ended,
        end_state=end_state,
        uscc=uscc,
        name=name,
        former_name=former_name,
        renamed_on=renamed_on,
        size=size,
        research=research,
        claims=claims,
        certificate_years=_certificates(random, certified, founded),
        units=np.where(random.random(n) < 0.008 + 0.03 * (size > 1), 2, 1),
        platform_holder=(random.random(n) < 0.02 + 0.06 * (size > 0.5)).astype(np.int64),
        registered_capital=registered,
        paid_first=first,
        paid_later=later,
        paid_later_on=later_on,
        monthly_vat=size > 0.0 + 0.15 * random.normal(size=n),
    )


def _moves(seed: int, district: np.ndarray, settled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One settled enterprise in a thousand, or one, came from another district in the summer of 2026."""
    random = stream(seed, "moves")
    movers = np.sort(random.choice(settled, min(len(settled), max(1, len(settled) // 1000)), replace=False))
    moved_from: np.ndarray = np.full(len(district), "", dtype=object)
    moved_on = np.full(len(district), np.datetime64("NaT", "D"))
    for firm in movers.tolist():
        moved_from[firm] = random.choice([code for code in DISTRICTS if code != district[firm]])
        moved_on[firm] = np.datetime64("2026-07-20") + random.integers(0, 60)
    return moved_from, moved_on


def _pairs(random: np.random.Generator, industry: np.ndarray) -> zip:
    return zip(industry.tolist(), random.integers(0, 1 << 20, len(industry)).tolist(), strict=True)


def _certificates(random: np.random.Generator, certified: np.ndarray, founded: np.ndarray) -> np.ndarray:
    """The years in which a certificate is issued: every third one from the first on; a few are not renewed."""
    n = len(certified)
    earliest: np.ndarray = founded.astype("datetime64[Y]").astype(int) + 1970 + 2
    first = np.maximum(earliest, 2012) + random.integers(0, 3, n)
    issued = certified[:, None] & (first[:, None] <= CERTIFICATE_YEARS)
    issued &= (CERTIFICATE_YEARS - first[:, None]) % 3 == 0
    lost = np.cumsum((random.random(issued.shape) < 0.04) & issued, axis=1) > 0
    return issued & ~lost


@dataclass(frozen=True)
class Figures:
    """The true figures. Yearly arrays [n, YEARS], cents unless said; `before` arrays are the closing values of 2018."""

    active: np.ndarray  # bool: existed in the year
    revenue: np.ndarray
    cost: np.ndarray
    rd_book: np.ndarray  # profit statement line
    rd_claimed: np.ndarray  # super-deduction basis; 0 = not claimed that year
    rd_high_tech: np.ndarray  # high-tech basis; 0 = no certificate that year
    profit: np.ndarray
    taxable: np.ndarray
    tax: np.ndarray
    net_profit: np.ndarray
    net_assets: np.ndarray
    net_assets_opening: np.ndarray
    assets: np.ndarray
    assets_opening: np.ndarray
    wages: np.ndarray
    training: np.ndarray
    machinery: np.ndarray
    electronics: np.ndarray
    incentive: np.ndarray  # 0/1
    certified: np.ndarray  # bool: a certificate at the end of the year
    insured: np.ndarray  # [n, MONTHS] persons
    month_revenue: np.ndarray  # [n, MONTHS] cents, sums to the year's revenue
    average_insured: np.ndarray  # [n, YEARS] persons, from the months where there are months


def figures(seed: int, firms: Firms) -> Figures:
    """All figures of all enterprises, correlated through size, industry, R&D and age."""
    random = stream(seed, "figures")
    n, years = firms.count, len(YEARS)
    latent = _latent_path(random, firms.size)
    founding_year: np.ndarray = firms.founded.astype("datetime64[Y]").astype(int) + 1970
    end_year = np.where(np.isnat(firms.ended), 9999, firms.ended.astype("datetime64[Y]").astype(int) + 1970)
    active = (founding_year[:, None] <= YEARS) & (end_year[:, None] >= YEARS)
    running = firms.exists(MONTHS.astype("datetime64[D]") + np.timedelta64(27, "D"))
    lived = np.where(founding_year[:, None] == YEARS, _rest_of_year(firms.founded)[:, None], 1.0)

    log_revenue = np.interp(latent - _SHIFT, _LATENT, _REVENUE) + _TREND * (YEARS - 2024)
    earns_nothing = (random.random(n) < 0.12) & (founding_year >= 2020) & (firms.size < 0.3)
    revenue = cents(exp(log_revenue) * lived * active)
    revenue[earns_nothing] = 0
    opened = running.reshape(n, -1, 12).any(axis=2)
    revenue[:, MONTHS_FROM:] *= opened
    month_revenue = _by_month(random, revenue, running)

    margin = np.clip(firms.profile("margin")[:, None] + 0.06 * random.normal(size=(n, 1)), 0.05, 0.75)
    margin = np.clip(margin + 0.02 * random.normal(size=(n, years)), 0.03, 0.8)
    cost = share(revenue, 1 - margin)

    intensity = firms.profile("rd") * exp(0.45 * random.normal(size=n) - 0.18 * np.clip(firms.size, -1.5, 2))
    intensity = np.minimum(intensity[:, None] * exp(0.12 * random.normal(size=(n, years))), 0.45)
    certified = _certified(firms)
    intensity = np.where(certified, np.maximum(intensity, 0.034), intensity)
    rd_base = np.where(revenue > 0, revenue * intensity, cents(exp(13 + 0.6 * random.normal(size=(n, 1)))) * active)
    rd_base = np.where(firms.research[:, None], rd_base, 0)
    claims = firms.claims[:, None] & active & (random.random((n, years)) > 0.04) & (rd_base > 5e6)
    rd_claimed = np.where(claims, share(rd_base, 0.97), 0)
    rd_high_tech = np.where(certified & active, share(rd_base, 0.9 + 0.22 * random.random((n, years))), 0)
    rd_book = share(rd_base, 0.92 + 0.3 * random.random((n, years)))

    overhead = share(revenue, np.clip(0.1 + 0.05 * random.normal(size=(n, years)), 0.01, 0.3))
    profit = revenue - cost - overhead - share(rd_book, 0.75) - np.where(revenue == 0, share(rd_book, 0.4), 0)
    profit *= active
    taxable = profit - share(rd_claimed, 0.9) + share(np.abs(profit), 0.08)
    rate = np.where(certified, 0.15, np.where(taxable < 3e8, 0.05, 0.25))
    tax = np.where(taxable > 0, share(taxable, rate), 0)
    net_profit = profit - tax

    net_assets, opening = _equity(random, firms, revenue, net_profit, active)
    assets, assets_opening = _assets(random, firms, revenue, net_assets, opening, active)

    insured = _insured(random, firms, log_revenue, running, earns_nothing)
    average = np.zeros((n, years))
    first = MONTHS_FROM
    months = insured.reshape(n, -1, 12)
    average[:, first:] = months.sum(axis=2) / np.maximum(running.reshape(n, -1, 12).sum(axis=2), 1)
    average[:, :first] = np.maximum(average[:, [first]], 1) * active[:, :first]
    wages = cents(average * firms.profile("wage")[:, None] * (1 + 0.03 * (YEARS - 2024)) * lived)
    wages = share(wages, exp(0.12 * random.normal(size=(n, 1))))
    machinery = share(
        revenue, np.clip(0.35 * firms.profile("capital")[:, None], 0, 0.6) * (0.8 + 0.4 * random.random((n, 1)))
    )
    machinery = np.maximum.accumulate(machinery, axis=1) * active
    electronics = share(np.maximum(wages, revenue // 40), 0.06 + 0.06 * random.random((n, years))) * active
    incentive_from = np.where(random.random(n) < 0.03, random.integers(2019, 2027, n), 9999)
    return Figures(
        active=active,
        revenue=revenue,
        cost=cost,
        rd_book=rd_book,
        rd_claimed=rd_claimed,
        rd_high_tech=rd_high_tech,
        profit=profit,
        taxable=taxable * active,
        tax=tax,
        net_profit=net_profit,
        net_assets=net_assets,
        net_assets_opening=opening,
        assets=assets,
        assets_opening=assets_opening,
        wages=wages,
        training=share(wages, np.clip(0.012 + 0.012 * random.normal(size=(n, years)), 0, 0.08)),
        machinery=machinery,
        electronics=electronics,
        incentive=(incentive_from[:, None] <= YEARS).astype(np.int64),
        certified=certified,
        insured=insured,
        month_revenue=month_revenue,
        average_insured=average,
    )


def _latent_path(random: np.random.Generator, size: np.ndarray) -> np.ndarray:
    """A stationary walk through `size` in the middle year, so that the mix of sizes is the same in every year."""
    n, years = len(size), len(YEARS)
    middle = years // 2
    shocks = random.normal(size=(n, years)) * np.where(random.random((n, years)) < 0.1, 2.2, 0.78)
    path = np.empty((n, years))
    path[:, middle] = size
    noise = np.sqrt(1 - _PERSISTENCE**2)
    for t in range(middle + 1, years):
        path[:, t] = _PERSISTENCE * path[:, t - 1] + noise * shocks[:, t]
    for t in range(middle - 1, -1, -1):
        path[:, t] = _PERSISTENCE * path[:, t + 1] + noise * shocks[:, t]
    return path


def _rest_of_year(founded: np.ndarray) -> np.ndarray:
    start: np.ndarray = founded.astype("datetime64[Y]").astype("datetime64[D]")
    return 1 - (founded - start).astype(int) / 366


def _by_month(random: np.random.Generator, revenue: np.ndarray, running: np.ndarray) -> np.ndarray:
    """Split each year's revenue over the months lived; the rounding rest falls into the last of them."""
    n, months = running.shape
    season = np.tile([0.9, 0.7, 1.0, 1.0, 1.0, 1.1, 1.0, 1.0, 1.0, 1.0, 1.1, 1.2], months // 12)
    weight = (running * season * (0.8 + 0.4 * random.random((n, months)))).reshape(n, -1, 12)
    total = np.maximum(weight.sum(axis=2, keepdims=True), 1e-9)
    yearly = revenue[:, MONTHS_FROM:, None]
    split = np.floor(yearly * (weight / total)).astype(np.int64)
    rest = yearly[..., 0] - split.sum(axis=2)
    last = 11 - np.argmax(running.reshape(n, -1, 12)[:, :, ::-1], axis=2)
    np.put_along_axis(split, last[..., None], np.take_along_axis(split, last[..., None], 2) + rest[..., None], axis=2)
    return split.reshape(n, months)


def _certified(firms: Firms) -> np.ndarray:
    """[n, YEARS] holds a certificate at the end of the year: issued in that year or one of the two before."""
    issued = firms.certificate_years
    column = {int(year): i for i, year in enumerate(CERTIFICATE_YEARS)}
    return np.stack([issued[:, column[y] - 2 : column[y] + 1].any(axis=1) for y in YEARS.tolist()], axis=1)


def _equity(
    random: np.random.Generator, firms: Firms, revenue: np.ndarray, net_profit: np.ndarray, active: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Closing and opening net assets: opening + profit + capital paid in - dividends = closing."""
    n = firms.count
    paid = firms.paid_in(year_start(YEARS + 1) - np.timedelta64(1, "D"))
    paid_before = np.where(firms.founded < year_start(YEARS[0]), firms.paid_in(year_start(YEARS[0]))[:, 0], 0)
    level = paid_before + share(revenue[:, 0], 0.25 + 0.35 * random.random(n)) * (paid_before > 0)
    payout = np.where(random.random((n, len(YEARS))) < 0.35, 0.3, 0.0)
    closing, opening = np.zeros(active.shape, dtype=np.int64), np.zeros(active.shape, dtype=np.int64)
    for t in range(len(YEARS)):
        opening[:, t] = level * active[:, t]
        dividend = share(np.maximum(net_profit[:, t], 0), payout[:, t])
        injected = paid[:, t] - (paid[:, t - 1] * active[:, t - 1] if t else paid_before)
        level = np.where(active[:, t], level + net_profit[:, t] + injected - dividend, level)
        closing[:, t] = level * active[:, t]
    return closing, opening


def _assets(
    random: np.random.Generator,
    firms: Firms,
    revenue: np.ndarray,
    net_assets: np.ndarray,
    opening: np.ndarray,
    active: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Total assets: from revenue and industry, never below net assets plus some liabilities, never below zero."""
    turnover = firms.profile("capital")[:, None] * exp(0.3 * random.normal(size=(firms.count, 1)))
    need = share(revenue, turnover)
    debt = 0.1 + 1.6 * random.random((firms.count, 1)) ** 2 + 0.1 * random.random(active.shape)
    floor: np.ndarray = share(np.maximum(net_assets, 0), 1 + debt) + 100_000
    assets = np.maximum(need, floor) * active
    before = np.maximum(share(need[:, 0], 0.95), share(np.maximum(opening[:, 0], 0), 1.1)) + 100_000
    shifted = np.concatenate([before[:, None], assets[:, :-1]], axis=1)
    return assets, np.maximum(shifted, np.maximum(opening, 0)) * active


def _insured(
    random: np.random.Generator, firms: Firms, log_revenue: np.ndarray, running: np.ndarray, earns_nothing: np.ndarray
) -> np.ndarray:
    """[n, MONTHS] insured persons: revenue to the power 3/4, a lasting firm effect, slow monthly movement."""
    n, months = running.shape
    effect = 0.35 * random.normal(size=(n, 1))
    yearly = np.log(9) + 0.75 * (log_revenue - np.log(5e6)) + effect
    at = MONTHS_FROM + (np.arange(months) + 0.5) / 12 - 0.5
    low = np.clip(np.floor(at).astype(int), 0, len(YEARS) - 2)
    path = yearly[:, low] + (yearly[:, low + 1] - yearly[:, low]) * (at - low)
    persons = np.rint(exp(path) * (1 + 0.02 * random.normal(size=(n, months)))).astype(np.int64)
    persons = np.maximum(persons, 1)
    persons[earns_nothing] = np.maximum(persons[earns_nothing] // 2, 1)
    idle = (random.random(n) < 0.015) & ~earns_nothing & (firms.size < -0.5)
    persons[idle] = 0
    return persons * running
