"""A year's honours: the digest of a list and its proof, who comes and goes between two lists, how long a list stands in
public.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from include.kernel.errors import TerminalError
from include.schemes.reading import Dated, Strict, Whole, in_force, parse, read_yaml
from include.store import honours as store
from include.store.honours import Entry, Erratum, Roll
from include.store.warehouse import Warehouse

RULES = Path(__file__).with_name("notice.yaml")
Entries = Sequence[Mapping[str, Any]]


class _Notice(Dated):
    days: Whole = Field(ge=1, le=365)


class _Rules(Strict):
    days: list[_Notice]


class Moved(NamedTuple):
    """Of one honour the entries that stay and come, as the later list has them, and those that go."""

    stay: list[Mapping[str, Any]]
    come: list[Mapping[str, Any]]
    go: list[Mapping[str, Any]]


def digest(entries: Entries) -> str:
    """The SHA-256 of a list, in whatever order its entries come."""
    lines = sorted(json.dumps(dict(entry), ensure_ascii=False, sort_keys=True) for entry in entries)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def difference(before: Entries, after: Entries) -> dict[str, Moved]:
    """Per honour of either list, who holds it in both, in the later one only, in the earlier one only.

    >>> difference([{"honour": "a", "uscc": "1"}], [{"honour": "a", "uscc": "1"}, {"honour": "a", "uscc": "2"}])
    {'a': Moved(stay=[{'honour': 'a', 'uscc': '1'}], come=[{'honour': 'a', 'uscc': '2'}], go=[])}
    """
    then, now = ({(one["honour"], one["uscc"]) for one in entries} for entries in (before, after))
    found = {one["honour"]: Moved([], [], []) for one in (*before, *after)}
    for one in after:
        kind = found[one["honour"]]
        (kind.stay if (one["honour"], one["uscc"]) in then else kind.come).append(one)
    for one in before:
        if (one["honour"], one["uscc"]) not in now:
            found[one["honour"]].go.append(one)
    return found


def require_unchanged(roll: Roll, entries: Sequence[Entry], *, proposed: bool = False) -> None:
    """What is read of a roll must be what its digest says: of a frozen one what froze, unless what was `proposed` is
    meant. The database refuses changes; its owner can lift that.
    """
    expected = roll.content_sha if proposed or roll.frozen_sha is None else roll.frozen_sha
    if digest([asdict(one) for one in entries]) != expected:
        raise TerminalError(
            "the honours are no longer what their digest says",
            where=f"honours of {roll.year}, {roll.scheme_id}, roll {roll.roll_id}",
            kept="the digests in honour_roll",
            todo="restore the warehouse, or trigger another run if they are not frozen",
        )


def year_before(warehouse: Warehouse, roll: Roll) -> list[dict[str, Any]] | None:
    """The honours of the year before a roll's that are in force: what froze, proved by its digest, with its errata.
    None where nothing froze.
    """
    held = store.year_of(warehouse, roll.year - 1, roll.scheme_id)
    if held is None or held.roll.status != store.FROZEN:
        return None
    require_unchanged(held.roll, held.entries)
    said: list[Entry | Erratum] = [*held.entries, *held.errata]
    known, in_force = {(one.uscc, one.honour): vars(one) for one in said}, held.in_force()
    return [one for key, one in known.items() if key in in_force]


def notice_days(on: date) -> int:
    """Whole days after that of the approval during which anybody may object."""
    return in_force(_rules().days, on, str(RULES)).days


@cache
def _rules() -> _Rules:
    return parse(_Rules, read_yaml(RULES), str(RULES))
