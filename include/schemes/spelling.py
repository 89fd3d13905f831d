"""How a formula is written, before it is parsed: what would be read otherwise is refused, with what to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from unicodedata import normalize

_QUOTED = re.compile(r"'[^']*'")
_INSTEAD = {
    "**": "power(x, y)",
    "^": "power(x, y)",
    "@": "abs(x)",
    "%": "a share as a decimal (60 per cent is 0.6)",
    "=>": ">=",
    "=<": "<=",
    "≥": ">=",
    "≤": "<=",
    "≠": "<>",
    "×": "*",
    "÷": "ratio(a, b)",
    "−": "-",
    "“": "'",
    "”": "'",
}
_SIGN = re.compile("|".join(map(re.escape, _INSTEAD)))
_ID = re.compile(r"\b[A-Z][A-Z0-9]{0,9}-\d{1,3}\b")
_ODD: list[tuple[re.Pattern[str], Callable[[str], str]]] = [
    (re.compile(r"--|/\*"), lambda found: f"`{found}` would hide the rest as a comment; a double negative is a - (-b)"),
    (re.compile(r"(?<![\w.])\d[\d.]*_\w*"), lambda found: f"not a number: {found!r:.40}; write its digits alone"),
    (
        re.compile(r"(?<![\w.])\d+(,\d{3})*,0\d{2}(,\d{3})*(?!\d)|(?<![\w.(,])\d+,\d{3}(?![\d,])"),
        lambda found: f"{found!r:.40} is one number or two: write {_one_number(found)}, or a blank behind the comma",
    ),
    (
        re.compile(r"(?<![\w.])(\.\d+|\d+\.(?!\d))"),
        lambda found: f"not a plain decimal: {found!r:.40}; write {f'0{found}' if found[0] == '.' else found[:-1]}",
    ),
]


def _one_number(found: str) -> str:
    return found.replace(",", "." if found.startswith("0,") else "", 1).replace(",", "")


def unquoted(text: str) -> str:
    """The text without what its quoted words say."""
    return _QUOTED.sub("''", text)


def spelling_fault(text: str, known: Container[str]) -> str | None:
    """The first thing that is not written as formulas are; `known` are the names that it may use."""
    said = unquoted(text)
    for odd, fault in _ODD:
        if found := odd.search(said):
            return fault(found.group())
    for sign in said:
        plain = normalize("NFKC", sign)
        if plain != sign and plain.isascii():
            return _no_sign(sign, _INSTEAD.get(plain, plain))
    if found := _SIGN.search(said):
        return _no_sign(found.group(), _INSTEAD[found.group()])
    for indicator in _ID.findall(said):
        name = indicator.lower().replace("-", "_")
        if name in known:
            points = f", its points {name}_points" if f"{name}_points" in known else ""
            return f"{indicator} is {name} in a formula{points}"
    return None


def _no_sign(found: str, instead: str) -> str:
    return f"`{found}` is no sign of a formula: write {instead}"
