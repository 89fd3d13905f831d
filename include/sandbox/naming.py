"""Invented names and codes: companies, people, institutions; no real enterprise is imitated.

Organisation codes begin with `YY`, a prefix not issued in practice; check digits follow GB 11714 and GB 32100-2015.
"""

from __future__ import annotations

import numpy as np

_MARKS = "澜栖岳霁禾蔚珩弈沐煦旻琨澄翎钧骁泓奕岚曜朔筠湛樾昱珂霖衡璟漾茗峤沅翊骥昶瑭溯皓彧槿屿晗铄"
# Outside GBK, inside GB18030: what a careless export turns into question marks.
_RARE_MARKS = "䶮㛃𬭎"
MOST_COMPANIES = len(_MARKS) ** 3
_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
_GIVEN = "伟芳秀敏静强磊洋勇艳杰娟涛明超霞平刚桂文辉玲宇浩凯健俊帆雪倩博晨"

_RARE_SHARE = 0.006

INSTITUTIONS = ("常州云溪大学", "江苏清渚理工大学", "龙城材料研究院", "东渚工业技术研究院", "南栖大学")

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CODE_WEIGHTS = [pow(3, i, 31) for i in range(17)]
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_LETTER_Y = 34


def organisation_code(serial: int) -> str:
    """Nine characters, `YY` + six digits + check (GB 11714)."""
    body = f"{serial:06d}"
    values = [_LETTER_Y, _LETTER_Y, *map(int, body)]
    check = (11 - sum(v * w for v, w in zip(values, _ORGANISATION_WEIGHTS, strict=True)) % 11) % 11
    return f"YY{body}{'X' if check == 10 else check}"


def credit_code(division: str, serial: int) -> str:
    """A unified social credit code with a correct check character."""
    body = f"91{division}{organisation_code(serial)}"
    total = sum(_ALPHABET.index(c) * w for c, w in zip(body, _CODE_WEIGHTS, strict=True))
    return body + _ALPHABET[(31 - total % 31) % 31]


def patent_check(twelve: np.ndarray) -> np.ndarray:
    """Check character of application numbers (weights 2..9, 2..5, modulo 11, ten is X); `twelve` as integers."""
    weights = np.array([2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5])
    digits = twelve[:, None] // 10 ** np.arange(11, -1, -1) % 10
    return np.array(list("0123456789X"))[(digits * weights).sum(axis=1) % 11]


def company_names(random: np.random.Generator, words: list[list[str]]) -> list[str]:
    """One unique name per entry of `words`, the words its industry uses; about a quarter put the city in brackets."""
    base = len(_MARKS)
    brands = random.choice(base**3, size=len(words), replace=False)
    forms, rarity = random.random(len(words)), random.random(len(words))
    picks = random.integers(0, 1 << 30, len(words))
    names = []
    rare = set(np.argsort(rarity, kind="stable")[: max(1, round(len(words) * _RARE_SHARE))].tolist())
    for number, (brand, form, pick, choices) in enumerate(
        zip(brands.tolist(), forms.tolist(), picks.tolist(), words, strict=True)
    ):
        mark = _MARKS[brand % base] + _MARKS[brand // base % base] + _MARKS[brand // base // base]
        mark += _RARE_MARKS[number % len(_RARE_MARKS)] if number in rare else ""
        word = choices[pick % len(choices)]
        if form < 0.25:
            names.append(f"{mark}（常州）{word}有限公司")
        elif form < 0.35:
            names.append(f"江苏{mark}{word}股份有限公司")
        else:
            names.append(f"常州{mark}{word}有限公司")
    return names


def person(number: int) -> str:
    """An invented person; the same number is the same name."""
    a, b, c = number % len(_SURNAMES), number // 32 % len(_GIVEN), number // 1024 % len(_GIVEN)
    return _SURNAMES[a] + _GIVEN[b] + _GIVEN[c]
