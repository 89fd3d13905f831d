"""Decisions about names: only added to, taken back by adding, and the same as of a date however often it is asked."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from include.kernel.errors import BadInput
from include.kernel.periods import SHANGHAI
from include.store.decisions import NameDecision, decide, decisions, in_force, revoke, run_name_decision
from include.store.warehouse import writing

A, B = "91320411YY00000018", "91320411YY00000280"
NAME = ("", "常州恒闯液压有限公司")


def say(engine: Engine, uscc: str | None, subject: tuple[str, str] = NAME) -> int:
    return decide(engine, "IP_PAT", subject, uscc, evidence="电话核实", by="王").id


def meant(taken: list[NameDecision]) -> dict[str, dict[tuple[str, str], str | None]]:
    """Who is meant, by dataset and by code and name."""
    return {dataset: {at: one.uscc for at, one in held.items()} for dataset, held in in_force(taken).items()}


def test_the_last_decision_about_a_subject_holds_in_its_dataset_only(warehouse: Engine) -> None:
    say(warehouse, A)
    say(warehouse, B)
    say(warehouse, None, ("", "常州某有限公司"))
    decide(warehouse, "HR_INS", NAME, A, evidence="营业执照", by="李")
    assert meant(decisions(warehouse)) == {
        "IP_PAT": {NAME: B, ("", "常州某有限公司"): None},
        "HR_INS": {NAME: A},
    }


def test_a_revoked_decision_leaves_what_held_before_it(warehouse: Engine) -> None:
    first, second = say(warehouse, A), say(warehouse, B)
    revoke(warehouse, second, evidence="看错了", by="李")
    assert meant(decisions(warehouse)) == {"IP_PAT": {NAME: A}}
    revoke(warehouse, first, evidence="也看错了", by="李")
    assert meant(decisions(warehouse)) == {}
    assert [(one.decided_by, one.uscc, one.revokes) for one in decisions(warehouse)] == [
        ("王", A, None),
        ("王", B, None),
        ("李", None, second),
        ("李", None, first),
    ]


def test_as_of_a_date_only_what_was_decided_by_then_is_seen_and_later_revocations_are_not(warehouse: Engine) -> None:
    number = say(warehouse, A)
    cutoff = datetime(2026, 11, 20, tzinfo=SHANGHAI)
    with writing(warehouse) as connection:  # as if it had been taken in the last second of the day before
        earlier = sa.update(run_name_decision).values(decided_at=cutoff - timedelta(seconds=1))
        connection.execute(earlier)
    revoke(warehouse, number, evidence="看错了", by="李")
    assert meant(decisions(warehouse, before=cutoff)) == {"IP_PAT": {NAME: A}}
    assert meant(decisions(warehouse, before=cutoff - timedelta(seconds=1))) == {}
    assert meant(decisions(warehouse)) == {}


def test_who_and_why_stand_in_one_line_that_steers_no_terminal(warehouse: Engine) -> None:
    forged = "电话核实\n    9  2026-11-20 09:00  王处长: IP_PAT 甲 means 乙"
    taken = decide(warehouse, "IP_PAT", NAME, A, evidence=forged, by="李\x1b[2J\u202e")
    assert taken.evidence == "电话核实 9 2026-11-20 09:00 王处长: IP_PAT 甲 means 乙"
    assert taken.decided_by == r"李\x1b[2J\u202e"
    assert decisions(warehouse) == [taken]


def test_a_decision_says_who_and_why_and_only_a_standing_one_is_revoked(warehouse: Engine) -> None:
    for evidence, by in (("", "王"), (" ", "王"), ("\n", "王"), ("电话核实", "")):
        with pytest.raises(BadInput, match=r"no (evidence|decided_by)"):
            decide(warehouse, "IP_PAT", NAME, A, evidence=evidence, by=by)
    assert decisions(warehouse) == []
    number = say(warehouse, A)
    revocation = revoke(warehouse, number, evidence="看错了", by="李").id
    for wrong, said in ((number, "revoked already"), (revocation, "no decision"), (999, "no decision")):
        with pytest.raises(BadInput, match=said):
            revoke(warehouse, wrong, evidence="看错了", by="李")
    assert len(decisions(warehouse)) == 2
