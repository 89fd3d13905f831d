"""`innopoints bench-search`: the pages' search at a city's size, as a ratio to one SQL statement written by hand.

Both know the same spellings of the same enterprises and must find the same ones. What is typed is drawn from the town:
whole names, short forms, former names, pinyin and initials, codes, parts of names, and names of nobody. What is timed
is the processor's time, so that another program on the machine changes little.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random
from statistics import median
from typing import Any

from pypinyin import lazy_pinyin

from include.bench.meter import Meter
from include.bench.names import SEED
from include.bench.town import Town
from include.kernel.errors import TerminalError
from include.kernel.identity import normal_name
from include.portal.city import MOST_FOUND, City, Enterprise, sound, spellings
from include.portal.published import Reader

FIRST = 10
"""Whoever is meant should be among so many."""
_EVERYBODY = Reader("bench")
_BY_HAND = """
SELECT place, min(CASE instr(text, :asked) WHEN 1 THEN text <> :asked ELSE 2 END) AS worse
FROM spelling WHERE instr(text, :asked) GROUP BY place ORDER BY worse, place LIMIT :most
"""


def bench_search(enterprises: int, asked: int, *, seed: int = SEED) -> dict[str, Any]:
    """Draw a town and what is typed, find it both ways, compare; milliseconds of the processor, as JSON."""
    town = Town.drawn(enterprises, 12 * asked, seed)
    typed = list(_typed(town, asked, Random(seed)))
    former = {uscc: [str(name) for name in names] for uscc, names in town.former.items()}
    with Meter() as meter, meter.phase("build"):
        city = _city(town, former)
    by_hand = _by_hand(city, former)
    ours, theirs, first = [], [], []
    for text, uscc in typed:
        spent, found = _timed(city.find, text, _EVERYBODY)
        ours.append(spent)
        spent, rows = _timed(by_hand, text)
        theirs.append(spent)
        if len(found) < MOST_FOUND and {one.uscc for one in found} != {city.enterprises[place].uscc for place in rows}:
            raise TerminalError(f"search and statement differ on what number {len(ours)} of the list finds")
        if uscc:
            first.append(uscc in [one.uscc for one in found[:FIRST]])
    return {
        "enterprises": enterprises,
        "typed": len(typed),
        "seed": seed,
        "build": {name: round(value, 1) for name, value in meter.phases["build"].items()},
        "ours_cpu_ms": _told(ours),
        "by_hand_cpu_ms": _told(theirs),
        "p99_ratio": round(_p99(ours) / _p99(theirs), 3),
        f"meant_among_first_{FIRST}": round(sum(first) / len(first), 5),
    }


def _city(town: Town, former: dict[str, list[str]]) -> City:
    return City(
        (
            Enterprise(uscc, str(name), "320411", "成长期", Decimal(1), Decimal(1), rank, rank, rank)
            for rank, (uscc, name) in enumerate(town.names.items())
        ),
        {},
        former,
    )


def _typed(town: Town, asked: int, random: Random) -> Iterator[tuple[str, str]]:
    """What is typed and who is meant; '' where several or nobody may be."""
    for kind in ("exact", "spelling", "former", "short", "absent"):
        yield from [(one.text, one.uscc) for one in town.asked if one.kind == kind][:asked]
    for uscc in random.sample(list(town.names), min(asked, len(town.names))):
        name = town.names[uscc]
        yield uscc.lower(), uscc
        yield name.core, ""
        yield "".join(lazy_pinyin(name.core + name.trade)), ""
        yield "".join(letter[:1] for letter in lazy_pinyin(name.place + name.core + name.trade)), ""


def _by_hand(city: City, former: dict[str, list[str]]) -> Callable[[str], list[int]]:
    """The statement over a table of all spellings, in memory as ours are."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE spelling (text TEXT NOT NULL, place INTEGER NOT NULL)")
    for place, one in enumerate(city.enterprises):
        names = spellings(one.name, former.get(one.uscc, ()))
        sounds = ["".join(map(sound, name)) for name in names]
        initials = ["".join(sound(letter)[:1] for letter in name) for name in names]
        texts = dict.fromkeys([one.uscc, *names, *sounds, *initials])
        database.executemany("INSERT INTO spelling VALUES (?, ?)", [(text, place) for text in texts])

    def find(text: str) -> list[int]:
        rows = database.execute(_BY_HAND, {"asked": normal_name(text), "most": MOST_FOUND})
        return [place for place, _ in rows]

    return find


def _timed(do: Callable[..., list[Any]], *arguments: Any) -> tuple[float, list[Any]]:
    started = time.thread_time()
    found = do(*arguments)
    return 1000 * (time.thread_time() - started), found


def _p99(times: list[float]) -> float:
    return sorted(times)[-(-99 * len(times) // 100) - 1]


def _told(times: list[float]) -> dict[str, float]:
    return {"p50": round(median(times), 2), "p99": round(_p99(times), 2), "max": round(max(times), 2)}
