"""A year's honours: proposed, approved by a named person, held up in public, frozen; after that only corrected.

Nothing here trusts the state of a task: what announces and what freezes ask for the recorded approval of exactly this
roll, and for the days that it stood in public.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from include.kernel.errors import BadInput, TerminalError
from include.kernel.identity import is_code_shape, normal_code
from include.kernel.periods import arrival_cutoff, business_date
from include.kernel.settings import settings
from include.publish.generations import Generation, generations
from include.publish.honours import difference, digest, notice_days
from include.steps.approval import approved
from include.steps.stores import Stores, open_stores
from include.store import honours as store
from include.store.honours import Entry, Erratum, Objection, Roll, Year
from include.store.warehouse import PUBLISHED, clock, reading

LOCK = "honours"
LONGEST_NOTICE_DAYS = 90
_KEPT = "the honours as they stand"


def propose(year: int, generation: int | None, longer: int | None, *, run: str, holder: str) -> dict[str, Any]:
    """Put the honours of a generation (None: the current one) down as the roll of a year. Gives what a person must see:
    counts, and how far the roll differs from last year's frozen one and from tonight's list.
    """
    stores = open_stores()
    days = _days(longer)
    chosen, current = _generation(stores, generation)
    if not chosen.as_of.year - 1 <= year <= chosen.as_of.year:
        raise BadInput(
            f"generation {chosen.id} of {chosen.as_of} cannot give the honours of {year}",
            kept=_KEPT,
            todo="choose a generation of that year or of the one after it",
        )
    entries = _honoured(stores, chosen.id)
    if not entries:
        raise BadInput(f"generation {chosen.id} honours nobody", kept=_KEPT, todo="choose one of a scheme with honours")
    _require_open(stores, year, chosen.scheme_id)
    rows = [asdict(one) for one in entries]
    said = {
        "year": year,
        "scheme_id": chosen.scheme_id,
        "scheme_version": chosen.scheme_version,
        "generation_id": chosen.id,
        "as_of": chosen.as_of,
        "content_sha": digest(rows),
        "proposed_by": run,
    }
    with stores.lease(LOCK, holder) as lease:
        roll = store.propose(stores.engine, lease, said, entries)
    before = [asdict(one) for one in store.frozen(stores.engine, year - 1, chosen.scheme_id)]
    tonight = [asdict(one) for one in _honoured(stores, current.id)]
    return {
        "roll": roll.roll_id,
        "about": _about(roll),
        "scheme": chosen.scheme_id,
        "generation": chosen.id,
        "as_of": chosen.as_of.isoformat(),
        "notice_days": days,
        "honoured": len(entries),
        "since_last_year": _told(before, rows) if before else f"nothing is frozen for {year - 1}",
        "beside_tonight": _told(tonight, rows),
    }


def announce(roll_id: int, longer: int | None, *, run: str, holder: str) -> dict[str, Any]:
    """Hold an approved roll up in public; a repeat finds it there. Gives the moment from which it may freeze."""
    stores = open_stores()
    with stores.lease(LOCK, holder) as lease:
        roll = _require_approved(stores, roll_id, run)
        if roll.status == store.PROPOSED:
            _require_open(stores, roll.year, roll.scheme_id)
            until = business_date(clock()) + timedelta(days=_days(longer))
            roll = store.announce(stores.engine, lease, roll, until)
    assert roll.notice_until is not None
    ends = arrival_cutoff(roll.notice_until + timedelta(days=1))
    return {"roll": roll.roll_id, "notice_until": roll.notice_until.isoformat(), "ends_at": ends.isoformat()}


def freeze(roll_id: int, *, run: str, holder: str) -> dict[str, Any]:
    """Freeze an approved roll that has stood in public for its days, without what a standing objection holds back."""
    stores = open_stores()
    with stores.lease(LOCK, holder) as lease:
        roll = _require_approved(stores, roll_id, run)
        if roll.status == store.PROPOSED:
            raise TerminalError(
                "it has not stood in public", where=_name(roll), kept=_KEPT, todo="clear `announce` of its run"
            )
        if roll.status == store.NOTICE:
            _require_over(roll)
            candidates = store.candidates(stores.engine, roll_id)
            back = store.held_back(store.objections(stores.engine, roll_id))
            left = [one for one in candidates if (one.uscc, one.honour) not in back]
            if not left:
                raise TerminalError(
                    "objections hold back every honour",
                    where=_name(roll),
                    kept=_KEPT,
                    todo="settle them, or propose anew",
                )
            roll = store.freeze(stores.engine, lease, roll, left, digest([asdict(one) for one in left]))
    frozen = store.frozen(stores.engine, roll.year, roll.scheme_id)
    if roll.frozen_sha != digest([asdict(one) for one in frozen]):
        raise TerminalError("what froze is no longer what it was", where=_name(roll), todo="restore the warehouse")
    held = len(store.candidates(stores.engine, roll_id)) - len(frozen)
    return {"roll": roll_id, "year": roll.year, "frozen": len(frozen), "held_back": held}


def years() -> list[Roll]:
    """Of every year and scheme the roll that counts, newest year first."""
    return store.years(open_stores().engine)


def year_of(year: int, scheme: str) -> Year:
    """The honours of a year: what froze with its errata, else the newest roll as it stands."""
    found = store.year_of(open_stores().engine, year, scheme)
    if found is None:
        raise BadInput(
            f"no honours of {year} are proposed under {scheme}", kept=_KEPT, todo="trigger innopoints_honours"
        )
    return found


def object_to(year: int, scheme: str, uscc: str, honour: str, *, evidence: str, by: str) -> tuple[Objection, bool]:
    """Take an objection down while the roll stands in public, and whether it holds an honour of the roll back.

    Somebody who is not on the roll may object too: that holds nothing back, and may come to an erratum.
    """
    engine, held = open_stores().engine, year_of(year, scheme)
    roll, code = held.roll, _code(uscc)
    until = roll.notice_until
    if roll.status != store.NOTICE or until is None or business_date(clock()) > until:
        raise BadInput(
            f"it stands in public {f'until {until}' if until else 'not yet'}, and takes objections then only",
            where=_name(roll),
            kept=_KEPT,
            todo="once it is frozen, `honours erratum` corrects it",
        )
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
    said = [one for roll in store.rolls(engine) for one in store.objections(engine, roll.roll_id)]
    found = next((one for one in said if one.id == number and one.settles is None), None)
    if found is None or any(one.settles == number for one in said):
        what = f"objection {number} is settled already" if found else f"there is no objection {number}"
        raise BadInput(what, kept=_KEPT, todo="look at `honours objections`")
    return store.settle(engine, found, outcome, evidence=evidence, by=by)


def objections(year: int, scheme: str) -> list[Objection]:
    """What was objected against the year's roll, and what became of it."""
    return store.objections(open_stores().engine, year_of(year, scheme).roll.roll_id)


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
    if (what == store.GRANTED) == ((code, honour) in held.in_force()):
        has = "has" if what == store.GRANTED else "does not have"
        raise BadInput(f"the enterprise {has} this honour", where=_name(held.roll), kept=_KEPT, todo="check the code")
    name, district = _named(stores, held, code)
    said = {"year": year, "scheme_id": scheme, "uscc": code, "honour": honour, "name": name, "district": district}
    said |= {"what": what, "reference": reference.strip(), "evidence": evidence, "decided_by": by}
    return store.correct(stores.engine, said)


def _about(roll: Roll) -> str:
    return f"roll {roll.roll_id} {roll.content_sha}"


def _name(roll: Roll) -> str:
    return f"honours of {roll.year}, {roll.scheme_id}, roll {roll.roll_id}"


def _told(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> str:
    moved = difference(before, after)
    counts = {honour: [len(part) for part in one] for honour, one in moved.items()}
    return "; ".join(f"{honour}: {stay} stay, {come} new, {go} gone" for honour, (stay, come, go) in counts.items())


def _days(longer: int | None) -> int:
    """How many days a roll approved today stands in public: what the rule says, or longer."""
    least = notice_days(business_date(clock()))
    if longer is not None and not least <= longer <= LONGEST_NOTICE_DAYS:
        raise BadInput(
            f"a notice of {longer} days", kept=_KEPT, todo=f"give {least} to {LONGEST_NOTICE_DAYS}, or leave it out"
        )
    return longer or least


def _generation(stores: Stores, wanted: int | None) -> tuple[Generation, Generation]:
    """The generation asked for, and the current one."""
    kept = {one.id: one for one in generations(stores.engine)}
    current = next((one for one in kept.values() if one.status == "current"), None)
    chosen = current if wanted is None else kept.get(wanted)
    if current is None or chosen is None:
        raise BadInput(
            "nothing is published" if current is None else f"generation {wanted} is not kept",
            kept=_KEPT,
            todo="look at `innopoints generations`",
        )
    _require_sound(chosen)
    return chosen, current


def _require_sound(chosen: Generation) -> None:
    if chosen.status in ("blocked", "rolled_back"):
        raise TerminalError(
            f"generation {chosen.id} is {chosen.status}", kept=_KEPT, todo="propose from another generation"
        )


def _honoured(stores: Stores, generation_id: int) -> list[Entry]:
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
    with reading(stores.engine) as connection:
        return [Entry(**row._mapping) for row in connection.execute(query)]


def _require_open(stores: Stores, year: int, scheme: str) -> None:
    if any(one.status == store.FROZEN for one in store.rolls(stores.engine, year, scheme)):
        raise BadInput(
            f"the honours of {year} under {scheme} are frozen", kept=_KEPT, todo="correct them: `honours erratum`"
        )


def _require_approved(stores: Stores, roll_id: int, run: str) -> Roll:
    """The roll, if this run proposed it, nothing of it has changed, and a named person approved exactly this."""
    roll = next((one for one in store.rolls(stores.engine) if one.roll_id == roll_id), None)
    if roll is None or roll.proposed_by != run:
        raise TerminalError(f"roll {roll_id} is not of this run", where=run, kept=_KEPT, todo="clear `propose`")
    if digest([asdict(one) for one in store.candidates(stores.engine, roll_id)]) != roll.content_sha:
        raise TerminalError("the roll is not what was proposed", where=_name(roll), kept=_KEPT, todo="propose anew")
    person, _ = approved(run, _about(roll), kept=_KEPT, todo="clear `ask` and answer it under Required Actions")
    named = settings().approvers
    if named and person not in named:
        raise TerminalError(
            "who answered is not among INNOPOINTS_APPROVERS",
            where=_name(roll),
            kept=_KEPT,
            todo="clear `ask`, and let one of them answer it",
        )
    if roll.status == store.SUPERSEDED:
        raise TerminalError("a newer roll has taken its place", where=_name(roll), kept=_KEPT, todo="follow that one")
    if roll.status != store.FROZEN:
        for one in generations(stores.engine):
            if one.id == roll.generation_id:
                _require_sound(one)
    return roll


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


def _named(stores: Stores, held: Year, code: str) -> tuple[str, str]:
    """Name and district of an enterprise as the year's roll has them, else as the current generation does."""
    for one in store.candidates(stores.engine, held.roll.roll_id):
        if one.uscc == code:
            return one.name, one.district
    _, current = _generation(stores, None)
    profile = PUBLISHED["enterprise_profile"].c
    query = sa.select(profile.name, profile.district).where(profile.generation_id == current.id, profile.uscc == code)
    with reading(stores.engine) as connection:
        found = connection.execute(query).one_or_none()
    if found is None:
        raise BadInput("this code is not registered", where=_name(held.roll), kept=_KEPT, todo="check the code")
    return found.name, found.district
