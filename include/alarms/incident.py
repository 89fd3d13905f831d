"""An incident: something a person should know of tonight, named so that it is told once however often it is met.

Its key names what is wrong and not when or in which task it was met. What it says are names of datasets, districts,
sources and corrections, counts and a link: never a record, an enterprise, an amount or the text of an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from include.kernel.areas import areas

SIGN = "创新积分"
"""Every message begins with it: a group robot that wants a keyword is given this one."""


@dataclass(frozen=True)
class Message:
    """A subject, and a text that may be cut at the end of any line."""

    subject: str
    lines: tuple[str, ...]
    link: str = ""


@dataclass(frozen=True)
class Incident:
    """What happened, what holds meanwhile, how much of it there is, and where to look."""

    key: str
    as_of: date
    title: str
    kept: str
    counts: dict[str, int] = field(default_factory=dict)
    link: str = ""

    def message(self) -> Message:
        """What is sent when it is met for the first time."""
        said = [self.title, *(f"{name} {count:,}" for name, count in self.counts.items()), self.kept]
        return Message(f"{SIGN} {self.as_of} · {self.title}", (f"{SIGN} {self.as_of}", *said), self.link)


def silent_source(source: str, title: str, as_of: date, *, missing: int, link: str = "") -> Incident:
    """A department did not deliver, whatever the number of its datasets that wait."""
    return Incident(
        f"source/{source}",
        as_of,
        f"a department did not deliver 部门未交付: {source} {title}",
        "its last good snapshots are in use 沿用上一份合格快照",
        {"snapshots missing 缺": missing},
        link,
    )


def rejected_snapshot(dataset: str, scope: str, as_of: date, *, counts: dict[str, int], link: str = "") -> Incident:
    """A delivery was refused, or could not be judged."""
    said = "snapshot rejected 快照拒收" if counts else "a snapshot could not be judged 快照未能校验"
    kept = "the last good snapshot is in use 沿用上一份合格快照"
    return Incident(f"snapshot/{dataset}/{scope}", as_of, f"{said}: {dataset}/{scope}", kept, counts, link)


def unscored_district(code: str, as_of: date, *, link: str = "") -> Incident:
    """A district has no points for the night."""
    return Incident(
        f"district/{code}",
        as_of,
        f"a district was not scored 辖区未算出: {code} {areas()[code].name_zh}",
        "its last good points are published, flagged 沿用上一次合格积分并注明",
        link=link,
    )


def blocked_publication(scheme: str, as_of: date, *, link: str = "") -> Incident:
    """The night's generation was not published."""
    return Incident(
        f"publication/{scheme}",
        as_of,
        f"publication blocked 发布被拦: {scheme}",
        "readers see the previous generation, whole 仍显示上一代次",
        link=link,
    )


def late_publication(scheme: str, as_of: date, *, scored: int, link: str = "") -> Incident:
    """The deadline has passed. Of a publication that is blocked somebody was told when it was."""
    blocked = blocked_publication(scheme, as_of, link=link)
    said = {"districts scored 已算出": scored}
    return Incident(blocked.key, as_of, f"not published by its deadline 逾期未发布: {scheme}", blocked.kept, said, link)


def unfit_correction(name: str, state: str, as_of: date, *, link: str = "") -> Incident:
    """A declared correction expects what its source no longer says."""
    return Incident(
        f"correction/{name}",
        as_of,
        f"a correction no longer fits its source 更正与来源不再相符: {name} ({state})",
        "what the department says now is used; end the correction (`until`) 采用部门现值，请终止该更正",
        link=link,
    )


def failed_task(name: str, as_of: date, *, link: str = "") -> Incident:
    """Any other task that gave up."""
    return Incident(f"task/{name}", as_of, f"a task failed 任务失败: {name}", "what was committed before", link=link)
