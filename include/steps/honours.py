"""A year's honours: proposed, approved by a named person, held up in public, frozen; after that only corrected.

Nothing here trusts the state of a task or an XCom: what announces and what freezes look in the ledger for the roll of
their run that a person approved, exactly as it was shown, and for the days that it stood in public.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any, Literal

import sqlalchemy as sa

from include.kernel.errors import BadInput, TerminalError
from include.kernel.identity import is_code_shape, normal_code
from include.kernel.periods import arrival_cutoff, business_date
from include.kernel.settings import settings
from include.publish.generations import Generation, generations
from include.publish.honours import digest, notice_days, require_unchanged
from include.steps.approval import APPROVE, approved
from include.steps.approval import answered as put_down
from include.steps.stores import Stores, open_stores
from include.store import honours as store
from include.store.approvals import approval
from include.store.honours import Entry, Erratum, Objection, Roll, Year
from include.store.warehouse import PUBLISHED, Warehouse, clock, reading

LOCK = "honours"
LONGEST_NOTICE_DAYS = 90
_KEPT = "the honours as they stand"
_GONE = "no longer kept"
_UNSOUND = ("blocked", "rolled_back", _GONE)


def propose(year: int, generation: int | None, longer: int | None, *, run: str, holder: str) -> dict[str, Any]:
    """Put the honours of a generation (None: the current one) down as the roll of a year, with the days that it is to
    stand in public. A run whose roll stands in public makes no other: what it asks next is of that one.
    """
    stores = open_stores()
    with stores.lease(LOCK, holder) as lease:
        roll = next((one for one in rolls_of(run) if one.status == store.NOTICE), None)
        if roll is None:
            said, entries = _proposal(stores, year, generation, longer)
            roll = store.propose(stores.engine, lease, said | {"proposed_by": run}, entries)
    count = len(store.candidates(stores.engine, roll.roll_id))
    told = {"year": roll.year, "roll": roll.roll_id, "generation": roll.generation_id}
    return told | {"honoured": count, "notice_days": roll.notice_days}


def answered(run: str, option: str, person: str | None, reason: str) -> None:
    """Put down what was answered about the run's roll. A no, also one that takes an earlier yes back, ends the roll
    unless it is frozen; so does a time that ran out. Of somebody who is no approver it is put down and does nothing.
    """
    put_down(run, option, person, reason)
    roll, stores = roll_asked(run), open_stores()
    if person is not None:
        _require_approver(person, roll)
    if option != APPROVE:
        store.reject(stores.engine, roll)


def announce(*, run: str, holder: str) -> dict[str, Any]:
    """Hold the run's approved roll up in public; a repeat finds it there. Gives the moment from which it may freeze."""
    stores = open_stores()
    with stores.lease(LOCK, holder) as lease:
        roll = _require_approved(stores, run)
        if roll.status == store.PROPOSED:
            _require_open(stores, roll.year, roll.scheme_id)
            until = business_date(clock()) + timedelta(days=roll.notice_days)
            roll = store.announce(stores.engine, lease, roll, until)
    assert roll.notice_until is not None
    ends = arrival_cutoff(roll.notice_until + timedelta(days=1))
    return {"roll": roll.roll_id, "notice_until": roll.notice_until.isoformat(), "ends_at": ends.isoformat()}


def freeze(*, run: str, holder: str) -> dict[str, Any]:
    """Freeze the run's approved roll once it has stood in public for its days, without what a standing objection holds
    back.
    """
    stores = open_stores()
    with stores.lease(LOCK, holder) as lease:
        roll = _require_approved(stores, run)
        candidates = store.candidates(stores.engine, roll.roll_id)
        if roll.status == store.PROPOSED:
            raise TerminalError(
                "it has not stood in public", where=_name(roll), kept=_KEPT, todo="clear `announce` of its run"
            )
        if roll.status == store.NOTICE:
            _require_over(roll)
            back = store.held_back(stores.engine, roll, candidates)
            left = [one for one in candidates if one not in back]
            if not left:
                raise TerminalError(
                    "objections hold back every honour",
                    where=_name(roll),
                    kept=_KEPT,
                    todo="settle those that are open; what is upheld stays out of every roll of the year",
                )
            roll = store.freeze(stores.engine, lease, roll, left, digest([asdict(one) for one in left]))
    frozen = year_of(roll.year, roll.scheme_id).entries
    held = len(candidates) - len(frozen)
    return {"roll": roll.roll_id, "year": roll.year, "frozen": len(frozen), "held_back": held}


def years() -> list[list[Roll]]:
    """Of every year and scheme the roll that stands and what waits beside it, newest year first."""
    return store.years(open_stores().engine)


def year_of(year: int, scheme: str, warehouse: Warehouse | None = None) -> Year:
    """The honours of a year as they stand: what froze with its errata, else what is in public, else a proposal."""
    found = store.year_of(warehouse or open_stores().engine, year, scheme)
    if found is None:
        raise BadInput(
            f"no honours of {year} are proposed under {scheme}", kept=_KEPT, todo="trigger innopoints_honours"
        )
    require_unchanged(found.roll, found.entries)
    return found


def takes_objections(roll: Roll) -> bool:
    """Does it stand in public today?"""
    return roll.status == store.NOTICE and roll.notice_until is not None and business_date(clock()) <= roll.notice_until


def hindrance(warehouse: Warehouse, roll: Roll) -> Literal["unsound", "unapproved"] | None:
    """What would keep an open roll from freezing, whatever the day: what became of its generation, or that its approval
    is asked for anew.
    """
    if roll.status not in (store.PROPOSED, store.NOTICE):
        return None
    if _status_below(warehouse, roll) in _UNSOUND:
        return "unsound"
    said = approval(warehouse, roll.proposed_by)
    stands = said is not None and (said.about, said.answer) == (about(roll), APPROVE)
    return None if stands or roll.status == store.PROPOSED else "unapproved"


def object_to(year: int, scheme: str, uscc: str, honour: str, *, evidence: str, by: str) -> tuple[Objection, bool]:
    """Take an objection down while the roll stands in public, and whether it holds an honour of the roll back.

    It is to an honour of the year: on a roll that takes this one's place it holds the same honour back. To one who is
    not on the roll it holds nothing back, and may come to an erratum.
    """
    engine, held = open_stores().engine, year_of(year, scheme)
    roll, code = held.roll, _code(uscc)
    if not takes_objections(roll):
        until = roll.notice_until
        when = "not any more" if roll.status == store.REJECTED else f"until {until}" if until else "not yet"
        what = f"it stands in public {when}, and takes objections then only"
        todo = "once it is frozen, `honours erratum` corrects it"
        if roll.status == store.FROZEN:
            what, todo = "it is frozen and takes no objections", "correct it: `honours erratum`"
        raise BadInput(what, where=_name(roll), kept=_KEPT, todo=todo)
    _require_honour(held, honour)
    raised = store.object_to(engine, roll.roll_id, code, honour, evidence=evidence, by=by)
    return raised, (code, honour) in {(one.uscc, one.honour) for one in held.entries}


def settle(number: int, outcome: str, *, evidence: str, by: str) -> Objection:
    """Uphold or dismiss an objection. Dismissed in time, the honour freezes too; later an erratum grants it."""
    engine = open_stores().engine
    if outcome not in (store.UPHELD, store.DISMISSED):
        raise BadInput(
            "an objection is upheld or dismissed", kept=_KEPT, todo=f"say {store.UPHELD} or {store.DISMISSED}"
        )
    todo = "look at `honours objections`"
    for roll in store.rolls(engine):
        with store.deciding(engine, roll.roll_id) as connection:
            said = [one for one in store.objections(connection, roll) if one.roll_id == roll.roll_id]
            found = next((one for one in said if one.id == number and one.settles is None), None)
            if found and any(one.settles == number for one in said):
                raise BadInput(f"objection {number} is settled already", kept=_KEPT, todo=todo)
            if found:
                return store.settle(connection, found, outcome, evidence=evidence, by=by)
    raise BadInput(f"there is no objection {number}", kept=_KEPT, todo=todo)


def objections(year: int, scheme: str) -> list[Objection]:
    """What was objected to the year's rolls, and what became of it."""
    return store.objections(open_stores().engine, year_of(year, scheme).roll)


def correct(
    year: int, scheme: str, uscc: str, honour: str, what: str, *, reference: str, evidence: str, by: str
) -> Erratum:
    """Add an erratum to frozen honours: withdrawn, granted (it was held back or overlooked), or corrected."""
    stores, held, code = open_stores(), year_of(year, scheme), _code(uscc)
    if held.roll.status != store.FROZEN:
        raise BadInput("they are not frozen", where=_name(held.roll), kept=_KEPT, todo="object, or propose anew")
    if what not in (store.WITHDRAWN, store.GRANTED, store.CORRECTED):
        raise BadInput(f"an erratum is {store.WITHDRAWN}, {store.GRANTED} or {store.CORRECTED}", kept=_KEPT)
    if not reference.strip():
        raise BadInput("no reference", kept=_KEPT, todo="name the document that decides it")
    _require_honour(held, honour)
    with store.deciding(stores.engine, held.roll.roll_id) as connection:
        held = year_of(year, scheme, connection)
        if (what == store.GRANTED) == ((code, honour) in held.in_force()):
            has = "has" if what == store.GRANTED else "does not have"
            raise BadInput(
                f"the enterprise {has} this honour", where=_name(held.roll), kept=_KEPT, todo="check the code"
            )
        name, district = _named(connection, held, code)
        said = {"year": year, "scheme_id": scheme, "uscc": code, "honour": honour, "name": name, "district": district}
        said |= {"what": what, "reference": reference.strip(), "evidence": evidence, "decided_by": by}
        return store.correct(connection, said)


def about(roll: Roll) -> str:
    """What an approval is of: these honours, for these days in public."""
    return f"roll {roll.roll_id} {roll.content_sha} for {roll.notice_days} days"


def rolls_of(run: str) -> list[Roll]:
    """What a run proposed, the newest first."""
    return [one for one in store.rolls(open_stores().engine) if one.proposed_by == run]


def roll_of(run: str) -> Roll:
    """What a run asks about: its roll in public, so that the approval can be taken back; else its newest."""
    own = rolls_of(run)
    if not own:
        raise TerminalError("no roll is of this run", where=run, kept=_KEPT, todo="trigger another run")
    return min(own, key=lambda roll: roll.status != store.NOTICE)


def roll_asked(run: str) -> Roll:
    """The roll of a run that its form asked about; before it asks, the one that it will ask about."""
    asked = approval(open_stores().engine, run)
    return next((one for one in rolls_of(run) if asked and asked.about == about(one)), None) or roll_of(run)


def _proposal(
    stores: Stores, year: int, generation: int | None, longer: int | None
) -> tuple[dict[str, Any], list[Entry]]:
    """What is to be put down as a roll, if it may be."""
    days = _days(longer)
    chosen = require_generation(stores.engine, generation)
    if not chosen.as_of.year - 1 <= year <= chosen.as_of.year:
        raise BadInput(
            f"generation {chosen.id} of {chosen.as_of} cannot give the honours of {year}",
            kept=_KEPT,
            todo="choose a generation of that year or of the one after it",
        )
    entries = honoured(stores.engine, chosen.id)
    if not entries:
        raise BadInput(f"generation {chosen.id} honours nobody", kept=_KEPT, todo="choose one of a scheme with honours")
    _require_open(stores, year, chosen.scheme_id)
    said = {
        "year": year,
        "scheme_id": chosen.scheme_id,
        "scheme_version": chosen.scheme_version,
        "generation_id": chosen.id,
        "as_of": chosen.as_of,
        "content_sha": digest([asdict(one) for one in entries]),
        "notice_days": days,
    }
    return said, entries


def _name(roll: Roll) -> str:
    return f"honours of {roll.year}, {roll.scheme_id}, roll {roll.roll_id}"


def _days(longer: int | None) -> int:
    """How many days a roll approved today stands in public: what the rule says, or longer."""
    least = notice_days(business_date(clock()))
    if longer is not None and not least <= longer <= LONGEST_NOTICE_DAYS:
        raise BadInput(
            f"a notice of {longer} days", kept=_KEPT, todo=f"give {least} to {LONGEST_NOTICE_DAYS}, or leave it out"
        )
    return longer or least


def require_generation(warehouse: Warehouse, wanted: int | None) -> Generation:
    """The generation asked for, or the current one."""
    kept = {one.id: one for one in generations(warehouse)}
    current = next((one for one in kept.values() if one.status == "current"), None)
    chosen = current if wanted is None else kept.get(wanted)
    if current is None or chosen is None:
        raise BadInput(
            "nothing is published" if current is None else f"generation {wanted} is not kept",
            kept=_KEPT,
            todo="look at `innopoints generations`",
        )
    _require_sound(chosen.id, chosen.status)
    return chosen


def _status_below(warehouse: Warehouse, roll: Roll) -> str:
    """The status of the generation that a roll stands on; where it is not kept, nobody can tell what became of it."""
    kept = {one.id: one.status for one in generations(warehouse)}
    return kept.get(roll.generation_id, _GONE)


def _require_sound(number: int, status: str) -> None:
    if status in _UNSOUND:
        raise TerminalError(
            f"generation {number} is {status}",
            kept=_KEPT,
            todo="propose from another generation: trigger another run",
        )


def honoured(warehouse: Warehouse, generation_id: int) -> list[Entry]:
    """The honours of a generation, with the names and stages that it knows."""
    honours, profile = PUBLISHED["honours"].c, PUBLISHED["enterprise_profile"].c
    same = sa.and_(profile.uscc == honours.uscc, profile.generation_id == honours.generation_id)
    query = (
        sa.select(
            honours.uscc, honours.honour, honours.place, profile.name, profile.district, profile.stage, honours.reason,
            honours.robust,
        )
        .join(PUBLISHED["enterprise_profile"], same)
        .where(honours.generation_id == generation_id)
        .order_by(honours.honour, honours.place, honours.uscc)
    )  # fmt: skip
    with reading(warehouse) as connection:
        return [Entry(**row._mapping) for row in connection.execute(query)]


def _require_open(stores: Stores, year: int, scheme: str) -> None:
    if any(one.status == store.FROZEN for one in store.rolls(stores.engine, year, scheme)):
        raise BadInput(
            f"the honours of {year} under {scheme} are frozen", kept=_KEPT, todo="correct them: `honours erratum`"
        )


def _require_approved(stores: Stores, run: str) -> Roll:
    """The roll of this run that a named person approved exactly as it is, if it may still be announced or frozen."""
    roll = roll_asked(run)
    require_unchanged(roll, store.candidates(stores.engine, roll.roll_id), proposed=True)
    person, _ = approved(run, about(roll), kept=_KEPT, todo="clear `ask` and answer it under Required Actions")
    _require_approver(person, roll)
    require_may_stand(roll)
    if roll.status != store.FROZEN:
        _require_sound(roll.generation_id, _status_below(stores.engine, roll))
    return roll


def require_may_stand(roll: Roll) -> None:
    """Whoever asks about a roll, announces or freezes it: no newer one has taken its place, and nobody said no."""
    if roll.status == store.SUPERSEDED:
        raise TerminalError("a newer roll has taken its place", where=_name(roll), kept=_KEPT, todo="follow that one")
    if roll.status == store.REJECTED:
        raise TerminalError("it was rejected", where=_name(roll), kept=_KEPT, todo="trigger another run")


def _require_approver(person: str, roll: Roll) -> None:
    named = settings().approvers
    if named and person not in named:
        raise TerminalError(
            "who answered is not among INNOPOINTS_APPROVERS",
            where=_name(roll),
            kept=f"{_KEPT}; the answer is put down and counts for nothing",
            todo="clear `ask`, and let one of them answer it",
        )


def _require_over(roll: Roll) -> None:
    today = business_date(clock())
    assert roll.notice_until is not None
    if today <= roll.notice_until:
        raise TerminalError(
            f"it stands in public until {roll.notice_until}",
            where=_name(roll),
            kept=_KEPT,
            todo=f"clear `freeze` after {roll.notice_until}",
        )


def _require_honour(held: Year, honour: str) -> None:
    names = list(dict.fromkeys(one.honour for one in held.entries))
    if honour not in names:
        raise BadInput("no such honour", where=_name(held.roll), kept=_KEPT, todo=f"use one of {', '.join(names)}")


def _code(uscc: str) -> str:
    code = normal_code(uscc[:100])
    if not is_code_shape(code):
        raise BadInput("this is no credit code", kept=_KEPT, todo="give the 18 characters")
    return code


def _named(warehouse: Warehouse, held: Year, code: str) -> tuple[str, str]:
    """Name and district of an enterprise as the year's roll has them, else as the current generation does."""
    for one in store.candidates(warehouse, held.roll.roll_id):
        if one.uscc == code:
            return one.name, one.district
    current = require_generation(warehouse, None)
    profile = PUBLISHED["enterprise_profile"].c
    query = sa.select(profile.name, profile.district).where(profile.generation_id == current.id, profile.uscc == code)
    with reading(warehouse) as connection:
        found = connection.execute(query).one_or_none()
    if found is None:
        raise BadInput("this code is not registered", where=_name(held.roll), kept=_KEPT, todo="check the code")
    return found.name, found.district
