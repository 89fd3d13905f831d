"""What the invented world promises: it repeats, its figures add up, its mix and its nightly change are as declared."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from stdnum.cn import uscc

from include.sandbox.dirt import as_in_life
from include.sandbox.drop_folders import DROP_FOLDERS
from include.sandbox.firms import END, YEARS, Figures, Firms, figures, firms
from include.sandbox.gateway import load_shelves
from include.sandbox.moves import HANDED_OVER
from include.sandbox.naming import organisation_code, patent_check
from include.sandbox.records import RESOURCES
from include.sandbox.registry import registrations
from include.sandbox.serve import generate
from include.sandbox.tax import payments
from include.sandbox.world import World, world
from tests.sandbox.conftest import ENTERPRISES, SEED

DEFAULT_SEED, DEFAULT_ENTERPRISES = 20210430, 2791
STAGE_SHARES = (0.55, 0.16, 0.22, 0.07)


def digests(home: Path) -> dict[str, str]:
    folder = home / "sandbox" / "world"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_seed_and_size_give_the_same_bytes_whatever_the_hash_seed_zone_and_clock(home: Path, tmp_path: Path):
    environment = os.environ | {"PYTHONHASHSEED": "12345", "TZ": "America/New_York", "INNOPOINTS_HOME": str(tmp_path)}
    command = ["-m", "include.sandbox", "generate", "--enterprises", str(ENTERPRISES), "--seed", str(SEED)]
    subprocess.run([sys.executable, *command], env=environment, check=True, timeout=120)
    again = digests(tmp_path)
    assert len(again) > 50
    assert again == digests(home)


def test_another_seed_gives_other_enterprises(small_world: World):
    others = firms(SEED + 1, ENTERPRISES)
    assert not set(others.name.tolist()) & set(small_world.firms.name.tolist())


SMALL = [*((size, seed) for size in (1, 5) for seed in range(1, 7)), (20, 1), (20, 4), (60, 5), (120, 2)]


@pytest.mark.parametrize(("enterprises", "seed"), SMALL)
def test_a_small_world_has_every_table_in_the_columns_and_types_of_a_large_one(
    small_world: World, enterprises: int, seed: int
):
    tiny = world(seed, enterprises)
    assert {name: table.schema for name, table in tiny.tables.items()} == {
        name: table.schema for name, table in small_world.tables.items()
    }
    assert tiny.tables["REG_ENT"].num_rows >= enterprises
    assert len(set(tiny.enterprises["uscc"].to_pylist())) == enterprises


@pytest.mark.parametrize("seed", [1, 21])
def test_the_truth_knows_name_and_district_as_the_registry_had_told_them_by_then(seed: int):
    """In both worlds somebody takes another name in December 2026, after the days that the truth speaks of."""
    tiny = world(seed, 20, as_in_life(0))
    assert any(tiny.firms.renamed_on > np.datetime64("2026-11-20"))
    told = tiny.tables["REG_ENT"].sort_by("_arrival").to_pylist()
    for row in tiny.enterprises.to_pylist():
        midnight = np.datetime64(row["as_of"], "s").astype(int)
        last = [one for one in told if one["uniscid"] == row["uscc"] and one["_arrival"] < midnight][-1]
        assert (row["name"], row["district"]) == (last["entname"], last["mgtarea"])


@pytest.mark.parametrize(("enterprises", "seed"), [(1, 1), (1, 5), (5, 3), (5, 5)])
def test_a_small_world_is_handed_over_and_served(tmp_path: Path, enterprises: int, seed: int):
    folder = generate(tmp_path, enterprises, seed) / "world"
    assert set(load_shelves(folder / "gateway")) == {f"{one.department}/{one.path}" for one in RESOURCES.values()}
    assert {path.name for path in (folder / "drop").iterdir()} == {"banks"} | {d.name for d in DROP_FOLDERS.values()}


@pytest.fixture(scope="module")
def default_size() -> tuple[Firms, Figures]:
    them = firms(DEFAULT_SEED, DEFAULT_ENTERPRISES)
    return them, figures(DEFAULT_SEED, them)


@pytest.mark.parametrize("closed_year", range(2022, 2027))
def test_stage_shares_stay_near_the_published_ones(default_size: tuple[Firms, Figures], closed_year: int):
    them, numbers = default_size
    t = closed_year - int(YEARS[0])
    member = them.takes_part & (them.founded < np.datetime64(f"{closed_year}-06-01"))
    yuan = np.maximum(numbers.revenue[:, t], numbers.revenue[:, t - 1])[member] / 100
    stage = np.digitize(yuan, [5e6, 2e7, 2e8])
    shares = np.bincount(stage, minlength=4) / len(stage)
    assert np.abs(shares - STAGE_SHARES).max() < 0.03


def test_exactly_the_asked_number_takes_part_from_june_2026_on(default_size: tuple[Firms, Figures]):
    them, _ = default_size
    for day in ("2026-06-15", "2026-11-23", "2027-12-01"):
        moment = np.datetime64(day)
        old_enough = them.founded <= moment - np.timedelta64(366, "D")
        in_business = np.isnat(them.ended) | (them.ended > moment)
        assert (old_enough & in_business).sum() == DEFAULT_ENTERPRISES
    assert them.count > DEFAULT_ENTERPRISES * 1.03


def test_high_tech_and_super_deduction_shares(default_size: tuple[Firms, Figures]):
    them, numbers = default_size
    t = 2025 - int(YEARS[0])
    assert abs(numbers.certified[them.takes_part, t].mean() - 0.38) < 0.04
    assert abs((numbers.rd_claimed[them.takes_part, t] > 0).mean() - 0.60) < 0.04


def test_something_changes_in_the_registry_and_is_paid_every_single_day(default_size: tuple[Firms, Figures]):
    them, numbers = default_size
    days = set(np.arange(np.datetime64("2024-01-01"), END).astype(int).tolist())
    for table in (registrations(DEFAULT_SEED, them), payments(DEFAULT_SEED, them, numbers)):
        assert not days - set((table["_arrival"].to_numpy() // 86400).tolist())


def test_codes_carry_right_check_characters_and_an_organisation_prefix_not_issued(small_world: World):
    for code in small_world.firms.uscc.tolist():
        assert uscc.is_valid(code)
        assert code[8:10] == "YY"
    assert len(set(small_world.firms.uscc.tolist())) == small_world.firms.count


def test_organisation_check_character_on_paper():
    # Y = 34: 34*3 + 34*7 + 1*9 + 0*10 + 0*5 + 0*8 + 0*4 + 1*2 = 351; 351 mod 11 = 10; 11 - 10 = 1
    assert organisation_code(100001) == "YY1000011"


def test_patent_check_character_on_paper():
    # 2*2+0*3+2*4+1*5+1*6+9*7+9*8+0*9+0*2+0*3+0*4+1*5 = 163; 163 mod 11 = 9
    assert patent_check(np.array([202119900001])).tolist() == ["9"]


def test_patent_serials_begin_with_99(small_world: World):
    numbers = small_world.tables["IP_PAT"]["ApplicationNumber"].to_pylist()
    assert {number[7:9] for number in numbers} == {"99"}


def amounts(table: pa.Table, column: str) -> list[Decimal]:
    return [Decimal(text) for text in table[column].to_pylist()]


@pytest.fixture(scope="module")
def clean() -> World:
    return world(SEED, ENTERPRISES, as_in_life(0))


def test_balance_sheets_add_up(clean: World):
    table = clean.tables["TAX_FIN"]
    columns = (amounts(table, name) for name in ("ZCZJ", "FZHJ", "SYZQYHJ"))
    for assets, liabilities, net_assets in zip(*columns, strict=True):
        assert assets == liabilities + net_assets
        assert liabilities >= 0


def test_r_and_d_total_is_own_plus_four_fifths_of_commissioned(clean: World):
    table = clean.tables["TAX_RDD"]
    names = ("NDYFFYXJ", "ZZYFXJ", "WTYF", "FYHJE", "ZBHJE", "RYRGFY", "GZXJ")
    for total, own, outside, expensed, capitalised, personnel, wages in zip(
        *(amounts(table, name) for name in names), strict=True
    ):
        assert total == own + outside * Decimal("0.8") == expensed + capitalised
        assert wages <= personnel <= own


def test_people_are_parts_of_people(clean: World):
    staff = clean.tables["HR_STAFF"]
    names = ("ZCRS", "BKJYS", "SSRS", "BSRS", "YFGWRS", "YFSSRS", "YFBSRS")
    for all_, bachelors, masters, doctors, posts, rd_masters, rd_doctors in zip(
        *(map(int, staff[name].to_pylist()) for name in names), strict=True
    ):
        assert masters + doctors <= bachelors <= all_
        assert rd_masters + rd_doctors <= posts <= all_
        assert rd_masters <= masters
        assert rd_doctors <= doctors
    relief = clean.tables["TAX_HNTE"]
    assert all(
        int(some) <= int(all_)
        for some, all_ in zip(relief["BNJYDZXLRS"].to_pylist(), relief["BNZGZS"].to_pylist(), strict=True)
    )
    insured = clean.tables["HR_INS"]
    assert all(
        int(stayed) <= int(now)
        for stayed, now in zip(insured["NCZCRS"].to_pylist(), insured["CBRS"].to_pylist(), strict=True)
    )


def test_vat_sales_of_a_year_are_the_returns_revenue(clean: World):
    returned = {
        (code, start[:4]): Decimal(amount)
        for code, start, name, amount in zip(
            *(clean.tables["TAX_CIT"][c].to_pylist() for c in ("SHXYDM", "SKSSQQ", "HMC", "JE")), strict=True
        )
        if name == "营业收入"
    }
    sold: Counter[tuple[str, str]] = Counter()
    filed = clean.tables["TAX_VAT"].filter(pa.compute.equal(clean.tables["TAX_VAT"]["_fate"], ""))
    for code, start, sales in zip(*(filed[c].to_pylist() for c in ("SHXYDM", "SKSSQQ", "XSE")), strict=True):
        sold[code, start[:4]] += Decimal(sales)
    stayed = set(clean.firms.uscc[clean.firms.takes_part].tolist())
    compared = [key for key in returned if key[0] in stayed and "2021" <= key[1] <= "2026"]
    assert len(compared) > 5 * ENTERPRISES
    assert all(sold[key] == returned[key] for key in compared)


def test_a_clean_world_plants_nothing(clean: World):
    natural = {"moved", "ended", "co_owned", "two_units", "cancelled", "rare_characters"}
    assert set(clean.planted["kind"].to_pylist()) <= natural
    assert all(set(table["_fate"].to_pylist()) <= {"", HANDED_OVER} for table in clean.tables.values())


def test_more_dirt_plants_more(clean: World):
    plain, tripled = (world(SEED, ENTERPRISES, as_in_life(scale)).planted.num_rows for scale in (1, 3))
    assert tripled - clean.planted.num_rows > 1.5 * (plain - clean.planted.num_rows)
