"""What is true of each enterprise as of two dates, from the world itself: no cleaning, casting or resolving took part.

`truth_enterprises`: one row per participating enterprise and date. Amounts are decimals in yuan; null = not held,
either because nothing had arrived or because what arrived belongs into quarantine.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa

from include.sandbox.firms import Firms
from include.sandbox.holdings import holdings
from include.sandbox.lists import Certificates
from include.sandbox.patents import Patents
from include.sandbox.records import name_on
from include.sandbox.truth_risk import AMOUNTS, COUNTS, finance_and_risk

AS_OF = (date(2026, 6, 15), date(2026, 11, 20))
CLOSED_YEAR = 2025  # of both dates
YEARS = tuple(range(2022, 2026))
STAGES = ("初创期", "成长期", "发展期", "成熟期")
_REVENUE_LINES = (5_000_000, 20_000_000, 200_000_000)
_AGE_LINES = (3, 6, 12)

# Of the records that count and had arrived, per enterprise and year the latest filing.
_LATEST = """
SELECT _firm, {year} AS year, {value} AS value FROM {table}
WHERE _fate = '' AND _arrival < getvariable('cutoff') {only}
QUALIFY row_number() OVER (PARTITION BY _firm, year ORDER BY GZCS DESC, _arrival DESC) = 1
"""
_SALES = """
SELECT _firm, year, sum(value) AS value FROM (
  SELECT _firm, left(SKSSQQ, 4)::int AS year, XSE::decimal(24, 2) AS value FROM vat
  WHERE _fate = '' AND _arrival < getvariable('cutoff')
  QUALIFY row_number() OVER (PARTITION BY _firm, NSRSBH, SKSSQQ ORDER BY GZCS DESC, _arrival DESC) = 1
) GROUP BY ALL
"""
_INSURED = """
SELECT _firm, left(AAE002, 4)::int AS year, sum(CBRS::decimal(24, 2)) AS value FROM insured
WHERE _fate = '' AND _arrival < getvariable('cutoff') GROUP BY ALL
"""


def enterprises(firms: Firms, patents: Patents, held: Certificates, tables: dict[str, pa.Table]) -> pa.Table:
    """The truth per (enterprise, date); `insured_person_months_<year>` is the sum of the year's monthly headcounts."""
    parts = [_as_of(day, firms, patents, held, tables) for day in AS_OF]
    return pa.concat_tables(parts).sort_by([("as_of", "ascending"), ("uscc", "ascending")]).combine_chunks()


def _as_of(day: date, firms: Firms, patents: Patents, held: Certificates, tables: dict[str, pa.Table]) -> pa.Table:
    moment = np.datetime64(day)
    told = moment - 1  # what the registry wrote on the day itself had not arrived before it
    here = np.isnat(firms.ended) | (firms.ended > told)
    old_enough = firms.founded <= np.datetime64(day.replace(year=day.year - 1))
    members = np.flatnonzero(firms.takes_part & here & old_enough)
    measured = _measured(moment, tables)
    shares = np.zeros(firms.count)
    application, owner, share = patents.valid_shares(moment)
    spoilt = tables["IP_PAT"].filter(pa.compute.equal(tables["IP_PAT"]["_fate"], "quarantined"))["_patent"].to_numpy()
    read = ~np.isin(application, spoilt)
    np.add.at(shares, owner[read], share[read])
    certified: np.ndarray = np.zeros(firms.count, dtype=bool)
    certified[held.firm[held.valid_on(moment)]] = True
    age = np.asarray(moment - firms.founded).astype(int) / 365.25

    columns = {
        "uscc": pa.array(firms.uscc[members]),
        "as_of": pa.array([day] * len(members)),
        "district": pa.array(firms.district_on(np.full(len(members), told), members)),
        "name": name_on(firms, members, np.full(len(members), told)),
        "established_on": pa.array(firms.founded[members]),
        "stage": pa.array([_stage(int(firm), measured, float(age[firm])) for firm in members]),
        "high_tech_valid": pa.array(certified[members]),
        "valid_inventions": pa.array([Decimal(str(value)) for value in shares[members]], pa.decimal128(12, 2)),
    }
    for name, held_by_firm in holdings(moment, firms, patents, tables).items():
        columns[name] = held_by_firm.take(pa.array(members))
    for name, values in measured.items():
        for year in YEARS:
            cells = [values.get((int(firm), year)) for firm in members]
            columns[f"{name}_{year}"] = pa.array(cells, pa.decimal128(24, 2))
    risk = finance_and_risk(moment, tables)
    for name in (*AMOUNTS, *COUNTS):
        none = None if name == "credit_grade" else Decimal(0)
        cells = [risk[name].get(int(firm), none) for firm in members]
        columns[name] = pa.array(cells, pa.decimal128(24, 2) if name in AMOUNTS else pa.decimal128(6, 1))
    return pa.table(columns)


Values = dict[tuple[int, int], Decimal]


def _measured(moment: np.datetime64, tables: dict[str, pa.Table]) -> dict[str, Values]:
    """Per measure (enterprise, year) → what is held."""
    cutoff = int(moment.astype("datetime64[s]").astype(np.int64))
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"SET VARIABLE cutoff = {cutoff}")
        for name, dataset in (("cit", "TAX_CIT"), ("rdd", "TAX_RDD"), ("vat", "TAX_VAT"), ("insured", "HR_INS")):
            connection.register(name, tables[dataset])
        revenue = _LATEST.format(
            table="cit", year="left(SKSSQQ, 4)::int", value="JE::decimal(24, 2)", only="AND HMC = '营业收入'"
        )
        research = _LATEST.format(table="rdd", year="SSND::int", value="NDYFFYXJ::decimal(24, 2)", only="")
        queries = {
            "operating_revenue_yuan": revenue,
            "operating_revenue_vat_yuan": _SALES,
            "rd_expense_yuan": research,
            "insured_person_months": _INSURED,
        }
        return {
            name: {(firm, year): value for firm, year, value in connection.execute(query).fetchall()}
            for name, query in queries.items()
        }


def _stage(firm: int, measured: dict[str, Values], age: float) -> str:
    """By the better of the last two closed years' revenue (the return, else VAT sales); without revenue by age."""
    best = Decimal(0)
    for year in (CLOSED_YEAR, CLOSED_YEAR - 1):
        returned = measured["operating_revenue_yuan"].get((firm, year))
        sold = measured["operating_revenue_vat_yuan"].get((firm, year))
        best = max(best, (returned if returned is not None else sold) or Decimal(0))
    if best > 0:
        return STAGES[sum(best >= line for line in _REVENUE_LINES)]
    return STAGES[sum(age > line for line in _AGE_LINES)]
