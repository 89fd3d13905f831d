"""What the form of a year's honours shows: the roll of its run, read from the ledger, and who comes and goes by it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import Engine

from include.kernel.areas import areas
from include.kernel.settings import settings
from include.publish.generations import generations
from include.publish.honours import Entries, difference, require_unchanged, year_before
from include.steps.approval import Question
from include.steps.honours import about, honoured, require_generation, require_may_stand, roll_of
from include.steps.stores import open_stores
from include.store import honours as store
from include.store.honours import Roll

MOST_NAMED = 20
"""So many come or go by name of each honour; the others are behind the link."""
_NOT_FROZEN = "nothing is frozen 上年未定榜"
_LACKS = {
    "last good result of": "Not of that day, the last good result stands 当日无结果，沿用上次结果",
    "no result of": "No result 没有结果",
}
"""How `publish` notes in the reason of a generation what it lacks, and how the form says it."""
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~.-])")


def question(run: str, pages: str) -> Question:
    """Is the roll of this run to be announced? `pages` is the address of the pages, where the whole list stands."""
    engine, roll = open_stores().engine, roll_of(run)
    require_may_stand(roll)
    entries = store.candidates(engine, roll.roll_id)
    require_unchanged(roll, entries, proposed=True)
    before = year_before(engine, roll)
    told = [asdict(one) for one in entries]
    tonight = [asdict(one) for one in honoured(engine, require_generation(engine, None).id)]
    return Question(
        about(roll),
        f"Honours of {roll.year}, roll {roll.roll_id}: announce? 是否公示{roll.year}年度荣誉？",
        f"""{len(entries)} honours from generation {roll.generation_id} as of {roll.as_of}, scheme {roll.scheme_id}.
名单共 {len(entries)} 项，出自代次 {roll.generation_id}，数据日期 {roll.as_of}，方案 {roll.scheme_id}。
{_lacking(engine, roll)}Approved, they stand in public for {roll.notice_days} days, then they freeze.
批准后公示 {roll.notice_days} 天，期满定榜。
{len(store.held_back(engine, roll, entries))} held back by objections to this year's rolls 因本年度异议暂缓。

**Since last year 与上年相比**: {_NOT_FROZEN if before is None else _told(before, told)}

**Beside tonight's list 与今夜名单相比**: {_told(tonight, told)}

[The whole roll 完整名单]({pages}/honours/{roll.year}?scheme={roll.scheme_id}&roll={roll.roll_id})

What is approved 批准对象: {about(roll)}
""",
        settings().approvers,
    )


def _lacking(engine: Engine, roll: Roll) -> str:
    """The districts of which the roll's generation holds no result of its day, a line for each kind."""
    notes = next((one.reason or "" for one in generations(engine) if one.id == roll.generation_id), "")
    told = ""
    for note, word in _LACKS.items():
        if which := re.search(rf"{note} ([\d(), -]+)", notes):
            told += f"{word}: {re.sub('[0-9]{6}', _area, which[1])}\n"
    return told


def _area(code: re.Match[str]) -> str:
    known = areas().get(code[0])
    return f"{known.name_zh} {known.name_en}" if known else code[0]


def _told(before: Entries, after: Entries) -> str:
    """Per honour how many stay, come and go, and by name who comes and who goes."""
    told = ""
    for honour, moved in difference(before, after).items():
        stay, come, go = map(len, moved)
        told += f"\n- {honour}: {stay} stay 保留, {come} new 新增, {go} gone 退出"
        told += _named("new 新增", moved.come) + _named("gone 退出", moved.go)
    return told


def _named(word: str, entries: Entries) -> str:
    if not entries:
        return ""
    names: Iterable[str] = (_MARKUP.sub(r"\\\1", one["name"]) for one in entries[:MOST_NAMED])
    more = f" … {len(entries) - MOST_NAMED} more 另有" if len(entries) > MOST_NAMED else ""
    return f"\n  - {word}: {'、'.join(names)}{more}"
