"""A registry and a list of names with known answers, drawn from a seed, for `innopoints bench-names`.

Nothing here knows how the engine reads a name: cores of few, very uneven characters, so that near namesakes abound;
twins that differ in place, trade, form or core only; renamed firms; a list in which most names are written as people
write them, and many are nobody's. The truth is whom the writer meant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from stdnum.cn import uscc

from include.kernel.documents import read_yaml

_SHARES = {
    "exact": 20, "spelling": 16, "former": 10,
    "form": 4, "place": 4, "typo": 6, "short": 2,
    "absent": 27, "branch": 4, "institution": 3, "person": 3, "foreign": 1,
}  # fmt: skip
_EQUAL = ("exact", "spelling", "former")
"""The kinds that equal a name of the firm; the others equal nobody's."""

_IN_FRONT, _AFTER_CORE, _AFTER_TRADE = "{0}{1}{2}{3}", "{1}（{0}）{2}{3}", "{1}{2}（{0}）{3}"
_WITHOUT_PLACE = "{1}{2}{3}"
_WORDS: dict[str, Any] = read_yaml(Path(__file__).with_suffix(".yaml"))


class Name(NamedTuple):
    """A firm's name as it is put together: the place in front, or in brackets behind the core or the trade."""

    place: str
    core: str
    trade: str
    form: str
    order: str

    def __str__(self) -> str:
        return self.order.format(*self[:4])


class Asked(NamedTuple):
    """One line of the list: the text, in what way it was written, and who is meant ('' for nobody registered)."""

    text: str
    kind: str
    uscc: str


@dataclass
class Town:
    """`names` and `former` are the registry, by code; `asked` is the list."""

    random: Random
    names: dict[str, Name] = field(default_factory=dict)
    former: dict[str, list[Name]] = field(default_factory=lambda: defaultdict(list))
    asked: list[Asked] = field(default_factory=list)
    _taken: set[str] = field(default_factory=set)

    @classmethod
    def drawn(cls, enterprises: int, asked: int, seed: int) -> Town:
        """So many enterprises and so many names asked for; the same seed gives the same town."""
        town = cls(Random(seed))
        for number in range(enterprises):
            town.names[_code(number)] = town._free(town._new)
            for _ in range(town.random.choice((1, 1, 1, 2)) if town._happens(0.12) else 0):
                town.former[_code(number)].append(town._free(town._name))
        everybody, renamed = list(town.names), list(town.former)
        for kind in town.random.choices(list(_SHARES), list(_SHARES.values()), k=asked):
            if kind == "absent":
                town.asked.append(Asked(str(town._free(town._new)), kind, ""))
            elif kind in _NOT_FIRMS:
                town.asked.append(Asked(_NOT_FIRMS[kind](town), kind, ""))
            else:
                town.asked.append(town._written(kind, renamed if kind == "former" else everybody))
        return town

    def _written(self, kind: str, codes: list[str]) -> Asked:
        """A registered firm written in some way; what happens to be another firm's name is drawn again."""
        while True:
            uscc = self.random.choice(codes)
            text = _WAYS[kind](self, uscc)
            if text and (kind in _EQUAL or _plain(text) not in self._taken):
                return Asked(text, kind, uscc)

    def _free(self, draw: Callable[[], Name]) -> Name:
        """A name that nobody carries or carried, whatever its brackets."""
        while (plain := _plain(str(name := draw()))) in self._taken:
            pass
        self._taken.add(plain)
        return name

    def _new(self) -> Name:
        return self._twin() if self.names and self._happens(0.1) else self._name()

    def _name(self) -> Name:
        length = self.random.choices((2, 3, 4), (75, 20, 5))[0]
        letters = _WORDS["core"]
        core = "".join(letters[min(int(self.random.expovariate(1 / 45)), len(letters) - 1)] for _ in range(length))
        form = self.random.choices(list(_WORDS["forms"]), list(_WORDS["forms"].values()))[0]
        order = self.random.choices((_IN_FRONT, _AFTER_CORE, _AFTER_TRADE), (70, 22, 8))[0]
        return Name(self._word("places"), core, self._word("trades"), form, _IN_FRONT if "（" in form else order)

    def _twin(self) -> Name:
        """Somebody else who differs from a registered firm in one part only."""
        name, other = self.names[_code(self.random.randrange(len(self.names)))], self._name()
        part = self.random.choice(("place", "core", "trade", "form"))
        return name._replace(**{part: getattr(other, part)}, order=_IN_FRONT)

    def _word(self, key: str) -> str:
        return self.random.choice(_WORDS[key].split())

    def _happens(self, share: float) -> bool:
        return self.random.random() < share

    # --- how people write a registered firm; '' if this one's name cannot be written that way

    def exact(self, uscc: str) -> str:
        return str(self.names[uscc])

    def spelling(self, uscc: str) -> str:
        return self._respelt(str(self.names[uscc]))

    def former_name(self, uscc: str) -> str:
        name = str(self.random.choice(self.former[uscc]))
        return self._respelt(name) if self._happens(0.3) else name

    def _respelt(self, text: str) -> str:
        """Other brackets, a blank or an invisible character somewhere, traditional script."""
        at = self.random.randrange(len(text) + 1)
        brackets = text.translate(str.maketrans("（）", self.random.choice(("()", "【】", "［］"))))
        blank = text[:at] + self.random.choice(_WORDS["unseen"]) + text[at:]
        traditional = text.translate(str.maketrans(_WORDS["simplified"], _WORDS["traditional"]))
        return self.random.choice((brackets, blank, traditional))

    def form(self, uscc: str) -> str:
        name = self.names[uscc]
        return str(name._replace(form=self.random.choice(_WORDS["other_forms"][name.form])))

    def place(self, uscc: str) -> str:
        """Left out, moved, or with more of it said."""
        name = self.names[uscc]
        match self.random.choice(("out", "moved", "fuller")):
            case "out":
                return str(name._replace(order=_WITHOUT_PLACE))
            case "moved":
                return str(name._replace(order=_AFTER_CORE if name.order == _IN_FRONT else _IN_FRONT))
            case _:
                fuller = _WORDS["fuller_places"].get(name.place)
                return str(name._replace(place=fuller)) if fuller else ""

    def typo(self, uscc: str) -> str:
        """One slip in core or trade: a character that sounds or looks alike, one missing, two swapped, one doubled."""
        name, part = self.names[uscc], self.random.choice(("core", "trade"))
        text = getattr(name, part)
        at = self.random.randrange(len(text))
        match self.random.choice(("same_sound", "same_sound", "look_alike", "missing", "swapped", "doubled")):
            case "missing":
                slip = text[:at] + text[at + 1 :] if len(text) > 2 else text
            case "swapped":
                slip = text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
            case "doubled":
                slip = text[: at + 1] + text[at:]
            case groups:
                like = [letter for group in _WORDS[groups].split() if text[at] in group for letter in group]
                slip = text[:at] + self.random.choice(like or [text[at]]) + text[at + 1 :]
        return str(name._replace(**{part: slip})) if slip != text else ""

    def short(self, uscc: str) -> str:
        name = self.names[uscc]
        return f"{name.place}{name.core}{name.trade}"

    # --- what is no registered firm

    def branch(self) -> str:
        return f"{self.names[_code(self.random.randrange(len(self.names)))]}{self._word('branches')}"

    def institution(self) -> str:
        return f"{self._word('places')}{self.random.choice(('', '东吴', '清渚', '龙城'))}{self._word('institutions')}"

    def person(self) -> str:
        given = self.random.choices(_WORDS["given"], k=self.random.choice((1, 2, 2)))
        return self.random.choice(_WORDS["surnames"]) + "".join(given)

    def foreign(self) -> str:
        return f"{self._word('foreign')} {self.random.choice(_WORDS['foreign_forms'])}"


_WAYS: dict[str, Callable[[Town, str], str]] = {
    "exact": Town.exact, "spelling": Town.spelling, "former": Town.former_name,
    "form": Town.form, "place": Town.place, "typo": Town.typo, "short": Town.short,
}  # fmt: skip
_NOT_FIRMS: dict[str, Callable[[Town], str]] = {
    "branch": Town.branch, "institution": Town.institution, "person": Town.person, "foreign": Town.foreign,
}  # fmt: skip


@cache
def _code(number: int) -> str:
    body = f"91320400{number:09d}"
    return body + uscc.calc_check_digit(body)


def _plain(text: str) -> str:
    return text.replace("（", "").replace("）", "")
