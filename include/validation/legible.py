"""Is a name still the text that somebody wrote, or was it decoded in the wrong character set on its way?"""

from __future__ import annotations

import re

# A question mark or the replacement character stands where a character was lost; no name holds control characters.
_LOST = re.compile("[?？\ufffd\u0080-\u009f\ue000-\uf8ff]")
_LATIN = re.compile("[\u00a0-\u00ff]")
_FEWEST = 4  # characters beyond ASCII: of a shorter text, both readings can be honest


def is_legible(text: str) -> bool:
    """Nothing is lost, and it does not turn into other good text when it is read as the bytes that it came from.

    >>> [is_legible(name) for name in ("常州甲有限公司", "甯稿窞鐢叉湁闄愬叕鍙�", "³£ÖÝ¼×", "Müller GmbH")]
    [True, False, False, True]
    """
    if _LOST.search(text):
        return False
    beyond = sum(not letter.isascii() for letter in text)
    if beyond < _FEWEST:
        return True
    if len(_LATIN.findall(text)) == beyond:  # GBK read as Latin-1: every letter beyond ASCII is a Latin one
        return not _reads(text, "latin-1", "gb18030")
    return not _reads(text, "gb18030", "utf-8")  # UTF-8 read as GBK


def _reads(text: str, written: str, meant: str) -> bool:
    try:
        text.encode(written).decode(meant)
    except UnicodeError:
        return False
    return True
