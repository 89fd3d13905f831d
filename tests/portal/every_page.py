"""Every page as a real browser looks at it: its route, and what it is asked. A page that does not stand here fails
`test_every_page_is_looked_at_in_a_browser`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

PARAMETER = r"{(\w+)(?::path)?}"
"""In a route; the last one of a path may hold slashes."""


class Page(NamedTuple):
    """A page of one of two homes: the paper town, where something waits for a person everywhere, or two real nights."""

    home: str
    route: str
    asked: Mapping[str, str] = {}

    def address(self, known: Mapping[str, str], lang: str) -> str:
        """With what is known of the home in the places of the route."""
        values = {**known, **self.asked}
        path = re.sub(PARAMETER, lambda found: quote(values[found[1]], safe=""), self.route)
        query = {name: value for name, value in self.asked.items() if name not in re.findall(PARAMETER, self.route)}
        return f"{path}?{urlencode({**query, 'lang': lang})}"


TOWN, NIGHTS = "town", "nights"
PAGES = {
    "tonight": Page(NIGHTS, "/"),
    "tonight_waiting": Page(TOWN, "/"),
    "enterprises": Page(NIGHTS, "/enterprises", {"q": "常州"}),
    "portrait": Page(NIGHTS, "/enterprises/{uscc}"),
    "portrait_of_paper": Page(TOWN, "/enterprises/{uscc}"),
    "change": Page(NIGHTS, "/enterprises/{uscc}/change"),
    "account": Page(NIGHTS, "/enterprises/{uscc}/{indicator}"),
    "rankings": Page(NIGHTS, "/rankings"),
    "honours": Page(NIGHTS, "/honours"),
    "honours_of_year": Page(NIGHTS, "/honours/{year}"),
    "scheme": Page(NIGHTS, "/scheme"),
    "difference": Page(NIGHTS, "/scheme/difference", {"to": "national_core"}),
    "indicator": Page(NIGHTS, "/scheme/{indicator}"),
    "quarantine": Page(NIGHTS, "/quarantine"),
    "held_back": Page(NIGHTS, "/quarantine/{dataset}/{scope}"),
    "held_row": Page(TOWN, "/quarantine/{dataset}/{scope}/{row}"),
    "waivers": Page(TOWN, "/waivers"),
    "review": Page(TOWN, "/review"),
    "review_one": Page(TOWN, "/review/one", {"dataset": "IP_PAT", "name": "常州恒闯液压有限公司"}),
    "decisions": Page(TOWN, "/decisions"),
    "snapshot": Page(NIGHTS, "/snapshots/{dataset}/{scope}/{as_of}"),
    "snapshot_manifest": Page(NIGHTS, "/snapshots/{dataset}/{scope}/{as_of}/manifest"),
    "snapshot_quarantine": Page(NIGHTS, "/snapshots/{dataset}/{scope}/{as_of}/quarantine"),
    "result_manifest": Page(NIGHTS, "/results/{scope}/{as_of}/manifest", {"scheme": "changzhou_v1"}),
    "run": Page(NIGHTS, "/runs/{dag}/{run:path}"),
    "run_of_nothing": Page(TOWN, "/runs/{dag}/{run:path}", {"dag": "other", "run": "manual__1"}),
    "sorry": Page(TOWN, "/enterprises/{uscc}", {"uscc": "nobody"}),
}
