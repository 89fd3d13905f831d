"""The digest of a night: what arrived and how old it is, what was scored and published, what waits for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from include.alarms.incident import SIGN, Message


@dataclass(frozen=True)
class SourceNight:
    """One source system: how many of its snapshots were accepted, rejected, or are missing tonight; the rows of those
    that were judged; and the age of the oldest snapshot in use, None where there is one too few.
    """

    source: str
    accepted: int
    rejected: int
    missing: int
    rows_in: int
    rows_accepted: int
    rows_quarantined: int
    oldest_days: int | None


@dataclass(frozen=True)
class Night:
    """Counts of one night. A number that could not be found out is None."""

    as_of: date
    scheme: str
    published: bool
    current: str
    sources: Sequence[SourceNight]
    scored: Sequence[str]
    on_last_good: Sequence[str]
    without_result: Sequence[str]
    blocked_deliveries: int
    names_waiting: int | None
    corrections: Mapping[str, int]
    open_incidents: Sequence[tuple[str, date]]
    over_incidents: Sequence[str]


def digest(night: Night, link: str = "") -> Message:
    """The digest, the most important lines first: a channel with little room cuts the end."""
    said = "published 已发布" if night.published else "NOT PUBLISHED 未发布"
    head = f"{SIGN} {night.as_of} · {said}"
    districts = len(night.scored) + len(night.on_last_good) + len(night.without_result)
    lines = [
        head,
        f"current generation 当前代次: {night.current}",
        f"districts scored tonight 辖区: {len(night.scored)} of {districts}"
        + _named("; on their last good result", night.on_last_good)
        + _named("; without any", night.without_result),
        f"open incidents 未了结: {len(night.open_incidents)}",
        *(f"- {title} (since {since})" for title, since in night.open_incidents),
    ]
    if night.over_incidents:
        lines += [
            f"over since yesterday 已恢复: {len(night.over_incidents)}",
            *(f"- {t}" for t in night.over_incidents),
        ]
    names = "an unknown number of" if night.names_waiting is None else f"{night.names_waiting:,}"
    lines += [
        f"waiting for a person 待处理: {night.blocked_deliveries:,} blocked deliveries, {names} names",
        *_corrections(night.corrections),
        "sources 数据源: snapshots accepted/rejected/missing; rows in, accepted, quarantined; oldest in use",
        *(_line(one) for one in night.sources),
    ]
    return Message(head, tuple(lines), link)


def _corrections(states: Mapping[str, int]) -> list[str]:
    said = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
    return [f"declared corrections 已声明的更正: {said}"] if said else []


def _line(one: SourceNight) -> str:
    age = "not all ever delivered" if one.oldest_days is None else f"{one.oldest_days} d"
    return (
        f"- {one.source}: {one.accepted}/{one.rejected}/{one.missing}; "
        f"{one.rows_in:,}, {one.rows_accepted:,}, {one.rows_quarantined:,}; {age}"
    )


def _named(what: str, names: Sequence[str]) -> str:
    return f"{what}: {', '.join(names)}" if names else ""
