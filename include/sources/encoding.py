"""Bytes to text by the declared encoding, strictly: what does not decode is refused, never guessed or replaced.

>>> decode("㐀𠮷".encode("gb18030"), "gbk")
'㐀𠮷'
"""

from __future__ import annotations

import re

# Departments say GB2312 or GBK and send GB18030, which holds both: names have characters of four bytes (㐀, 𠮷).
_CHINESE = {"gb2312", "gbk", "gb18030", "cp936", "936", "ms936"}
_HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")


def decode(raw: bytes, encoding: str) -> str:
    """The text without a byte order mark; UnicodeDecodeError says at which byte it is not this encoding.

    UTF-8 under a Chinese declaration decodes without any error to other characters; it is told by its bytes, which
    are valid UTF-8 and hold a Han character as such. Real GB18030 of more than a few characters never is.
    """
    chinese = encoding.lower().replace("_", "-") in _CHINESE
    text = raw.decode("gb18030" if chinese else encoding).removeprefix("\ufeff")
    if chinese and not raw.isascii() and _is_utf8(raw):
        start = next(at for at, byte in enumerate(raw) if byte > 0x7F)
        raise UnicodeDecodeError(encoding, raw, start, start + 1, "the bytes are UTF-8")
    return text


def _is_utf8(raw: bytes) -> bool:
    try:
        return _HAN.search(raw.decode("utf-8")) is not None
    except UnicodeDecodeError:
        return False
