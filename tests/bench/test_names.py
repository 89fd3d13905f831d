"""The benchmark of names at a small size: what it promises of the engine, and that its judge is not easily pleased."""

from __future__ import annotations

import pytest

from include.bench.names import bench_names, judged
from include.bench.town import Asked, Town
from include.kernel.errors import TerminalError


def test_links_are_right_and_the_true_firm_is_linked_or_among_the_first_three() -> None:
    found = bench_names(1500, 1500, seed=7)
    assert found["links"] > 600
    assert found["precision"] == 1.0
    assert found["links_of_names_that_are_nobodys"] == 0
    assert found["automatic_or_top_3"] >= 0.985
    by_kind = found["automatic_or_top_3_by_kind"]
    assert by_kind["exact"] == by_kind["spelling"] == by_kind["former"] == 1.0
    tiers = found["tiers_by_kind"]
    assert set(tiers["exact"]) | set(tiers["spelling"]) == {"exact"}
    assert set(tiers["former"]) == {"alias"}
    assert set(tiers["absent"]) <= {"review", "none"}
    assert set(tiers["person"]) == {"person"}
    assert set(tiers["institution"]) == {"institution"}
    assert set(tiers["foreign"]) == {"none"}


def test_the_same_seed_draws_the_same_town_and_another_seed_another() -> None:
    towns = [Town.drawn(50, 50, seed) for seed in (1, 1, 2)]
    assert towns[0].asked == towns[1].asked
    assert towns[0].names == towns[1].names
    assert towns[0].asked != towns[2].asked


def test_in_a_town_names_are_unique_and_what_is_nobodys_is_not_registered() -> None:
    town = Town.drawn(400, 800, 3)
    registered = [str(name) for name in [*town.names.values(), *(n for names in town.former.values() for n in names)]]
    assert len(set(registered)) == len(registered)
    for one in town.asked:
        equal = one.text in registered
        assert equal if one.kind in ("exact",) else not equal or one.kind in ("spelling", "former")


def answer(name: str, uscc: str = "", candidates: str = "") -> dict[str, str]:
    return {"name": name, "uscc": uscc, "tier": "exact" if uscc else "review", "candidates": candidates}


def test_the_judge_counts_wrong_links_links_of_nobody_and_what_is_not_found() -> None:
    asked = [Asked("a", "exact", "1"), Asked("b", "exact", "2"), Asked("c", "absent", ""), Asked("d", "typo", "4")]
    asked.append(Asked("e", "typo", "5"))
    answers = [answer("a", "1"), answer("b", "9"), answer("c", "3"), answer("d", candidates="8;4"), answer("e")]
    found = judged(asked, answers)
    assert (found["links"], found["links_right"], found["links_of_names_that_are_nobodys"]) == (3, 1, 1)
    assert found["precision"] == pytest.approx(1 / 3, abs=1e-5)
    assert found["automatic_or_top_3"] == 0.5
    assert found["automatic_or_top_3_by_kind"] == {"exact": 0.5, "typo": 0.5}


def test_the_judge_refuses_answers_that_are_not_those_of_the_list() -> None:
    with pytest.raises(TerminalError, match="not those of the names asked"):
        judged([Asked("a", "exact", "1")], [answer("b", "1")])
