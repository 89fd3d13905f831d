"""Identifiers of an enterprise: the unified social credit code (GB 32100-2015) and names, each in its one spelling."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc
from stdnum.cn import uscc as stdnum_uscc

_INVISIBLE = re.compile(
    "[\\s\\x00-\\x1f\\x7f-\\x9f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u202a-\\u202e"
    "\\u2060-\\u206f\\u2800\\ufe00-\\ufe0f\\ufeff\\ufff0-\\ufffb\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff]+"
)
"""Blanks, control characters, and all that shows nothing (Unicode's Default_Ignorable_Code_Point: joiners, direction
marks, fillers, variation selectors, tags), with the marks of interlinear notes and the empty braille cell."""
CODE_SHAPE = r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}"
"""18 characters of the GB 32100 alphabet (no I O S V Z), digits 3 to 8 numeric; in this spelling nothing is folded."""
OLDER_CODE = r"[0-9]{15}|[0-9A-Z]{8}-?[0-9X]"
"""What stood in its place before 2015: a registration number of 15 digits, an organisation code of nine characters."""
_CODE = re.compile(CODE_SHAPE)
_STAYS = "昇陞琱祕蒐脩谿鉅釐劄頫氾扞"
"""Standard characters (《通用规范汉字表》, 2013) that a converter of traditional script would change. They stay, and
so does what GB 2312 holds: two firms may differ by nothing else."""


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
    """A name in its one spelling: width, blanks, invisible characters and brackets folded, upper case, simplified.

    Two registered firms that differ only in this are held to have the same name, and neither is linked by it.
    """
    return fold(text).upper().translate(_one_spelling())


def normal_names(names: pa.Array) -> pa.Array:
    """`normal_name` of each. Names in plain letters and simplified characters are read whole columns at a time."""
    spelt = pc.ascii_upper(names)
    for there, here in zip("（）[]{}", "()()()", strict=True):
        spelt = pc.replace_substring(spelt, there, here)
    others = pc.fill_null(pc.invert(pc.match_substring_regex(names, _plainly_spelt())), False)
    careful = [normal_name(text) for text in names.filter(others).to_pylist()]
    return pc.replace_with_mask(spelt, others, pa.array(careful, pa.string()))


@cache
def _one_spelling() -> dict[int, int | str]:
    """Brackets to `()`, middle dots to `·`, and traditional characters to simplified ones: only those that no
    simplified text contains."""
    import opencc  # its dictionaries take a moment: only who compares names waits for them

    letters = [chr(code) for block in (range(0x3400, 0x4DC0), range(0x4E00, 0xA000)) for code in block]
    converted = opencc.OpenCC("t2s").convert("\n".join(letters)).split("\n")
    return str.maketrans("【】〔〕[]{}•‧∙⋅・", "()()()()·····") | {
        ord(old): new
        for old, new in zip(letters, converted, strict=True)
        if new != old and not _in_gb2312(old) and old not in _STAYS
    }


@cache
def _plainly_spelt() -> str:
    """A pattern of names in which nothing is folded but brackets and case."""
    plain = enumerate(code for code in range(0x4E00, 0xA000) if code not in _one_spelling())
    runs = [[code for _, code in run] for _, run in groupby(plain, key=lambda one: one[1] - one[0])]
    return "^[!-~（）" + "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs) + "]*$"


def _in_gb2312(letter: str) -> bool:
    try:
        letter.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
