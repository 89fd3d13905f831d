"""The seven districts of Changzhou, from the registry's *management area*, never from digits of a credit code.

Codes: GB/T 2260, except 常州经开区, which has no code of its own there and carries the pseudo code 3204JK.
Another zone replaces `areas.yaml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from include.kernel.documents import read_yaml
from include.kernel.errors import BadInput, shown

CITY = "city"


@dataclass(frozen=True)
class Area:
    code: str
    name_zh: str
    name_en: str


@cache
def areas() -> dict[str, Area]:
    """Area code → area, in the order of the table."""
    rows = read_yaml(Path(__file__).with_name("areas.yaml"))["areas"]
    return {row["code"]: Area(**row) for row in rows}


def require_area(code: str) -> str:
    """Return `code` if it is a known district; else one line that lists what is known."""
    if not isinstance(code, str) or code not in areas():
        raise BadInput(
            f"unknown district {shown(code)}", todo=f"use one of {', '.join(areas())}", kept="nothing was started"
        )
    return code
