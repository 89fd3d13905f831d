"""A year's honours: the digest of a list, how far two lists differ, how long one stands in public."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from include.schemes.reading import Dated, Strict, Whole, in_force, parse, read_yaml

RULES = Path(__file__).with_name("notice.yaml")
Entries = Sequence[Mapping[str, Any]]


class _Notice(Dated):
    days: Whole = Field(ge=1, le=365)


class _Rules(Strict):
    days: list[_Notice]


class Moved(NamedTuple):
    """Of one honour: how many stay, come and go."""

    stay: int
    come: int
    go: int


def digest(entries: Entries) -> str:
    """The SHA-256 of a list, in whatever order its entries come."""
    lines = sorted(json.dumps(dict(entry), ensure_ascii=False, sort_keys=True) for entry in entries)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def difference(before: Entries, after: Entries) -> dict[str, Moved]:
    """Per honour of either list, who holds it in both, in the later one only, in the earlier one only; as counts.

    >>> difference([{"honour": "a", "uscc": "1"}], [{"honour": "a", "uscc": "1"}, {"honour": "a", "uscc": "2"}])
    {'a': Moved(stay=1, come=1, go=0)}
    """
    then, now = _holders(before), _holders(after)
    found = {}
    for honour in dict.fromkeys([*then, *now]):
        earlier, later = then[honour], now[honour]
        found[honour] = Moved(stay=len(earlier & later), come=len(later - earlier), go=len(earlier - later))
    return found


def notice_days(on: date) -> int:
    """Whole days after that of the approval during which anybody may object."""
    return in_force(_rules().days, on, str(RULES)).days


def _holders(entries: Entries) -> dict[str, set[str]]:
    held: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        held[entry["honour"]].add(entry["uscc"])
    return held


@cache
def _rules() -> _Rules:
    return parse(_Rules, read_yaml(RULES), str(RULES))
