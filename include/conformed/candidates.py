"""Whom a name may mean that equals none: the three likeliest enterprises, for people to look at. Never a link.

Names that share rare pieces of core and trade, in characters or in sound, are looked up together as one product of
sparse matrices; the few dozen found for each name are then compared letter by letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from pypinyin import lazy_pinyin
from rapidfuzz.distance import OSA
from scipy import sparse

from include.conformed.names import parts

TOP = 3
_RETRIEVED = 80
_alike = OSA.normalized_similarity
"""1 = the same; a character missing, added, replaced or swapped with its neighbour is one step."""
_CHUNK = 256
_LEAST_SCORE = 0.55
"""Below it two names have hardly more than their trade in common."""


class Candidates:
    """Proposals among named enterprises (present and former names, several per enterprise)."""

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        """`named`: (name, uscc)."""
        held = list(named)
        self._usccs = [uscc for _, uscc in held]
        self._names = [_Read.of(name) for name, _ in held]
        self._pieces: dict[str, int] = {}
        counts = self._counts(self._names, grow=True)
        carried = np.bincount(counts.indices, minlength=len(self._pieces))
        self._rarity = np.log1p(len(held) / carried).astype(np.float32)
        self._by_piece = self._weighed(counts).T.tocsr()

    def of(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """For each name at most three enterprises, the likeliest first."""
        found: list[tuple[str, ...]] = []
        for start in range(0, len(texts), _CHUNK):
            asked = [_Read.of(text) for text in texts[start : start + _CHUNK]]
            near = self._weighed(self._counts(asked)) @ self._by_piece
            for row, one in enumerate(asked):
                span = slice(near.indptr[row], near.indptr[row + 1])
                found.append(self._best(one, near.indices[span], near.data[span]))
        return found

    def _best(self, asked: _Read, places: np.ndarray, near: np.ndarray) -> tuple[str, ...]:
        if len(places) > _RETRIEVED:
            places = places[np.argpartition(near, -_RETRIEVED)[-_RETRIEVED:]]
        ranked = sorted((*asked.unlike(self._names[place]), self._usccs[place]) for place in places.tolist())
        return tuple(dict.fromkeys(uscc for _, score, uscc in ranked if -score >= _LEAST_SCORE))[:TOP]

    def _counts(self, names: list[_Read], *, grow: bool = False) -> sparse.csr_matrix:
        """One row per name, one column per piece; `grow` adds the pieces that are new, else they are left out."""
        columns, ends = [], [0]
        for name in names:
            for piece in set(name.pieces()):
                at = self._pieces.setdefault(piece, len(self._pieces)) if grow else self._pieces.get(piece)
                if at is not None:
                    columns.append(at)
            ends.append(len(columns))
        return sparse.csr_matrix((np.ones(len(columns), np.float32), columns, ends), (len(names), len(self._pieces)))

    def _weighed(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        """Rare pieces count more, and every name the same in all."""
        weighed = counts.multiply(self._rarity).tocsr()
        length = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
        return sparse.diags_array(1 / np.maximum(length, 1e-9)).astype(np.float32) @ weighed


class _Read(NamedTuple):
    """What is compared of a name; `sounds` is the stem as it sounds."""

    core: str
    stem: str
    sounds: str
    place: str
    form: str

    @classmethod
    def of(cls, text: str) -> _Read:
        name = parts(text)
        return cls(name.core, name.stem, name.stem.translate(_readings()), name.place, name.form)

    def pieces(self) -> Iterator[str]:
        """The core: whole, its sound, its characters in any order, each; pairs over core and trade."""
        sounds = self.sounds[: len(self.core)]
        yield "=" + self.core
        yield "~" + sounds
        yield "%" + "".join(sorted(self.core))
        yield from self.core
        yield from map("".join, pairwise(self.stem))
        yield from map("~".join, pairwise(sounds))

    def unlike(self, held: _Read) -> tuple[bool, float]:
        """Least first: the same stem under another form, then by how alike stem, sound, place and form are."""
        like = (
            0.45 * _alike(self.stem, held.stem)
            + 0.25 * _alike(self.sounds, held.sounds)
            + 0.2 * _same_place(self.place, held.place)
            + 0.1 * _alike(self.form, held.form)
        )
        return self.stem != held.stem, -like


def _same_place(asked: str, held: str) -> float:
    """One may say more than the other: 江苏常州 and 常州 agree."""
    return 1.0 if asked == held else 0.8 if asked in held or held in asked else 0.0


@cache
def _readings() -> dict[int, str]:
    """Each character to the one that stands for all with its reading, tones aside."""
    first: dict[str, str] = {}
    letters = map(chr, range(0x4E00, 0xA000))
    return {ord(letter): first.setdefault("".join(lazy_pinyin(letter)), letter) for letter in letters}
