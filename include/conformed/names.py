"""Reading a name: its one spelling, whose it is (firm, institution, person, foreign, branch), and its four parts.

Nothing here decides who is meant: equality does (`register`), and people do (`candidates` only proposes). A word that
`names.yaml` lacks makes a candidate worse, never a link wrong. No list holds every person's name, so what carries no
word of an organisation is `unclear`: it may be a person's, and is shown only where somebody registered is called so.
So is a text that lists several names otherwise than by a semicolon, if a person's may be among them: rather nobody is
shown than a person.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from include.kernel.documents import read_yaml
from include.kernel.identity import normal_name

FIRM, INSTITUTION, PERSON, FOREIGN, BRANCH = "firm", "institution", "person", "foreign", "branch"
UNCLEAR, TOO_LONG = "unclear", "too_long"
LONGEST = 200
"""Characters of a name; the longest registered ones have about a hundred. What is longer is a text, and not read."""

SEPARATORS = re.compile("[;；]")
_HAN = re.compile("[\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af]")
_KANA_OR_HANGUL = re.compile("[\u3041-\u30ff\uac00-\ud7a3]")
_BRACKETED = re.compile(r"\(([^()]*)\)")
_BELONGING = re.compile(r"(.+?(?:公司|合伙\))(?:\([^()]*\))*)[^()]+(?:(?<!公司)|(?<=[分子]公司))(?:\([^()]*\))*")
"""A firm up to its legal form, then a part of it: …有限公司(常州)研究院. A second legal form makes it a firm."""
_NUMBERED = re.compile("集团(?:有限)?公司第[〇○零一二三四五六七八九十百0-9]+(?:研究所|研究院|设计院|设计研究院)")
"""An institute of a state group has a number, and is a legal person of its own."""
_PARTED = re.compile("[、,|。:\n]")
"""Stands between names, beside the semicolon, and in none; in NFKC."""
_MAY_PART = re.compile(r"[\s/&+]+")
_WIDE = re.compile(rf"(?<!\S)({_HAN.pattern})\s+({_HAN.pattern}{{1,2}})(?!\S)")
"""A name with a blank in it: 王 伟."""
_BOTH = re.compile("[和与及]")
_WITHIN_A_PLACE = re.compile("[^区镇乡村]{1,4}?(?:区|镇|乡|村|街道)")
_INITIALS = re.compile(r"\w(?:\.\w){1,2}\.?")
"""A.B.: they are written like N.V., which is why a legal form of so few letters counts without dots only."""
_UNLIKE_A_GIVEN_NAME = "院所站局厅署"
_OF_A_RANK = "省市区县旗盟"
_CORE_LENGTH = 2
_LONGEST_PLACE = 15  # 积石山保安族东乡族撒拉族自治县


@dataclass(frozen=True)
class Parts:
    """A firm's name taken apart; each part may be empty but the core: 江苏 | 恒创 | 液压机械 | 有限公司."""

    place: str
    core: str
    trade: str
    form: str

    @cached_property
    def stem(self) -> str:
        """What is left of two names that differ in place and legal form only."""
        return self.core + self.trade


def split(text: str) -> list[str]:
    """The names in a cell that lists several, as written, in order, without the blanks around them."""
    return [name for part in SEPARATORS.split(text) if (name := part.strip())]


def kind(text: str) -> str:
    """Whose name this is; `unclear` where nothing in it says that it is an organisation's, nor whose."""
    name = normal_name(text)
    if len(name) > LONGEST:
        return TOO_LONG
    if _HAN.search(name) and _names_a_person_among_others(text):
        return UNCLEAR
    if any(form in name for form in _words("foreign").all):
        return FOREIGN
    if not _HAN.search(name) or _KANA_OR_HANGUL.search(name):
        return FOREIGN if _is_latin_organisation(text) else UNCLEAR
    whole = _BRACKETED.sub("", name)
    form = _ending(name, "forms") or _ending(whole, "forms")
    if not form and _is_person(whole):
        return PERSON
    if not form and _is_person(rest := _behind_places(whole)) and not _ends_in_trade(rest):
        return UNCLEAR
    institution = _ending(whole, "institutions")
    if _NUMBERED.search(whole):
        return INSTITUTION
    if len(_ending(whole, "branches")) > len(institution) or _BELONGING.fullmatch(name):
        return BRANCH
    if form:
        return FOREIGN if "·" in whole and whole.endswith("公司") else FIRM
    if institution:
        return INSTITUTION
    if "·" in whole:
        return PERSON if all(_HAN.fullmatch(one) or one == "·" for one in whole) else UNCLEAR
    return FIRM if _is_organisation(whole) else UNCLEAR


def may_be_person(text: str) -> bool:
    """Is it a person's name, or can nobody tell that it is none? Such a name is shown nowhere."""
    return kind(text) in (PERSON, UNCLEAR, TOO_LONG)


def head(text: str) -> str:
    """The firm that a branch belongs to: its name up to the legal form; any other name as it is."""
    name = normal_name(text)
    found = _BELONGING.fullmatch(name) if len(name) <= LONGEST else None
    return found[1] if found else text


def parts(text: str) -> Parts:
    """A firm's name in place, core (字号), trade and legal form; brackets go to the part they belong to."""
    name = normal_name(text)[:LONGEST]
    places: list[str] = []
    forms: list[str] = []
    for inner in _BRACKETED.findall(name):
        (places if inner and _place_at(inner) == len(inner) else forms).append(inner)
    stem = _BRACKETED.sub("", name)
    while form := _ending(stem, "forms", leave=1):
        stem = stem.removesuffix(form)
        forms.insert(0, form)
    trade = ""
    while word := _ending(stem, "trades", leave=_CORE_LENGTH):
        stem = stem.removesuffix(word)
        trade = word + trade
    while (length := _place_at(stem)) and len(stem) - length >= _CORE_LENGTH:
        places.append(stem[:length])
        stem = stem[length:]
    return Parts("".join(map(_short, places)), stem, trade, "".join(forms))


def _names_a_person_among_others(text: str) -> bool:
    """Does it list several names, and may one of them be a person's? 王伟、常州大学; of names that only a blank, a
    stroke or an "and" parts, which stand in firms' names as well, one must look like a person's.
    """
    text = unicodedata.normalize("NFKC", text)
    listed = [part for part in _PARTED.split(text) if part.strip()]
    if len(listed) > 1:
        return any(may_be_person(part) and normal_name(part) not in _places() for part in listed)
    apart = [part for part in _MAY_PART.split(_WIDE.sub(r"\1\2", text)) if part]
    if len(apart) > 1:
        return any(kind(part) == PERSON and not _place_at(normal_name(part)) for part in apart)  # 常州世 万工贸有限公司
    both = _BOTH.split(normal_name(text))
    return len(both) > 1 and all(map(_is_person, both))


def _is_person(name: str) -> bool:
    """A surname and one or two characters that are no word for an institution: 王伟, 欧阳明远."""
    if not all(map(_HAN.fullmatch, name)) or name[-1:] in _UNLIKE_A_GIVEN_NAME or name in _words("institutions").all:
        return False
    if name[:2] in _words("compound_surnames").all:
        return len(name) in (3, 4)
    return len(name) in (2, 3) and name[0] in _text("surnames")


def _is_organisation(name: str) -> bool:
    """Without a legal form at its end: one inside, a place with its rank in front, or a trade at the end (恒创液压).
    Of four characters with two surnames in front (陈李…) it may be a person's all the same.
    """
    place = name[: _place_at(name)]
    inside = any(word in name for key in ("forms", "branches", "institutions") for word in _words(key).all if word[1:])
    if inside or (len(place) > _CORE_LENGTH and place[-1] in _OF_A_RANK):
        return True
    if len(name) == 4 and all(letter in _text("surnames") for letter in name[:2]):
        return False
    return _ends_in_trade(name, leave=_CORE_LENGTH)


def _ends_in_trade(name: str, *, leave: int = 0) -> bool:
    """In one that nobody is given as a name: 农业发展, and not 发展."""
    while (trade := _ending(name, "trades", leave=leave)) in _words("given_names").all:
        name = name.removesuffix(trade)
    return bool(trade)


def _behind_places(name: str) -> str:
    """What stands behind the places in front of a name, if that could be a name: 江苏省常州市武进区湖塘镇 | 张伟."""
    rest = name
    while length := _place_at(rest) or (rest != name and _length_of(_WITHIN_A_PLACE.match(rest))):
        if len(rest) - length < _CORE_LENGTH:
            break
        rest = rest[length:]
    return rest


def _length_of(found: re.Match[str] | None) -> int:
    return found.end() if found else 0


def _is_latin_organisation(text: str) -> bool:
    """A word of an organisation, or a legal form in two or three letters where a firm has it: the last word, behind a
    word and no comma, in its own spelling, without dots. What is written otherwise may be somebody's initials.
    """
    written = re.findall(r",|[\w.]+", unicodedata.normalize("NFKC", text))
    words = [word if _INITIALS.fullmatch(word) else word.replace(".", "") for word in written]
    if not _words("latin").all.isdisjoint(map(str.upper, words)):
        return True
    *before, last = words or [""]
    return last in _words("latin_forms").all and before[-1:] != [","] and any(len(word) > 2 for word in before)


def _ending(text: str, key: str, *, leave: int = 0) -> str:
    """The longest word of a list at the end of `text` that leaves so many characters; '' for none."""
    words = _words(key)
    most = min(words.longest, len(text) - leave)
    return next((text[-n:] for n in range(most, 0, -1) if text[-n:] in words.all), "")


def _place_at(text: str) -> int:
    """How many characters at the beginning are a place."""
    places = _places()
    return next((n for n in range(min(_LONGEST_PLACE, len(text)), 1, -1) if text[:n] in places), 0)


def _short(place: str) -> str:
    return _places()[place]


@cache
def _file() -> dict[str, Any]:
    return read_yaml(Path(__file__).with_name("names.yaml"))


@dataclass(frozen=True)
class _Words:
    all: frozenset[str]
    longest: int


@cache
def _words(key: str) -> _Words:
    return _Words(frozenset(_file()[key]), max(map(len, _file()[key])))


@cache
def _text(key: str) -> str:
    return _file()[key]


@cache
def _places() -> dict[str, str]:
    """Every province, city and county, past and present, with and without its rank, to the name without it."""
    places = {"中国": "中国"}
    for found in re.findall(r'(?:province|county)="([^"]+)"', (files("stdnum.cn") / "loc.dat").read_text("utf-8")):
        for dated in found.split(","):
            place = normal_name(re.sub(r"\[[^]]*\]", "", dated))
            short = re.sub("(特别行政区|(壮族|回族|维吾尔)?自治区|省|市|地区|盟|区|县|旗)$", "", place)
            short = short if len(short) >= 2 else place
            if short not in ("市辖", "市", "直辖", "郊", "城"):
                places |= {place: short, short: short}
    return places
