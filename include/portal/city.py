"""All enterprises of one generation, kept in memory while it is current: found by what is typed, ranked, compared.

100,000 enterprises take about 100 MB. The published tables know present names only; `pinyin` holds one reading of each
character, the commonest, so that a name with a rarer reading is found by its characters or its initials as read here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cache
from typing import NamedTuple

import sqlalchemy as sa
from pypinyin import lazy_pinyin

from include.kernel.identity import normal_name
from include.portal.published import EXPECTED_SHARES, VIEWS, Reader, Reading

MOST_FOUND = 1000
"""Whoever finds more types more; beyond it nothing is counted or sorted."""
LONGEST_QUERY = 100


class Enterprise(NamedTuple):
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

    def __init__(self, enterprises: Iterable[Enterprise], medians: dict[tuple[str, str], Decimal]) -> None:
        self.enterprises = sorted(enterprises, key=lambda one: (one.rank_all, one.uscc))
        self.medians = medians
        present = {one.stage for one in self.enterprises}
        self.stages = [*(one for one in EXPECTED_SHARES if one in present), *sorted(present - EXPECTED_SHARES.keys())]
        self._by_code = {one.uscc: place for place, one in enumerate(self.enterprises)}
        names = [normal_name(one.name) for one in self.enterprises]
        self._spellings = [
            _Lines([one.uscc for one in self.enterprises]),
            _Lines(names),
            _Lines("".join(map(_sound, name)) for name in names),
            _Lines("".join(_sound(letter)[:1] for letter in name) for name in names),
        ]

    @classmethod
    def of(cls, reading: Reading) -> City:
        profile, points = VIEWS["enterprise_profile"].c, VIEWS["enterprise_points"].c
        of_points = [points[name] for name in Enterprise._fields[4:]]
        query = sa.select(profile.uscc, profile.name, profile.district, profile.stage, *of_points)
        found = reading.rows(query.where(points.uscc == profile.uscc))
        return cls((Enterprise(*row) for row in found), reading.stage_medians())

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

    def __init__(self, lines: Iterable[str]) -> None:
        held = list(lines)
        self._text = "\n" + "\n".join(held) + "\n"
        self._starts, at = [], 1
        for line in held:
            self._starts.append(at)
            at += len(line) + 1

    def holding(self, asked: str) -> Iterator[tuple[int, int]]:
        """Place of each line that holds `asked`, with 0 for the whole line, 1 for its beginning, 2 for elsewhere."""
        if self._text.isascii() > asked.isascii() or asked not in self._text:
            return
        for pattern, worse in ((f"\n{asked}\n", 0), (f"\n{asked}", 1), (asked, 2)):
            at = self._text.find(pattern)
            while at >= 0:
                place = bisect_right(self._starts, at + (worse < 2)) - 1
                yield place, worse
                at = self._text.find(pattern, self._starts[place + 1] - 1 if place + 1 < len(self._starts) else at + 1)


@cache
def _sound(letter: str) -> str:
    return lazy_pinyin(letter)[0].upper()
