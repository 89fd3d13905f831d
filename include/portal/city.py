"""All enterprises of one generation, kept in memory while it is current: found by what is typed, ranked, compared.

Each is known by its code, its name, its former names and its short form (恒创液压, whatever place stands in front or
within), and by pinyin and initials of them all. Pinyin holds one reading of each character, the commonest, so that a
name with a rarer reading is found by its characters or its initials as read here.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from functools import cache
from types import MappingProxyType

import sqlalchemy as sa
from pypinyin import lazy_pinyin

from include.conformed.names import parts, split
from include.kernel.areas import areas
from include.kernel.errors import InnopointsError
from include.kernel.identity import normal_name
from include.portal.published import EXPECTED_SHARES, VIEWS, Reader, Reading
from include.store.lake import Lake, conformed
from include.store.ledger import Ledger

MOST_FOUND = 1000
"""Whoever finds more types more; beyond it nothing is counted or sorted."""
LONGEST_QUERY = 100
_PLACED = re.compile("[省市区县(]")
"""Where a name is likely to hold a place that its short form lacks or shortens."""


@dataclass(frozen=True, slots=True)
class Enterprise:
    """One enterprise with its standing."""

    uscc: str
    name: str
    district: str
    stage: str
    total: Decimal
    coverage: Decimal
    rank_all: int
    rank_stage: int
    rank_district: int


class City:
    """The enterprises in the order of their rank in the city."""

    def __init__(
        self,
        enterprises: Iterable[Enterprise],
        medians: dict[tuple[str, str], Decimal],
        former: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        self.enterprises = sorted(enterprises, key=lambda one: (one.rank_all, one.uscc))
        self.medians = medians
        present = {one.stage for one in self.enterprises}
        self.stages = [*(one for one in EXPECTED_SHARES if one in present), *sorted(present - EXPECTED_SHARES.keys())]
        self._by_code = {one.uscc: place for place, one in enumerate(self.enterprises)}
        names = [
            (spelling, place)
            for place, one in enumerate(self.enterprises)
            for spelling in spellings(one.name, former.get(one.uscc, ()))
        ]
        self._spellings = [
            _Lines((one.uscc, place) for place, one in enumerate(self.enterprises)),
            _Lines(names),
            _Lines(("".join(map(sound, name)), place) for name, place in names),
            _Lines(("".join(sound(letter)[:1] for letter in name), place) for name, place in names),
        ]

    @classmethod
    def of(cls, reading: Reading, former: Mapping[str, Sequence[str]]) -> City:
        profile, points = VIEWS["enterprise_profile"].c, VIEWS["enterprise_points"].c
        of_points = [points[one.name] for one in fields(Enterprise)[4:]]
        query = sa.select(profile.uscc, profile.name, profile.district, profile.stage, *of_points)
        found = reading.rows(query.where(points.uscc == profile.uscc))
        return cls((Enterprise(*row) for row in found), reading.stage_medians(), former)

    def find(self, text: str, reader: Reader) -> list[Enterprise]:
        """At most `MOST_FOUND` whose code, name, pinyin or initials hold `text`: the whole name first, then beginnings,
        then the better rank.
        """
        asked = normal_name(text)
        if not asked:
            return []
        found: dict[int, tuple[int, int]] = {}
        for kind, lines in enumerate(self._spellings):
            for place, worse in lines.holding(asked):
                if self._shown(place, reader):
                    found[place] = min(found.get(place, (9, 9)), (worse, kind))
                    if len(found) >= MOST_FOUND:
                        break
        return [self.enterprises[place] for place in sorted(found, key=lambda place: (found[place], place))]

    def ranked(self, reader: Reader, stage: str | None = None, district: str | None = None) -> list[Enterprise]:
        """Those of a stage or a district in the order of their rank there."""
        return [
            one
            for one in self.enterprises
            if (stage is None or one.stage == stage)
            and (district is None or one.district == district)
            and reader.may_see(one.district)
        ]

    def out_of(self, **where: str) -> int:
        """How many share a stage, or a district: what a rank in it is out of."""
        return sum(all(getattr(one, name) == value for name, value in where.items()) for one in self.enterprises)

    def neighbours(self, uscc: str, reader: Reader, each_side: int = 3) -> list[Enterprise]:
        """The enterprise among those just before and just behind it in its stage."""
        own = self.enterprises[self._by_code[uscc]]
        peers = self.ranked(reader, stage=own.stage)
        at = peers.index(own)
        return peers[max(at - each_side, 0) : at + each_side + 1]

    def _shown(self, place: int, reader: Reader) -> bool:
        return reader.may_see(self.enterprises[place].district)


class _Lines:
    """Many short texts as one, so that a search is a search in one string."""

    def __init__(self, lines: Iterable[tuple[str, int]]) -> None:
        held = list(lines)
        self._text = "\n" + "\n".join(line for line, _ in held) + "\n"
        self._places = [place for _, place in held]
        self._starts, at = [], 1
        for line, _ in held:
            self._starts.append(at)
            at += len(line) + 1

    def holding(self, asked: str) -> Iterator[tuple[int, int]]:
        """Whose line holds `asked`, with 0 for the whole line, 1 for its beginning, 2 for elsewhere; who has several
        lines comes once for each.
        """
        if self._text.isascii() > asked.isascii() or asked not in self._text:
            return
        for pattern, worse in ((f"\n{asked}\n", 0), (f"\n{asked}", 1), (asked, 2)):
            at = self._text.find(pattern)
            while at >= 0:
                line = bisect_right(self._starts, at + (worse < 2)) - 1
                yield self._places[line], worse
                at = self._text.find(pattern, self._starts[line + 1] - 1 if line + 1 < len(self._starts) else at + 1)


def former_names(lake: Lake, ledger: Ledger, as_of: date) -> dict[str, list[str]]:
    """Code → the names that the registry says were carried before, of the last night of each district not after a date.
    A district whose night is damaged or not kept any more has none.
    """
    found: dict[str, list[str]] = {}
    for area in areas():
        night = ledger.last_scored(area, None, as_of)
        if night is None:
            continue
        try:
            held = lake.read(conformed(area, night.result.as_of), "enterprises", ["uscc", "former_names"])
        except InnopointsError:
            continue
        for uscc, names in zip(held["uscc"].to_pylist(), held["former_names"].to_pylist(), strict=True):
            if names:
                found[uscc] = [name.partition("@")[0] for name in split(names)]
    return found


def spellings(name: str, former: Sequence[str]) -> dict[str, None]:
    """By what else than its code an enterprise is known. The short form is a spelling of its own only where it is no
    part of the name: 常州市恒创液压有限公司 and 恒创(常州)液压有限公司 are 常州恒创液压 and 恒创液压 too.
    """
    known: dict[str, None] = {}
    for one in map(normal_name, (name, *former)):
        known[one] = None
        if _PLACED.search(one):
            read = parts(one)
            known |= {short: None for short in (read.place + read.stem, read.stem) if short not in one}
    return known


@cache
def sound(letter: str) -> str:
    return lazy_pinyin(letter)[0].upper()
