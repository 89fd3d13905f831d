"""Business dates, arrival cut-offs and the year that yearly figures speak of. The clock is never read here.

The refresh *as of* D sees every record that had arrived **before D began in Shanghai**. So the night's run at 01:00
on D and a back-fill of D three weeks later see the same records, and give the same bytes.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from include.kernel.errors import BadInput, shown

SHANGHAI = ZoneInfo("Asia/Shanghai")

# Yearly income-tax returns are due on 31 May: from 1 June the year before is the last closed year.
_CLOSED_FROM = (6, 1)


def parse_as_of(text: str) -> date:
    """`2026-11-23` → date. Anything else, and any date the calendar does not have, is refused with one line."""
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError(text)
        return date.fromisoformat(text)
    except (ValueError, TypeError):
        raise BadInput(
            f"malformed date {shown(text)}", todo="write it as YYYY-MM-DD", kept="nothing was started"
        ) from None


def require_begun(as_of: date, today: date) -> date:
    """`as_of`, if it has begun by `today` (a day in Shanghai).

    Records of a later day may yet arrive: its snapshot could never be repeated, and its generation would keep every
    night until then from being published.
    """
    if as_of > today:
        raise BadInput(f"as_of {as_of} has not begun", kept="nothing was started", todo=f"use {today} or earlier")
    return as_of


def arrival_cutoff(as_of: date) -> datetime:
    """The first moment that the refresh as of `as_of` does *not* see: its midnight in Shanghai."""
    return datetime.combine(as_of, time(0), tzinfo=SHANGHAI)


def seen_from(moment: datetime) -> date:
    """The first business date whose refresh sees what happened at an aware moment: the inverse of `arrival_cutoff`."""
    return business_date(moment) + timedelta(days=1)


def business_date(moment: datetime) -> date:
    """The calendar day in Shanghai of an aware moment (a run's logical date)."""
    if moment.tzinfo is None:
        raise ValueError("a naive moment has no business date")
    return moment.astimezone(SHANGHAI).date()


def closed_year(as_of: date) -> int:
    """The last year whose yearly figures are due by `as_of`: 2025 on 2026-06-01, still 2024 on 2026-05-31."""
    return as_of.year - 1 if (as_of.month, as_of.day) >= _CLOSED_FROM else as_of.year - 2
