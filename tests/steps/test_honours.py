"""A year's honours: announced and frozen with a named person's answer only, and after their days in public."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from include.kernel.errors import BadInput, InnopointsError, TerminalError
from include.publish.generations import prune, rollback
from include.publish.honours import difference, digest, notice_days
from include.steps import honours, honours_question
from include.steps.approval import answered, asked
from include.steps.honours_question import question
from include.steps.stores import open_stores
from include.store import honours as store
from include.store.approvals import run_approval
from include.store.warehouse import PUBLISHED, clock, generation, reading, writing
from tests.portal.conftest import code, put, town

RUN, SCHEME, HONOUR = "innopoints_honours/manual__1", "changzhou_v1", "标兵企业"
APPROVED_ON = datetime(2026, 11, 30, 2, tzinfo=UTC)
FOURTH = r"常州\<script\>alert\(1\)\</script\>有限公司"  # a name with mark-up in it
LAST_DAY = date(2026, 12, 7)  # seven whole days after 30 November
AFTERWARDS = datetime(2026, 12, 7, 16, tzinfo=UTC)  # midnight in Shanghai, 8 December
WHY: dict[str, Any] = {"evidence": "来信", "by": "李工"}


@pytest.fixture
def engine(warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The town of seven enterprises, published; two of them are honoured."""
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    monkeypatch.setenv("INNOPOINTS_WAREHOUSE_URL", warehouse_url)
    at(monkeypatch, APPROVED_ON)
    engine = open_stores().engine
    put(engine, town())
    return engine


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(honours, "clock", lambda: moment)


def propose(year: int = 2026, generation_id: int | None = None, days: int | None = None, run: str = RUN) -> Any:
    return honours.propose(year, generation_id, days, run=run, holder=f"{run}/propose")


def answers(engine: Engine) -> list[sa.Row]:
    with reading(engine) as connection:
        return list(connection.execute(sa.select(run_approval).order_by(run_approval.c.id)))


def approve(run: str = RUN, person: str | None = "chen", option: str = "Approve", reason: str = "已核") -> None:
    asked(run, honours.about(honours.roll_asked(run)))
    honours.answered(run, option, person, reason)


def announce(run: str = RUN) -> dict[str, Any]:
    return honours.announce(run=run, holder=f"{run}/announce")


def freeze(run: str = RUN) -> dict[str, Any]:
    return honours.freeze(run=run, holder=f"{run}/freeze")


def in_public(year: int = 2026, run: str = RUN) -> dict[str, Any]:
    proposed = propose(year, run=run)
    approve(run)
    announce(run)
    return proposed


def frozen(monkeypatch: pytest.MonkeyPatch, year: int = 2026, run: str = RUN) -> dict[str, Any]:
    in_public(year, run)
    at(monkeypatch, AFTERWARDS)
    return freeze(run)


def test_approved_honours_stand_in_public_for_their_days_and_freeze_on_the_day_after(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposed = propose()
    assert (proposed["honoured"], proposed["notice_days"]) == (2, 7)
    approve()
    stands = announce()
    assert (stands["notice_until"], stands["ends_at"]) == ("2026-12-07", "2026-12-08T00:00:00+08:00")
    at(monkeypatch, AFTERWARDS - timedelta(seconds=1))
    with pytest.raises(TerminalError, match="it stands in public until 2026-12-07"):
        freeze()
    assert store.frozen(engine, 2026, SCHEME) == []
    at(monkeypatch, AFTERWARDS)
    assert freeze() == {"roll": 1, "year": 2026, "frozen": 2, "held_back": 0}
    held = honours.year_of(2026, SCHEME)
    assert [(one.uscc, one.honour, one.district) for one in held.entries] == [
        (code(0), HONOUR, "320411"),
        (code(3), HONOUR, "320412"),
    ]
    assert held.roll.status == "frozen"


def test_every_step_done_twice_changes_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    proposed = propose()
    assert propose() == proposed
    approve()
    first = announce()
    at(monkeypatch, APPROVED_ON + timedelta(days=2))
    assert announce() == first
    at(monkeypatch, AFTERWARDS)
    assert freeze() == freeze()
    assert len(store.rolls(engine)) == 1


@pytest.mark.parametrize(
    ("option", "person"),
    [("Reject", "chen"), ("Approve", None), ("Approve", " ")],
    ids=["rejected", "nobody", "no name"],
)
def test_nothing_is_announced_without_the_yes_of_somebody_with_a_name(
    engine: Engine, option: str, person: str | None
) -> None:
    propose()
    approve(person=person, option=option)
    with pytest.raises(TerminalError, match="no recorded approval"):
        announce()
    assert store.rolls(engine)[0].status == ("rejected" if option == "Reject" else "proposed")


@pytest.mark.parametrize("reason", ["", " \n"], ids=["none", "blank"])
def test_an_approval_wants_a_reason_and_a_rejection_none(engine: Engine, reason: str) -> None:
    propose()
    with pytest.raises(BadInput, match=r"approved without a reason .* clear `ask`"):
        approve(reason=reason)
    assert [one.answer for one in answers(engine)] == [None]
    with pytest.raises(TerminalError, match="no recorded approval"):
        announce()
    approve(option="Reject", reason=reason)
    assert store.rolls(engine)[0].status == "rejected"


def test_a_question_that_was_never_answered_and_one_that_was_never_asked_approve_nothing(engine: Engine) -> None:
    propose()
    with pytest.raises(TerminalError, match="no recorded approval"):
        announce()
    asked(RUN, honours.about(honours.roll_asked(RUN)))
    with pytest.raises(TerminalError, match="no recorded approval"):
        announce()


def test_asking_again_takes_the_earlier_yes_back(engine: Engine) -> None:
    propose()
    approve()
    asked(RUN, honours.about(honours.roll_asked(RUN)))
    with pytest.raises(TerminalError, match="no recorded approval"):
        announce()


def test_freezing_asks_for_the_approval_too(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    in_public()
    asked(RUN, honours.about(honours.roll_asked(RUN)))  # `ask` was cleared while the roll stands in public
    at(monkeypatch, AFTERWARDS)
    with pytest.raises(TerminalError, match="no recorded approval"):
        freeze()


def test_an_approval_of_something_else_or_in_another_run_does_not_count(engine: Engine) -> None:
    propose()
    asked(RUN, "roll 1 of something else")
    answered(RUN, "Approve", "chen", "已核")
    with pytest.raises(TerminalError, match="something else was approved"):
        announce()
    other = "innopoints_honours/manual__2"
    asked(other, honours.about(honours.roll_asked(RUN)))
    answered(other, "Approve", "chen", "已核")
    with pytest.raises(TerminalError, match="no roll is of this run"):
        announce(run=other)


def test_only_those_that_the_setting_names_may_answer_and_whoever_does_is_put_down(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INNOPOINTS_APPROVERS", '["wang"]')
    propose()
    for option in ("Approve", "Reject"):
        with pytest.raises(TerminalError, match="not among INNOPOINTS_APPROVERS") as refused:
            approve(option=option)
        assert "chen" not in str(refused.value)
        with pytest.raises(TerminalError):
            announce()
        assert store.rolls(engine)[0].status == "proposed"
    approve(person="wang")
    assert announce()["notice_until"] == "2026-12-07"
    assert [(one.answer, one.person, one.reason) for one in answers(engine)] == [
        ("Approve", "chen", "已核"),
        ("Reject", "chen", "已核"),
        ("Approve", "wang", "已核"),
    ]


def test_an_approval_taken_back_in_the_notice_takes_the_roll_out_of_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_public()
    approve(option="Reject", person="wang")
    assert store.rolls(engine)[0].status == "rejected"
    assert [(one.answer, one.person) for one in answers(engine)] == [("Approve", "chen"), ("Reject", "wang")]
    with pytest.raises(BadInput, match="stands in public not any more"):
        honours.object_to(2026, SCHEME, code(3), HONOUR, **WHY)
    at(monkeypatch, AFTERWARDS)
    with pytest.raises(TerminalError, match="no recorded approval"):
        freeze()
    approve()  # a yes to it comes too late
    with pytest.raises(TerminalError, match=r"it was rejected .* trigger another run"):
        freeze()
    with pytest.raises(TerminalError, match="it was rejected"):
        question(RUN, "http://pages")


def test_a_run_whose_roll_is_in_public_makes_no_second_one_and_its_approval_can_be_taken_back(engine: Engine) -> None:
    proposed = in_public()
    rows = town()
    rows["honours"] = rows["honours"][:1]
    put(engine, rows)
    assert propose() == proposed  # `propose` was cleared, and another generation is current now
    assert question(RUN, "http://pages").about == honours.about(honours.roll_asked(RUN))
    approve(option="Reject", person="wang")
    assert [(one.roll_id, one.status) for one in store.rolls(engine)] == [(1, "rejected")]


def test_a_run_with_a_newer_proposal_beside_its_roll_in_public_asks_about_what_is_in_public(engine: Engine) -> None:
    in_public()
    beside = "innopoints_honours/manual__2"
    propose(run=beside)
    with writing(engine) as connection:  # as a version of before left it
        made = sa.update(store.honour_roll).where(store.honour_roll.c.proposed_by == beside)
        connection.execute(made.values(proposed_by=RUN))
    shown = question(RUN, "http://pages")
    assert shown.about.startswith("roll 1 ")
    asked(RUN, shown.about)
    honours.answered(RUN, "Reject", "wang", "")
    assert [(one.roll_id, one.status) for one in store.rolls(engine)] == [(2, "proposed"), (1, "rejected")]


def test_what_froze_is_not_rejected_any_more(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(monkeypatch)
    approve(option="Reject")
    assert store.rolls(engine)[0].status == "frozen"


def test_a_proposal_neither_hides_what_is_in_public_nor_closes_its_objections(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_public()
    other = "innopoints_honours/manual__2"
    propose(run=other)
    assert [[(roll.roll_id, roll.status) for roll in of_year] for of_year in honours.years()] == [
        [(1, "notice"), (2, "proposed")]
    ]
    assert honours.year_of(2026, SCHEME).roll.roll_id == 1
    raised, holds = honours.object_to(2026, SCHEME, code(3), HONOUR, **WHY)
    assert (raised.roll_id, holds) == (1, True)
    approve(run=other, option="Reject")
    assert [roll.roll_id for (roll,) in honours.years()] == [1]
    propose(run="innopoints_honours/manual__3")
    at(monkeypatch, AFTERWARDS)
    assert freeze()["held_back"] == 1
    assert [one.status for one in store.rolls(engine)] == ["superseded", "rejected", "frozen"]


def test_the_days_in_public_are_what_was_proposed_and_part_of_what_is_approved(engine: Engine) -> None:
    proposed = propose(days=12)
    assert proposed["notice_days"] == 12
    shown = question(RUN, "http://pages")
    assert "12 days" in shown.body
    assert shown.about in shown.body
    asked(RUN, shown.about.replace("12 days", "7 days"))
    honours.answered(RUN, "Approve", "chen", "已核")
    with pytest.raises(TerminalError, match="something else was approved"):
        announce()
    approve()
    assert announce()["notice_until"] == "2026-12-12"


def test_a_roll_that_a_newer_one_replaced_is_neither_announced_nor_frozen(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose()
    approve()
    put(engine, town())
    in_public(run="innopoints_honours/manual__2")
    with pytest.raises(TerminalError, match="a newer roll has taken its place"):
        announce()
    in_public(run="innopoints_honours/manual__3")
    at(monkeypatch, AFTERWARDS)
    with pytest.raises(TerminalError, match="a newer roll has taken its place"):
        freeze(run="innopoints_honours/manual__2")
    assert freeze(run="innopoints_honours/manual__3")["roll"] == 3


def test_a_roll_whose_generation_was_rolled_back_is_not_announced(engine: Engine) -> None:
    propose()
    approve()
    with writing(engine) as connection:
        connection.execute(sa.update(generation).values(status="rolled_back"))
    with pytest.raises(TerminalError, match="generation 1 is rolled_back"):
        announce()


def test_the_generation_of_an_open_roll_is_kept_so_that_a_roll_back_is_known_to_the_end_of_the_longest_notice(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = put(engine, town())
    propose(days=honours.LONGEST_NOTICE_DAYS)
    approve()
    announce()
    rollback(engine, 1, by="wang", reason="数据有误")
    assert prune(engine, now=clock() + timedelta(days=200)) == []
    at(monkeypatch, AFTERWARDS + timedelta(days=100))
    with pytest.raises(TerminalError, match=f"generation {wrong} is rolled_back"):
        freeze()
    approve(option="Reject")
    assert prune(engine, now=clock() + timedelta(days=200)) == [wrong]


def test_a_roll_whose_generation_is_not_kept_does_not_freeze_and_one_that_froze_stays(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen(monkeypatch, 2025, run="innopoints_honours/manual__0")
    at(monkeypatch, APPROVED_ON)
    in_public()
    put(engine, town())
    with writing(engine) as connection:  # as a version of before did
        for table in (*PUBLISHED.values(), generation):
            connection.execute(sa.delete(table).where(table.c.generation_id == 1))
    at(monkeypatch, AFTERWARDS)
    with pytest.raises(TerminalError, match=r"generation 1 is no longer kept .* trigger another run"):
        freeze()
    assert freeze("innopoints_honours/manual__0")["frozen"] == 2


def test_the_nightly_lists_of_later_nights_change_nothing_of_a_roll(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_public()
    rows = town()
    rows["honours"] = [{"uscc": code(5), "honour": HONOUR, "place": 1, "reason": "第1名", "robust": True}]
    put(engine, rows)
    at(monkeypatch, AFTERWARDS)
    assert freeze()["frozen"] == 2
    assert {one.uscc for one in store.frozen(engine, 2026, SCHEME)} == {code(0), code(3)}


def test_the_difference_to_last_year_and_to_tonight_is_counted(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(monkeypatch, 2025, run="innopoints_honours/manual__0")
    at(monkeypatch, APPROVED_ON)
    rows = town()
    rows["honours"] = [
        {"uscc": code(0), "honour": HONOUR, "place": 1, "reason": "第1名", "robust": True},
        {"uscc": code(5), "honour": "新锐企业", "place": 1, "reason": "第1名", "robust": True},
    ]
    newer = put(engine, rows)
    put(engine, town())  # tonight's list is last year's again
    propose(generation_id=newer)
    shown = question(RUN, "http://pages").body
    # of 标兵企业 the first stays and the fourth goes; 新锐企业 is new
    told = f"""
- 标兵企业: 1 stay 保留, 0 new 新增, 1 gone 退出
  - gone 退出: {FOURTH}
- 新锐企业: 0 stay 保留, 1 new 新增, 0 gone 退出
  - new 新增: 常州青禾软件有限公司
"""
    assert shown.count(told) == 2  # since last year, and beside tonight
    assert f"http://pages/honours/2026?scheme={SCHEME}&roll=2" in shown


def test_last_year_is_compared_as_it_is_in_force_with_its_errata(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen(monkeypatch, 2025, run="innopoints_honours/manual__0")
    told: dict[str, Any] = {"reference": "常科发〔2026〕3号", **WHY}
    honours.correct(2025, SCHEME, code(0), HONOUR, "withdrawn", **told)
    honours.correct(2025, SCHEME, code(5), HONOUR, "granted", **told)
    at(monkeypatch, APPROVED_ON)
    propose()
    since, _, beside = question(RUN, "http://pages").body.partition("**Beside")
    # the first lost it and has it again; 青禾 was granted it and is not on the roll; the fourth keeps it
    assert f"- {HONOUR}: 1 stay 保留" in since
    assert "new 新增: 常州恒创液压机械有限公司" in since
    assert "gone 退出: 常州青禾软件有限公司" in since
    assert f"- {HONOUR}: 2 stay 保留" in beside


def test_a_form_does_not_compare_with_a_list_that_was_changed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(monkeypatch, 2025, run="innopoints_honours/manual__0")
    change_what_froze(engine)
    at(monkeypatch, APPROVED_ON)
    propose()
    with pytest.raises(TerminalError, match="no longer what their digest says"):
        question(RUN, "http://pages")


def test_a_form_says_which_districts_its_generation_has_no_result_of_that_day_of(engine: Engine) -> None:
    note = "last good result of 320411 (2026-11-20), 320404 (2026-11-19); no result of 320412; anna accepted the drift"
    propose()
    assert "no result" not in question(RUN, "http://pages").body.lower()
    with writing(engine) as connection:
        connection.execute(sa.update(generation).values(reason=note))
    shown = question(RUN, "http://pages").body
    assert (
        "沿用上次结果: 新北区 Xinbei (Changzhou National High-tech Zone) (2026-11-20), 钟楼区 Zhonglou (2026-11-19)\n"
        in shown
    )
    assert "没有结果: 武进区 Wujin\n" in shown
    assert "anna" not in shown


def test_a_form_names_as_many_as_fit_and_counts_the_others(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(honours_question, "MOST_NAMED", 1)
    rows = town()
    rows["honours"] = [{"uscc": code(5), "honour": HONOUR, "place": 1, "reason": "第1名", "robust": True}]
    put(engine, rows)
    propose(generation_id=1)
    assert "  - new 新增: 常州恒创液压机械有限公司 … 1 more 另有\n" in question(RUN, "http://pages").body


def test_what_goes_through_xcom_names_no_enterprise(engine: Engine) -> None:
    told = str(propose())
    assert not [one for one in town()["enterprise_profile"] if one["uscc"] in told or one["name"] in told]


def test_an_honour_with_a_standing_objection_is_left_out_and_the_others_freeze(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_public()
    raised, holds = honours.object_to(2026, SCHEME, code(3), HONOUR, **WHY)
    assert (raised.id, holds) == (1, True)
    _, holds = honours.object_to(2026, SCHEME, code(5), HONOUR, **WHY)  # one who is not on the roll
    assert not holds
    at(monkeypatch, AFTERWARDS)
    done = freeze()
    assert (done["frozen"], done["held_back"]) == (1, 1)
    assert [one.uscc for one in store.frozen(engine, 2026, SCHEME)] == [code(0)]


@pytest.mark.parametrize(("outcome", "frozen_rows"), [("dismissed", 2), ("upheld", 1)])
def test_a_settled_objection_does_as_it_was_settled(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, outcome: str, frozen_rows: int
) -> None:
    in_public()
    honours.object_to(2026, SCHEME, code(3), HONOUR, **WHY)
    honours.settle(1, outcome, **WHY)
    with pytest.raises(BadInput, match="settled already"):
        honours.settle(1, outcome, **WHY)
    at(monkeypatch, AFTERWARDS)
    assert freeze()["frozen"] == frozen_rows


@pytest.mark.parametrize(("outcome", "frozen_rows"), [(None, 1), ("upheld", 1), ("dismissed", 2)])
def test_an_objection_holds_the_honour_back_on_the_roll_that_replaces_the_one_it_was_made_to(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, outcome: str | None, frozen_rows: int
) -> None:
    in_public()
    honours.object_to(2026, SCHEME, code(3), HONOUR, **WHY)
    honours.object_to(2026, SCHEME, code(5), HONOUR, **WHY)  # one who is on neither roll
    put(engine, town())
    other = "innopoints_honours/manual__2"
    propose(run=other)
    assert "1 held back by objections" in question(other, "http://pages").body
    approve(other)
    announce(other)
    if outcome:
        honours.settle(1, outcome, **WHY)
    assert [(one.id, one.roll_id) for one in honours.objections(2026, SCHEME) if one.settles is None] == [
        (1, 1),
        (2, 1),
    ]
    at(monkeypatch, AFTERWARDS)
    assert (freeze(other)["frozen"], freeze(other)["held_back"]) == (frozen_rows, 2 - frozen_rows)


def test_an_objection_of_another_year_holds_nothing_back(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    in_public(2025)
    honours.object_to(2025, SCHEME, code(3), HONOUR, **WHY)
    other = "innopoints_honours/manual__2"
    in_public(run=other)
    at(monkeypatch, AFTERWARDS)
    assert freeze(other)["frozen"] == 2


def test_where_objections_hold_everything_back_nothing_freezes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    in_public()
    for place in (0, 3):
        honours.object_to(2026, SCHEME, code(place), HONOUR, **WHY)
    at(monkeypatch, AFTERWARDS)
    with pytest.raises(TerminalError, match="objections hold back every honour"):
        freeze()


def test_objections_are_taken_from_the_announcement_to_the_last_day_and_no_longer(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose()
    with pytest.raises(BadInput, match="stands in public not yet"):
        honours.object_to(2026, SCHEME, code(3), HONOUR, **WHY)
    approve()
    announce()
    at(monkeypatch, AFTERWARDS - timedelta(seconds=1))
    honours.object_to(2026, SCHEME, code(3), HONOUR, **WHY)
    at(monkeypatch, AFTERWARDS)
    with pytest.raises(BadInput, match="stands in public until 2026-12-07"):
        honours.object_to(2026, SCHEME, code(3), HONOUR, **WHY)
    freeze()
    with pytest.raises(BadInput, match=r"it is frozen and takes no objections .* correct it: `honours erratum`"):
        honours.object_to(2026, SCHEME, code(3), HONOUR, **WHY)


def test_frozen_honours_are_refused_any_change_by_the_database_itself(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen(monkeypatch)
    honours.correct(2026, SCHEME, code(3), HONOUR, "withdrawn", reference="常科发〔2026〕1号", **WHY)
    changes = [
        (table, change)
        for table in (store.frozen_honours, store.honour_candidate, store.honour_erratum)
        for change in (sa.delete(table), sa.update(table).values(name="另一家"))
    ]
    of_year = {"year": 2026, "scheme_id": SCHEME, "roll_id": 1}
    for place, name in ((3, "另一家"), (5, "多一家")):  # one that is there, and one more
        entry = {"uscc": code(place), "honour": HONOUR, "place": 9, "name": name, "district": "320411", "stage": "x"}
        changes += [(store.frozen_honours, sa.insert(store.frozen_honours).values(**of_year, **entry))]
        if engine.dialect.name == "sqlite":
            changes += [(table, change.prefix_with("OR REPLACE")) for table, change in changes[-1:]]
    if engine.dialect.name == "sqlite":
        replaced = (
            sa.insert(store.honour_candidate).prefix_with("OR REPLACE").values(roll_id=1, **entry | {"uscc": code(3)})
        )
        changes += [(store.honour_candidate, replaced)]
    changes += [(store.honour_roll, sa.update(store.honour_roll).values(status="proposed"))]
    for table, change in changes:
        with pytest.raises(TerminalError, match="did not carry out"), writing(engine) as connection:
            connection.execute(change)
        assert table is not None
    held = honours.year_of(2026, SCHEME)
    assert held.roll.frozen_sha == digest([vars(one) for one in held.entries])


def change_what_froze(engine: Engine) -> None:
    with writing(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(sa.text("DROP TRIGGER frozen_honours_no_update"))
        else:
            connection.execute(sa.text("DROP TRIGGER never_changes ON publish.frozen_honours"))
        connection.execute(sa.update(store.frozen_honours).values(place=1))


def test_a_change_made_with_the_trigger_off_is_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(monkeypatch)
    change_what_froze(engine)
    for read in (lambda: honours.year_of(2026, SCHEME), freeze):
        with pytest.raises(TerminalError, match="no longer what their digest says"):
            read()


def test_a_row_that_stands_there_before_the_freeze_freezes_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_public()
    stray = {**vars(store.candidates(engine, 1)[0]), "uscc": code(5), "year": 2026, "scheme_id": SCHEME, "roll_id": 1}
    with writing(engine) as connection:
        connection.execute(sa.insert(store.frozen_honours).values(stray))
    at(monkeypatch, AFTERWARDS)
    for _ in range(2):
        with pytest.raises(TerminalError, match=r"rows that are not of this roll .* nothing is frozen"):
            freeze()
    assert [one.status for one in store.rolls(engine)] == ["notice"]
    assert [one.uscc for one in store.frozen(engine, 2026, SCHEME)] == [code(5)]
    with writing(engine) as connection:  # what the message says
        if engine.dialect.name == "sqlite":
            connection.execute(sa.text("DROP TRIGGER frozen_honours_no_delete"))
        else:
            connection.execute(sa.text("DROP TRIGGER never_changes ON publish.frozen_honours"))
        connection.execute(sa.delete(store.frozen_honours))
    assert freeze()["frozen"] == 2


def test_two_officers_at_once_add_one_erratum_and_one_settlement(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(decide: Callable[[int], Any]) -> list[str]:
        together = Barrier(4)

        def officer(number: int) -> str:
            together.wait()
            try:
                decide(number)
            except BadInput as refused:
                return refused.what
            return "done"

        with ThreadPoolExecutor(4) as officers:
            return sorted(officers.map(officer, range(4)))

    in_public()
    honours.object_to(2026, SCHEME, code(3), HONOUR, **WHY)
    assert at_once(lambda _: honours.settle(1, "dismissed", **WHY)) == ["done", *["objection 1 is settled already"] * 3]
    at(monkeypatch, AFTERWARDS)
    freeze()

    def withdraw(number: int) -> Any:
        return honours.correct(2026, SCHEME, code(3), HONOUR, "withdrawn", reference=f"文{number}", **WHY)

    assert at_once(withdraw) == ["done", *["the enterprise does not have this honour"] * 3]
    assert len(honours.year_of(2026, SCHEME).errata) == 1


def test_a_frozen_year_is_not_proposed_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(monkeypatch)
    with pytest.raises(BadInput, match="the honours of 2026 under changzhou_v1 are frozen"):
        propose(run="innopoints_honours/manual__2")


def test_errata_stand_beside_what_froze(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    in_public()
    honours.object_to(2026, SCHEME, code(3), HONOUR, **WHY)
    at(monkeypatch, AFTERWARDS)
    freeze()
    before = honours.year_of(2026, SCHEME).entries
    told: dict[str, Any] = {"reference": "常科发〔2027〕3号", **WHY}
    honours.settle(1, "dismissed", **WHY)
    honours.correct(2026, SCHEME, code(3), HONOUR, "granted", **told)  # it was held back; the objection was dismissed
    honours.correct(2026, SCHEME, code(0), HONOUR, "withdrawn", **told)
    honours.correct(2026, SCHEME, code(3), HONOUR, "corrected", **told)
    held = honours.year_of(2026, SCHEME)
    assert held.entries == before
    assert [(one.uscc, one.what, one.name) for one in held.errata] == [
        (code(3), "granted", "常州<script>alert(1)</script>有限公司"),
        (code(0), "withdrawn", "常州恒创液压机械有限公司"),
        (code(3), "corrected", "常州<script>alert(1)</script>有限公司"),
    ]
    assert held.in_force() == {(code(3), HONOUR)}


@pytest.mark.parametrize(
    ("place", "honour", "what", "reference", "line"),
    [
        (0, HONOUR, "granted", "文", "has this honour"),
        (5, HONOUR, "withdrawn", "文", "does not have this honour"),
        (5, "明星企业", "granted", "文", "no such honour"),
        (0, HONOUR, "deleted", "文", "an erratum is withdrawn, granted or corrected"),
        (0, HONOUR, "withdrawn", " ", "no reference"),
    ],
)
def test_an_erratum_that_cannot_be_is_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, place: int, honour: str, what: str, reference: str, line: str
) -> None:
    frozen(monkeypatch)
    with pytest.raises(BadInput, match=line):
        honours.correct(2026, SCHEME, code(place), honour, what, reference=reference, **WHY)
    assert honours.year_of(2026, SCHEME).errata == []


def test_what_is_not_frozen_has_no_errata(engine: Engine) -> None:
    in_public()
    with pytest.raises(BadInput, match="they are not frozen"):
        honours.correct(2026, SCHEME, code(0), HONOUR, "withdrawn", reference="文", **WHY)


@pytest.mark.parametrize(
    ("year", "generation_id", "days", "line"),
    [
        (2024, None, None, "cannot give the honours of 2024"),
        (2027, None, None, "cannot give the honours of 2027"),
        (2026, 9, None, "generation 9 is not kept"),
        (2026, None, 6, "a notice of 6 days"),
        (2026, None, 91, "a notice of 91 days"),
    ],
)
def test_a_proposal_that_cannot_be_is_refused(
    engine: Engine, year: int, generation_id: int | None, days: int | None, line: str
) -> None:
    with pytest.raises(BadInput, match=line):
        propose(year, generation_id, days)
    assert store.rolls(engine) == []


def test_without_a_publication_and_without_honours_there_is_nothing_to_propose(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = town()
    rows["honours"] = []
    put(engine, rows)
    with pytest.raises(BadInput, match="generation 2 honours nobody"):
        propose()
    monkeypatch.setenv("INNOPOINTS_WAREHOUSE_URL", f"sqlite:///{tmp_path / 'empty.sqlite'}")
    with pytest.raises(InnopointsError, match="nothing is published"):
        propose()


def test_the_digest_knows_no_order_and_every_column() -> None:
    one, other = {"uscc": "1", "honour": "a", "place": 1}, {"uscc": "2", "honour": "a", "place": 2}
    assert digest([one, other]) == digest([other, one])
    assert digest([one]) != digest([{**one, "place": 2}])


def test_what_comes_stays_and_goes_is_told_by_honour() -> None:
    a1, a2, b1 = ({"honour": h, "uscc": u} for h, u in (("a", "1"), ("a", "2"), ("b", "1")))
    assert difference([a1, b1], [a1, a2]) == {"a": ([a1], [a2], []), "b": ([], [], [b1])}


def test_the_notice_has_a_rule_from_the_first_day_of_the_scheme_and_none_before() -> None:
    assert notice_days(date(2021, 4, 30)) == 7
    with pytest.raises(BadInput, match="no rule is in force on 2021-04-29"):
        notice_days(date(2021, 4, 29))
