"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass

from include.contracts.model import Severity


@dataclass(frozen=True)
class CheckResult:
    """What a check found, in counts: safe to log, to show and to hand on. `checked` and `failed` count rows, or are 1
    and 0 or 1 for a check of the whole snapshot, or count the populations that were compared. `detail` says in counts
    what was compared with what.
    """

    id: str
    title_zh: str
    column: str
    severity: Severity
    checked: int
    failed: int
    passed: bool
    detail: str = ""
