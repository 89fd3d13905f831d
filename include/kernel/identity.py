"""Identifiers of an enterprise: the unified social credit code (GB 32100-2015) and names made comparable."""

from __future__ import annotations

import re
import unicodedata

from stdnum.cn import uscc as stdnum_uscc

_INVISIBLE = re.compile(
    "[\\s\\x00-\\x1f\\x7f-\\x9f\\u00ad\\u115f\\u1160\\u180e\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f"
    "\\ufe00-\\ufe0f\\ufeff\\ufff9-\\ufffb\\U000e0000-\\U000e01ef]+"
)
"""Blanks, control characters, joiners, direction marks, fillers, variation selectors and tags."""
CODE_SHAPE = r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}"
"""18 characters of the GB 32100 alphabet (no I O S V Z), digits 3 to 8 numeric; in this spelling nothing is folded."""
OLDER_CODE = r"[0-9]{15}|[0-9A-Z]{8}-?[0-9X]"
"""What stood in its place before 2015: a registration number of 15 digits, an organisation code of nine characters."""
_CODE = re.compile(CODE_SHAPE)


def fold(text: str) -> str:
    """Full width to half width, blanks and invisible characters out: what two spellings of one thing share."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


def normal_code(text: str) -> str:
    """A credit code in its one spelling (folded, upper case). The length and check digit are not judged here."""
    return fold(text).upper()


def is_code_shape(code: str) -> bool:
    """Has it the shape of a credit code (`CODE_SHAPE`)?"""
    return _CODE.fullmatch(code) is not None


def check_digit_holds(code: str) -> bool:
    """The last character fits."""
    return is_code_shape(code) and stdnum_uscc.calc_check_digit(code[:-1]) == code[-1]


def normal_name(text: str) -> str:
    """An enterprise name for exact comparison: folded, upper case, every bracket the half-width one."""
    return fold(text).upper().translate(str.maketrans("【】〔〕[]{}", "()()()()"))
