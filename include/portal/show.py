"""A page in the reader's language: what a template needs to say, name, link and draw."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from sqlalchemy import Row

from include.contracts import contracts
from include.evidence.account import Change
from include.kernel.areas import CITY, areas
from include.kernel.documents import read_yaml
from include.kernel.exact import from_scaled
from include.kernel.periods import SHANGHAI
from include.measures.registry import measures
from include.portal import pictures
from include.portal.city import MOST_FOUND, City
from include.portal.curve_picture import picture
from include.portal.desk import Sorry
from include.portal.pictures import Axis
from include.portal.published import EXPECTED_SHARES, LISTS, Portrait, Reader
from include.publish.generations import Generation
from include.schemes.compile import compile_indicator
from include.schemes.model import POINT_DECIMALS, Scheme, schemes

HERE = Path(__file__).parent
STYLE = HERE / "portal.css"
NUMBERS = ("place", "suggested_limit_yuan", "stage_percentile")
_CAUSES = ("facts", "stage", "rules")
_NOTES = {
    "note_last_good": r"last good result of ([^;]+)",
    "note_without": r"no result of ([^;]+)",
    "note_behind": r"(\w+) stands on ([^;]+)",
    "note_rolled_back": r"rolled back to generation (\d+) by ([^:;]+)",
    "note_of_another_scheme": r"generation (\d+) of scheme (\w+) is in force and stays current",
    "note_older": r"generation (\d+) of ([\d-]+) is newer and stays current",
    "note_drift": r"([^;]+) accepted the drift from generation (\d+) of ([\d-]+):",
}
"""Word → how `publish` writes it into the reason of a generation."""
_TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
_MOST_COLUMNS = 4
"""So many fit on a phone side by side."""
_FRACTIONS = ("coverage", "percentile_stage", "stage_percentile")


class Show:
    """One answer: its request, its language (`zh` or `en`), and, if any, the generation that it shows and to whom."""

    def __init__(
        self, request: Request, lang: str, generation: Generation | None = None, reader: Reader | None = None
    ) -> None:
        self.request, self.lang, self.generation, self.reader = request, lang, generation, reader
        self.root = request.scope.get("root_path", "").rstrip("/")  # a path that ends in a line break is cut off by one
        self.path = request.url.path.removeprefix(self.root) or "/"
        self.scheme = schemes().get(generation.scheme_id) if generation else None

    def page(self, template: str, *, status: int = 200, style: str = "", **context: Any) -> HTMLResponse:
        named = {
            name: getattr(self, name)
            for name in (
                *("lang", "root", "generation", "reader", "say", "link", "area", "stage_name", "shown", "plain"),
                *("verdict", "signed", "dataset_title", "indicator_name", "missing", "unit"),
                *("noted", "scheme_title", "rule_word", "rule_text"),
            )
        }
        text = (
            _templates()
            .get_template(f"{template}.html")
            .render(
                **named,
                here=template,
                other_language=self._other_language(),
                beijing=beijing,
                bar=pictures.bar,
                share_bar=lambda share, stage: pictures.bar(share, Decimal(100), _expected(stage)),
                expected=EXPECTED_SHARES,
                numbers=NUMBERS,
                most_found=MOST_FOUND,
                style=style,
                **context,
            )
        )
        return HTMLResponse(_TABLE.sub(_as_cards, text), status)

    def message(self, status: int, word: str, detail: str) -> HTMLResponse:
        """Whoever is kept out gets no style sheet either, so theirs comes with the page, and the way in."""
        kept_out = word in ("not_signed_in", "not_allowed")
        airflow = self.root.rpartition("/")[0]
        sign_in = f"{airflow}/api/v2/auth/login?{urlencode({'next': self.link(self.path)})}" if kept_out else ""
        style = Markup(STYLE.read_text(encoding="utf-8")) if kept_out else ""
        return self.page("message", status=status, text=self.told(word, detail), style=style, sign_in=sign_in)

    def told(self, word: str, detail: str) -> str:
        return f"{self.say(word)} {detail}".strip()

    def portrait(self, found: Portrait, city: City, **beside: Any) -> HTMLResponse:
        """An enterprise beside its stage; `beside` is shown as it is."""
        groups: dict[str, list[Any]] = {name: [] for name in self._categories()}
        for line in found.lines:
            groups.setdefault(line.category, []).append(line)
        axes = {
            category: Axis(
                self._category(category),
                sum((line.points for line in lines), Decimal("0.000")),
                sum((line.weight for line in lines if not self._is_penalty(line.indicator)), Decimal("0.000")),
                city.medians.get((found.profile.stage, category)),
            )
            for category, lines in groups.items()
        }
        most = sum((axis.most for axis in axes.values()), Decimal())
        points = found.points
        return self.page(
            "portrait",
            profile=found.profile,
            points=points,
            axes=list(axes.values()),
            groups=[(axes[category], lines) for category, lines in groups.items()],
            radar=pictures.radar(
                list(axes.values()), self.say("categories"), self.say("this_enterprise"), self.say("median")
            ),
            waterfall=pictures.waterfall(list(axes.values()), self.say("waterfall"), self.say("total")),
            interval=pictures.interval(points.total_low, points.total, points.total_high, most, self.say("interval")),
            neighbours=city.neighbours(found.profile.uscc, self._reader()),
            in_stage=city.out_of(stage=found.profile.stage),
            in_district=city.out_of(district=found.profile.district),
            in_city=city.out_of(),
            lists=[self._on_list(table, row._mapping) for table, row in found.lists],
            ladder=found.ladder,
            **beside,
        )

    def scheme_page(self) -> HTMLResponse:
        """Every indicator with its curve and what it weighs in each stage."""
        scheme = self._require_scheme()
        newest = scheme.weights.weights[-1]
        return self.page(
            "scheme",
            installed=scheme.version,
            others=[one for one in schemes() if one != scheme.id],
            stages=scheme.stage_ids,
            weights_from=newest.since,
            groups=[
                (
                    self._category(category),
                    [
                        (one, [newest.stages[stage][category][one.id] for stage in scheme.stage_ids])
                        for one in scheme.indicators.values()
                        if one.category == category
                    ],
                )
                for category in scheme.category_ids
            ],
        )

    def indicator_page(self, indicator: str) -> HTMLResponse:
        """One indicator: its formula, its curve as picture and table, its weights, its caliber."""
        scheme = self._require_scheme()
        if indicator not in scheme.indicators:
            raise Sorry(404, "unknown_indicator")
        assert self.generation is not None
        one = scheme.indicators[indicator]
        rule = compile_indicator(scheme, one, self.generation.as_of, measures())
        curve, newest = rule.curve, scheme.weights.weights[-1]
        return self.page(
            "indicator",
            one=one,
            category=self._category(one.category),
            curve=curve,
            picture=Markup(picture(curve, escape(f"{one.id} {curve.form}"))),
            segments=[
                (
                    self._edge(segment.lower, curve.decimals),
                    self._edge(segment.upper, curve.decimals),
                    " → ".join(
                        self.plain(from_scaled(points, POINT_DECIMALS))
                        for points in dict.fromkeys((segment.start, segment.end))
                    ),
                )
                for segment in curve.segments
            ],
            stages=scheme.stage_ids,
            weights=[newest.stages[stage][one.category][one.id] for stage in scheme.stage_ids],
            formula=rule.formula_rule.expression if rule.formula_rule else one.not_held,
        )

    def say(self, word: str) -> str:
        return _words()[word][("zh", "en").index(self.lang)]

    def link(self, path: str, **query: Any) -> str:
        """An address inside the app, in the reader's language."""
        asked = {name: value for name, value in query.items() if value not in ("", None)}
        asked |= {"lang": self.lang} if self.lang != "zh" else {}
        return self.root + path + (f"?{urlencode(asked)}" if asked else "")

    def stamp(self, generation: int, as_of: date) -> str:
        """A generation by its number and its business date."""
        return f"{self.say('generation')} {generation} · {self.say('as_of')} {as_of}"

    def area(self, code: str) -> str:
        if code == CITY:
            return self.say("city")
        known = areas().get(code)
        return code if known is None else known.name_zh if self.lang == "zh" else known.name_en

    def stage_name(self, stage: str) -> str:
        """As the scheme of the page calls it, or else another one that has it."""
        known = [*schemes().values(), *([self.scheme] if self.scheme else [])]
        english = {one.id: one.name_en for scheme in known for one in scheme.stages.stages}
        return english.get(stage, stage) if self.lang == "en" else stage

    def scheme_title(self, scheme: str) -> str:
        known = schemes().get(scheme)
        return "" if known is None else getattr(known.identity.title, self.lang)

    def rule_word(self, text: str) -> str:
        """What a rule is about, as the comparison of two schemes names it: a word, `weight in` a stage, a stage."""
        head, _, stage = text.partition(" in ")
        word = "rule_" + head.replace(" ", "_")
        return f"{self.say(word)} {self.stage_name(stage)}".strip() if word in _words() else self.stage_name(text)

    def rule_text(self, what: str, scheme: str, text: str | None) -> str:
        """What a scheme says of its categories, by their names; anything else is as it stands in the scheme."""
        known = schemes().get(scheme)
        if known is None or what not in ("category", "category maxima", "indicator", "stage"):
            return text or ""
        names = {one.id: getattr(one.name, self.lang) for one in known.identity.categories}
        return re.sub(r"\w+", lambda found: names.get(found[0], found[0]), text or "")

    def noted(self, text: str) -> str:
        """Why a generation is what it is: the notes of the program in the reader's language and with districts by name;
        what a person wrote stays.
        """
        for word, pattern in _NOTES.items():
            text = re.sub(rf"(?:^|(?<=; )){pattern}", partial(self._note, word), text)
        return text

    def _note(self, word: str, found: re.Match[str]) -> str:
        told = [re.sub(r"\w+", lambda code: self.area(code[0]), one) for one in found.groups()]
        return self.say(word).format(*told)

    def dataset_title(self, dataset: str) -> str:
        known = contracts().get(dataset)
        return "" if known is None else known.title_zh if self.lang == "zh" else known.title_en

    def indicator_name(self, indicator: str) -> str:
        known = self.scheme.indicators.get(indicator) if self.scheme else None
        return "" if known is None else getattr(known.name, self.lang)

    def unit(self, unit: str) -> str:
        """A unit of the schemes and measures; one of another place stays as it is written."""
        word = "unit_" + unit
        return self.say(word) if word in _words() else unit

    def verdict(self, verdict: str) -> str:
        word = "verdict_" + verdict.replace(" ", "_")
        return self.say(word) if word in _words() else verdict

    def missing(self, conditions: Sequence[dict[str, str]] | None) -> str:
        told = [f"{one['condition']} ({self.say('state_' + one['state'])})" for one in conditions or []]
        return "; ".join(told)

    def shown(self, name: str, value: Any) -> str:
        """A published value as a person reads it."""
        if value is None:
            return "-"
        if isinstance(value, bool):
            return self.say("yes" if value else "no")
        if name in _FRACTIONS:
            return f"{value * 100:.1f} %"
        if name == "district":
            return self.area(value)
        if name == "stage":
            return self.stage_name(value)
        return self.plain(value)

    @staticmethod
    def plain(value: Any) -> str:
        """A number without the zeros that say nothing."""
        if isinstance(value, Decimal):
            text = f"{value:,f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        return "" if value is None else str(value)

    def change(self, profile: Row, found: Change, since: date) -> HTMLResponse:
        """Why the points of an enterprise differ between two nights, the largest difference first."""
        moved = [
            line
            for line in found.indicators
            if line.value_before != line.value_after or any(dict(line.effects)[name] for name in _CAUSES)
        ]
        return self.page(
            "change",
            profile=profile,
            found=found,
            since=since,
            causes=_CAUSES,
            categories=[(self._category(one.category), one.effects) for one in found.categories],
            lines=sorted(moved, key=lambda one: -abs(one.effects.after - one.effects.before)),
        )

    def no_change(self, profile: Row, since: date | None) -> HTMLResponse:
        """There are no two results to compare: the same page with another day to ask for."""
        return self.page("change", status=422, profile=profile, found=None, since=since)

    def signed(self, value: Decimal) -> str:
        """A difference, with its sign where there is one."""
        return f"{value:+,.3f}" if value else "0"

    def _reader(self) -> Reader:
        assert self.reader is not None, "a page about enterprises is shown to somebody"
        return self.reader

    def _edge(self, scaled: int | None, decimals: int) -> str:
        return "" if scaled is None else self.plain(from_scaled(scaled, decimals))

    def _require_scheme(self) -> Scheme:
        if self.scheme is None:
            raise Sorry(404, "unknown_scheme", self.generation.scheme_id if self.generation else "")
        return self.scheme

    def _on_list(self, table: str, row: Any) -> dict[str, Any]:
        return {
            "list": row[LISTS[table]],
            "place": row.get("place", ""),
            "limit": self.plain(row.get("suggested_limit_yuan")),
            "reason": row.get("reason") or row.get("entry_reason") or "",
        }

    def _categories(self) -> list[str]:
        return self.scheme.category_ids if self.scheme else []

    def _is_penalty(self, indicator: str) -> bool:
        """A penalty deducts; what it may deduct at most is no part of what the category can give."""
        known = self.scheme.indicators.get(indicator) if self.scheme else None
        return known is not None and known.is_penalty

    def _category(self, category: str) -> str:
        titles = {one.id: one.name for one in self.scheme.identity.categories} if self.scheme else {}
        return getattr(titles[category], self.lang) if category in titles else category

    def _other_language(self) -> str:
        other = {"lang": "en"} if self.lang == "zh" else {}
        asked = {
            name: value for name, value in self.request.query_params.items() if name != "lang" and len(value) < 200
        }
        query = urlencode(asked | other)
        return quote(self.request.scope["path"]) + (f"?{query}" if query else "")


def beijing(moment: datetime | None) -> str:
    """A moment as the wall clock in Changzhou shows it."""
    return "" if moment is None else f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def _as_cards(table: re.Match[str]) -> str:
    """A table of many columns whose cells name their own, so that on a phone each row stands as a card (`portal.css`).
    What is data holds no tag.
    """
    heads = re.findall(r"<th\b[^>]*>(.*?)</th>", table[0], re.DOTALL)
    if len(heads) <= _MOST_COLUMNS:
        return table[0]

    def labelled(row: re.Match[str]) -> str:
        labels = iter(heads)
        return re.sub("<td", lambda _: f'<td data-label="{next(labels)}"', row[0])

    return re.sub(r"<tr\b.*?</tr>", labelled, table[0], flags=re.DOTALL).replace("<table>", '<table class="wide">')


def _expected(stage: str) -> Decimal | None:
    return Decimal(EXPECTED_SHARES[stage]) if stage in EXPECTED_SHARES else None


@cache
def _words() -> dict[str, list[str]]:
    return read_yaml(HERE / "words.yaml")


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
