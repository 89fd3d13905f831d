"""Bytes become text by the declared encoding or not at all."""

import pytest

from include.sources.encoding import decode

NAME = "常州科技有限公司"


@pytest.mark.parametrize("declared", ["gb2312", "GBK", "gb18030", "cp936"])
def test_a_chinese_charset_holds_every_character_whatever_the_department_calls_it(declared: str) -> None:
    assert decode("常州㐀𠮷有限公司".encode("gb18030"), declared) == "常州㐀𠮷有限公司"


def test_utf8_under_a_chinese_declaration_is_told_although_it_decodes() -> None:
    assert NAME.encode().decode("gb18030") != NAME  # no error of its own
    with pytest.raises(UnicodeDecodeError, match="the bytes are UTF-8") as refused:
        decode(b'{"name": "' + NAME.encode() + b'"}', "gbk")
    assert refused.value.start == 10


def test_a_name_that_is_valid_in_both_is_taken_as_declared() -> None:
    """联通, the famous one: its four bytes are valid UTF-8, but of no Han character."""
    assert decode("联通".encode("gbk"), "gbk") == "联通"


@pytest.mark.parametrize("declared", ["utf-8", "gb18030"])
def test_a_byte_order_mark_is_no_character(declared: str) -> None:
    assert decode(("\ufeff" + NAME).encode(declared), declared) == NAME


def test_what_does_not_decode_says_at_which_byte() -> None:
    with pytest.raises(UnicodeDecodeError) as refused:
        decode(NAME.encode("gbk"), "utf-8")
    assert refused.value.start == 0
