"""The same steps from a shell, without Airflow: `innopoints …`.

Exit status: 0 good; 2 bad input, one clear line on stderr; 1 failure, one clear line on stderr.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from include.kernel.areas import areas, require_area
from include.kernel.connections import from_environment
from include.kernel.errors import BadInput, InnopointsError, one_line, unforeseen
from include.kernel.periods import SHANGHAI, business_date, parse_as_of, require_begun
from include.kernel.settings import settings
from include.kernel.shell import this_shell

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
scheme_app = typer.Typer(no_args_is_help=True, help="Schemes: the rules as data.")
app.add_typer(scheme_app, name="scheme")
review_app = typer.Typer(no_args_is_help=True, help="Records whose enterprise waits for a person to decide.")
app.add_typer(review_app, name="review")
quarantine_app = typer.Typer(no_args_is_help=True, help="Rows that validation holds back, and who lets one pass.")
app.add_typer(quarantine_app, name="quarantine")
honours_app = typer.Typer(no_args_is_help=True, help="A year's honours: the roll, objections to it, errata.")
app.add_typer(honours_app, name="honours")

DEFAULT_SCHEME = "changzhou_v1"
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Business date YYYY-MM-DD; default INNOPOINTS_AS_OF or today.")
]
Scheme = Annotated[str, typer.Option("--scheme", help="Scheme id.")]
Dataset = Annotated[str, typer.Argument(help="Dataset, such as TAX_VAT.")]
Scope = Annotated[str, typer.Argument(help="Area code, or city.")]


@app.command()
def refresh(
    as_of: AsOf = None,
    district: Annotated[list[str] | None, typer.Option("--district", help="Area code; repeat; default all.")] = None,
    scheme: Scheme = DEFAULT_SCHEME,
) -> None:
    """Land, validate, conform, measure, compute, score each district, then publish."""
    from include.steps.refresh import refresh as refresh_all

    chosen = [require_area(code) for code in district] if district else list(areas())
    done = refresh_all(_date(as_of), chosen, scheme, lookup=from_environment, say=_say)
    _say(f"generation {done['generation']} of {done['as_of']} is {done['status']}")


@app.command()
def backfill(
    first: Annotated[str, typer.Option("--from", help="First business date YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last business date YYYY-MM-DD.")],
    district: Annotated[list[str] | None, typer.Option("--district", help="Area code; repeat; default all.")] = None,
    scheme: Scheme = DEFAULT_SCHEME,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would run.")] = False,
) -> None:
    """Refresh past days, oldest first, each published when it is done; what is there already is reused."""
    from datetime import timedelta

    from include.kernel.references import ResultKey
    from include.steps.backfill import claimed, preview
    from include.steps.refresh import refresh as refresh_all

    begin, end = _date(first), _date(last)
    if begin > end:
        raise BadInput(f"{begin} is after {end}", kept="nothing was started", todo="give --from before --to")
    days = [begin + timedelta(days=n) for n in range((end - begin).days + 1)]
    chosen = [require_area(code) for code in district] if district else list(areas())
    for planned in preview(days, chosen, scheme):
        _say(str(planned))
    if dry_run:
        return
    with claimed([ResultKey(day, code, scheme) for day in days for code in chosen], this_shell()):
        for day in days:
            done = refresh_all(day, chosen, scheme, lookup=from_environment, say=_say)
            _say(f"generation {done['generation']} of {done['as_of']} is {done['status']}")


@app.command()
def publish(
    as_of: AsOf = None,
    scheme: Scheme = DEFAULT_SCHEME,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the generation.")] = "",
    accept_drift: Annotated[
        str, typer.Option("--accept-drift", metavar="PERSON", help="Who answers for figures that have drifted.")
    ] = "",
) -> None:
    """Publish what is scored as of a date. A generation that was blocked for drift takes a person and a reason."""
    from include import steps

    person, why = accept_drift.strip(), reason.strip()
    if accept_drift and not (person and why and person.isprintable() and len(person) <= 80):
        raise BadInput(
            "--accept-drift takes the name of a person, and --reason must say why",
            kept="the generation now published",
            todo="innopoints publish --accept-drift PERSON --reason TEXT",
        )
    steps.rank(_date(as_of), scheme, holder=this_shell())
    done = steps.publish(_date(as_of), scheme, holder=this_shell(), reason=why, drift_accepted_by=person)
    _say(f"generation {done['generation']} of {done['as_of']} is {done['status']}")


@app.command()
def blocked() -> None:
    """The deliveries that were refused and that no accepted one has replaced, and what stands against each."""
    from include import steps

    for row in steps.blocked():
        _say(f"{row.dataset:<12} {row.scope:<7} {row.as_of}  {row.reason}")


@app.command()
def release(
    dataset: Dataset,
    scope: Scope,
    as_of: Annotated[str, typer.Option("--as-of", help="Business date YYYY-MM-DD of the blocked delivery.")],
    by: Annotated[str, typer.Option("--by", help="Who answers for it; kept in the ledger.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is right as it is; kept in the ledger.")],
) -> None:
    """Let a blocked delivery pass. The last good one is in use until then; refresh the day afterwards."""
    from include import steps

    done = steps.release(dataset, scope, _date(as_of), person=by, reason=reason, holder=this_shell())
    _say(f"{done['dataset']}/{done['scope']}/{done['as_of']} is accepted: {done['accepted']} of {done['rows_in']} rows")


@app.command()
def repull(
    dataset: Dataset,
    as_of: Annotated[str, typer.Option("--as-of", help="Business date YYYY-MM-DD.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is asked again; kept in the ledger.")],
    district: Annotated[
        list[str] | None, typer.Option("--district", help="Area code; repeat; none for a dataset of the city.")
    ] = None,
) -> None:
    """Ask a department again for a past date; an answer that is accepted is used by whatever is scored from then on."""
    from include.steps.repull import repull as ask_again
    from include.steps.repull import scopes_of

    for scope in scopes_of(dataset, district or []):
        done = ask_again(dataset, scope, _date(as_of), reason=reason, holder=this_shell(), lookup=from_environment)
        rows = f"{done['accepted']} rows accepted, {done['accepted_before']} before"
        _say(f"{dataset}/{scope}/{done['as_of']}: {done['outcome']}, {rows}")
        if done["results"]:
            where = f"{done['date_from']} to {done['date_to']} of {', '.join(done['districts'])}"
            _say(f"  {done['results']} results would read otherwise: back-fill {where}")


@app.command()
def rollback(
    to: Annotated[int, typer.Option("--to", help="Generation id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the generation that is left.")] = "",
    by: Annotated[str, typer.Option("--by", help="Who; without it, the user of this shell.")] = "",
) -> None:
    """Point the published views at an earlier generation."""
    from include.publish.generations import rollback as roll_back
    from include.steps.stores import open_stores

    generation = roll_back(open_stores().engine, to, by=by or _shell_user(), reason=reason)
    _say(f"generation {generation.id} of {generation.as_of} is current again")


@app.command()
def generations() -> None:
    """List the publications, newest first."""
    from include.publish.generations import generations as list_generations
    from include.steps.stores import open_stores

    for row in list_generations(open_stores().engine):
        _say(f"{row.id:>5}  {row.as_of}  {row.scheme_id:<16}  {row.status:<11}  {row.published_at}  {row.reason or ''}")


@app.command()
def retain(
    as_of: AsOf = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
) -> None:
    """Erase snapshots and results that nothing published stands on and the field register no longer allows."""
    from include import steps

    done = steps.retain(_date(as_of), holder=this_shell(), dry=dry_run)
    _say(" ".join(f"{name}={value}" for name, value in done.items()))


@app.command()
def digest(
    as_of: AsOf = None,
    scheme: Scheme = DEFAULT_SCHEME,
    send: Annotated[
        bool, typer.Option("--send", help="Send it too, if it was not sent; channels: Connection innopoints_alarms.")
    ] = False,
) -> None:
    """What a night brought, in counts: published or not, districts, incidents, sources, what waits for a person."""
    from include.steps.digest import night_digest, send_digest

    day = _date(as_of)
    for line in night_digest(day, scheme).lines:
        _say(line)
    if send:
        done = send_digest(day, scheme, holder=this_shell(), lookup=from_environment, pause_seconds=2)
        _say("sent" if done["sent"] else "not sent: no channel took it, or it was sent before")


@app.command()
def corrections(as_of: AsOf = None) -> None:
    """What became of the declared corrections in the last night; exit status 2 while one that no longer fits waits."""
    from include.steps.corrections import last_outcomes

    night, found = last_outcomes(_date(as_of))
    for one in found:
        _say(f"{one.name:<32} {one.scope:<7} {one.state}{'  look at it and end it (`until`)' if one.waits else ''}")
    waiting = sum(one.waits for one in found)
    _say(f"{len(found)} corrections as of {night}, {waiting} to be ended" if night else "no night yet")
    if waiting:
        raise typer.Exit(2)


@app.command()
def difference(
    before: Annotated[int, typer.Argument(help="Generation id.")],
    after: Annotated[int, typer.Argument(help="Generation id.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text, with every enterprise.")] = False,
) -> None:
    """Who has other points in one generation than in another, and by which record."""
    import json

    from include.steps.generation_difference import generation_difference, render

    found = generation_difference(before, after)
    _say(json.dumps(found, ensure_ascii=False, indent=1) if as_json else render(found))


@app.command()
def explain(
    uscc: Annotated[str, typer.Argument(help="Unified social credit code.")],
    indicator: Annotated[str | None, typer.Option("--indicator", help="Indicator id, such as INP-03.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="The last result not after this date.")] = None,
    scheme: Scheme = DEFAULT_SCHEME,
    since: Annotated[str | None, typer.Option("--since", help="Explain the change since this earlier date.")] = None,
    since_scheme: Annotated[str | None, typer.Option("--since-scheme", help="The scheme of the earlier date.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """From total to category to indicator to the source records, re-derived and proved equal to the ledger.

    With --since, why the points differ between two nights: what the facts, the stage and the rules each did.
    """
    from include.evidence.text import render, render_change
    from include.steps.explain import explain as explain_points
    from include.steps.explain import explain_change

    until = parse_as_of(as_of) if as_of else None
    if since is None and since_scheme is not None:
        raise BadInput("--since-scheme without --since", todo="name the earlier date with --since")
    if since is not None and indicator is not None:
        raise BadInput("--indicator with --since", todo="leave one out: a change is told for all indicators")
    if since is not None:
        change = explain_change(uscc, scheme, since=parse_as_of(since), as_of=until, since_scheme=since_scheme)
        _say(change.model_dump_json(indent=1) if as_json else render_change(change))
        return
    account = explain_points(uscc, scheme, indicator=indicator, as_of=until)
    _say(account.model_dump_json(indent=1) if as_json else render(account))


@app.command()
def score(
    scheme: Annotated[str, typer.Option("--scheme", help="Scheme id or directory.")],
    measures: Annotated[Path, typer.Option("--measures", help="CSV: uscc, stage, measure, value.")],
    out: Annotated[Path, typer.Option("--out", help="CSV: uscc, stage, indicator, value, status, points.")],
    as_of: Annotated[str | None, typer.Option("--as-of", help="The rules of this day; default today.")] = None,
) -> None:
    """Score measures that somebody supplies (what-if, golden cases)."""
    from include.steps.supplied import score_file

    lines = score_file(scheme, measures, out, parse_as_of(as_of) if as_of else settings().business_date())
    _say(f"{lines} lines written to {out}")


@app.command()
def resolve(
    names: Annotated[Path, typer.Option("--names", help="CSV: name.")],
    registry: Annotated[Path, typer.Option("--registry", help="CSV: uscc, name [, former_names].")],
    out: Annotated[Path, typer.Option("--out", help="CSV: name, uscc, tier, candidates.")],
) -> None:
    """A list of names to credit codes: equality links, everything else is told apart and proposed for review."""
    from include.steps.resolve import TIERS, resolve_file

    found, doubts = resolve_file(names, registry, out)
    for doubt in doubts:
        sys.stderr.write(f"innopoints: {doubt}\n")
    _say(f"{found.total()} names written to {out}: " + ", ".join(f"{tier} {found[tier]}" for tier in TIERS))


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="Name or part of it, pinyin, initials, or credit code.")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many lines at most.")] = 50,
) -> None:
    """Enterprises of the current generation: code, name, district, stage, rank in the city, total."""
    from include.portal.search import search as find

    found = find(text)
    for one in found[:limit]:
        _say(f"{one.uscc}  {one.name}  {one.district}  {one.stage}  {one.rank_all}  {one.total}")
    _say(f"{len(found)} found" + (f", the first {limit} listed" if len(found) > limit else ""))


@app.command()
def bench(
    enterprises: Annotated[
        list[int] | None, typer.Option("--enterprises", min=1, help="How many; repeat; default 2791, 100000, 1000000.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="JSON file; default standard output.")] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Runs of each side below half a million.")] = 3,
    work: Annotated[Path | None, typer.Option("--work", help="Folder for the files; default the system's.")] = None,
    as_of: AsOf = None,
    scheme: Scheme = DEFAULT_SCHEME,
) -> None:
    """Time and memory from accepted Parquet to ledger and ranks, beside a hand-written best effort."""
    from include.bench.run import SIZES
    from include.bench.run import bench as run_bench

    on, sizes = _date(as_of), enterprises or SIZES
    found = run_bench(
        sizes, scheme=scheme, as_of=on, repeats=repeats, work=work, say=lambda line: typer.echo(line, err=True)
    )
    _report(found, out)


@app.command("bench-names")
def bench_names(
    enterprises: Annotated[int, typer.Option("--enterprises", min=1, help="How many are registered.")] = 100_000,
    names: Annotated[int, typer.Option("--names", min=1, help="How many names are asked for.")] = 100_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed draws another town.")] = 20210430,
    out: Annotated[Path | None, typer.Option("--out", help="JSON file; default standard output.")] = None,
) -> None:
    """Resolve real-like names with known answers: precision, what is found, time and memory."""
    from include.bench.names import bench_names as run_bench

    _report(run_bench(enterprises, names, seed=seed), out)


@app.command("bench-search")
def bench_search(
    enterprises: Annotated[int, typer.Option("--enterprises", min=1, help="How many are searched.")] = 100_000,
    typed: Annotated[int, typer.Option("--typed", min=1, help="How many of each kind are typed.")] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed draws another town.")] = 20210430,
    out: Annotated[Path | None, typer.Option("--out", help="JSON file; default standard output.")] = None,
) -> None:
    """Search as the pages do, beside one SQL statement written by hand: p50, p99 and their ratio."""
    from include.bench.search import bench_search as run_bench

    _report(run_bench(enterprises, typed, seed=seed), out)


@scheme_app.command("lint")
def scheme_lint(directory: Annotated[Path, typer.Argument(help="A scheme's directory.")]) -> None:
    """Check a scheme before it is published; exit status 2 when something but warnings is found."""
    from include.steps.supplied import lint_directory

    findings = lint_directory(directory)
    for finding in findings:
        _say(str(finding))
    warnings = sum(finding.warning for finding in findings)
    _say(f"{len(findings) - warnings} findings, {warnings} warnings in {directory}")
    if len(findings) > warnings:
        raise typer.Exit(2)


@scheme_app.command("diff")
def scheme_diff(
    before: Annotated[str, typer.Argument(help="Scheme id or directory.")],
    after: Annotated[str, typer.Argument(help="Scheme id or directory.")],
    as_of: Annotated[str | None, typer.Option("--as-of", help="Who moves on the measures of this date.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text, with every enterprise.")] = False,
) -> None:
    """What two schemes say differently, and who gains and loses by it and why, by stage and district."""
    import json

    from include.steps.difference import difference, render

    day = _date(as_of)
    found = difference(before, after, day if as_of else None, day)
    _say(json.dumps(found, ensure_ascii=False, indent=1) if as_json else render(found))


@scheme_app.command("list")
def scheme_list() -> None:
    """The schemes that are installed."""
    from include.schemes.model import schemes
    from include.schemes.tree import tree_schemes

    for scheme in schemes().values():
        _say(f"{scheme.id:<20} {scheme.version:<8} nightly   {scheme.title_zh}")
    for tree in tree_schemes().values():
        _say(f"{tree.id:<20} {tree.version:<8} supplied  {tree.title_zh}")


Evidence = Annotated[str, typer.Option("--evidence", help="On what it is decided; kept with it.")]
By = Annotated[str, typer.Option("--by", help="Who decides; kept with it.")]


@review_app.command("list")
def review_list(
    as_of: AsOf = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Only this dataset.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="CSV file instead of text.")] = None,
) -> None:
    """What waits after the last night, most rows first, with those it may mean."""
    from include.steps.review import queue, write_queue

    night, waiting, names = queue(_date(as_of), dataset)
    if out is not None:
        write_queue(out, waiting, names)
    else:
        for one in waiting:
            meant = "; ".join(f"{code} {names.get(code, '')}" for code in one.among)
            who, whom = one_line(f"{one.code} {one.name}"), one_line(meant)
            _say(f"{one.dataset:<12} {one.tier:<16} {one.rows:>6} rows  {who}  <- {whom}")
    _say(f"{len(waiting)} wait as of {night}, {sum(one.rows for one in waiting)} rows")


@review_app.command("decide")
def review_decide(
    dataset: Annotated[str, typer.Option("--dataset", help="Whose records.")],
    evidence: Evidence,
    by: By,
    code: Annotated[str, typer.Option("--code", help="The code as the records write it.")] = "",
    name: Annotated[str, typer.Option("--name", help="The name as the records write it.")] = "",
    uscc: Annotated[str | None, typer.Option("--uscc", help="Who is meant.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Nobody who is registered here is meant.")] = False,
    as_of: AsOf = None,
) -> None:
    """Decide who is meant where equality leaves it open; holds from tomorrow's business date on."""
    from include.steps.review import decide

    if (uscc is None) != nobody:
        raise BadInput("give either --uscc or --nobody", kept="all decisions")
    taken, since = decide(_date(as_of), dataset, code, name, uscc, evidence=evidence, by=by)
    _say(f"decision {taken.id} holds for refreshes as of {since} and later")


@review_app.command("revoke")
def review_revoke(
    decision: Annotated[int, typer.Argument(help="The number of the decision.")], evidence: Evidence, by: By
) -> None:
    """Take a decision back: what held before it holds again."""
    from include.steps.review import revoke

    taken, since = revoke(decision, evidence=evidence, by=by)
    _say(f"decision {taken.id} revokes {decision} for refreshes as of {since} and later")


@review_app.command("decisions")
def review_decisions() -> None:
    """Everything that was decided, in its order."""
    from include.steps.review import decisions

    for one in decisions():
        what = f"revokes {one.revokes}" if one.revokes else f"means {one.uscc or 'nobody'}"
        when = one.decided_at.astimezone(SHANGHAI)
        _say(f"{one.id:>5}  {when:%Y-%m-%d %H:%M}  {one.decided_by}: {one.dataset} {one.code} {one.name} {what}")
        _say(f"       {one.evidence}")


@quarantine_app.command("list")
def quarantine_list(dataset: Dataset, scope: Scope, as_of: AsOf = None) -> None:
    """The rows of a snapshot that wait: name of the row, where it came, what holds it back. No value is shown."""
    from include.steps.waive import held_rows

    held = held_rows(dataset, scope, _date(as_of))
    for one in held:
        _say(f"{one.row[:16]}  page {one.page} record {one.ordinal + 1}  {', '.join(one.reasons)}")
    _say(f"{len(held)} rows wait")


@quarantine_app.command("waive")
def quarantine_waive(
    dataset: Dataset,
    scope: Scope,
    row: Annotated[str, typer.Argument(help="The row's name, from `quarantine list`.")],
    evidence: Evidence,
    by: By,
    as_of: AsOf = None,
) -> None:
    """Let a row pass that only looks wrong; holds from tomorrow's business date on, whenever the row comes again."""
    from include.steps.waive import waive

    given, since = waive(dataset, scope, _date(as_of), row, evidence=evidence, by=by)
    _say(f"waiver {given.id} of {', '.join(given.checks)} holds for refreshes as of {since} and later")


@quarantine_app.command("revoke")
def quarantine_revoke(
    waiver: Annotated[int, typer.Argument(help="The number of the waiver.")], evidence: Evidence, by: By
) -> None:
    """Take a waiver back: the row waits again."""
    from include.steps.waive import revoke

    given, since = revoke(waiver, evidence=evidence, by=by)
    _say(f"waiver {given.id} revokes {waiver} for refreshes as of {since} and later")


@quarantine_app.command("waivers")
def quarantine_waivers() -> None:
    """Every waiver that was given or taken back, in its order."""
    from include.steps.waive import waivers

    for one in waivers():
        what = f"revokes {one.revokes}" if one.revokes else f"lets pass {', '.join(one.checks)}"
        when = one.decided_at.astimezone(SHANGHAI)
        _say(f"{one.id:>5}  {when:%Y-%m-%d %H:%M}  {one.decided_by}: {one.dataset} {one.row[:16]} {what}")
        _say(f"       {one.evidence}")


Year = Annotated[int, typer.Option("--year", help="Year of the honours.")]
Honour = Annotated[str, typer.Option("--honour", help="Name of the honour, such as 标兵企业.")]
Code = Annotated[str, typer.Argument(help="Unified social credit code.")]


@honours_app.command("list")
def honours_list(
    year: Annotated[int | None, typer.Option("--year", help="Year of the honours; default: every year's roll.")] = None,
    scheme: Scheme = DEFAULT_SCHEME,
) -> None:
    """Where each year's honours stand, and what waits beside them; of one year who is on the roll that stands, or what
    froze with its errata.
    """
    from include.steps.honours import year_of, years

    if year is None:
        for roll in chain.from_iterable(years()):
            until = f" until {roll.notice_until}" if roll.status == "notice" else ""
            where = f"roll {roll.roll_id}  generation {roll.generation_id}  {roll.status}{until}"
            _say(f"{roll.year}  {roll.scheme_id:<16}  {where}")
        return
    held = year_of(year, scheme)
    for one in held.entries:
        _say(f"{one.honour}  {one.place:>4}  {one.uscc}  {one.name}  {one.district}  {one.stage}")
    for fixed in held.errata:
        when = fixed.decided_at.astimezone(SHANGHAI)
        _say(f"erratum {fixed.id}  {when:%Y-%m-%d %H:%M}  {fixed.decided_by}: {fixed.what} {fixed.honour} {fixed.uscc}")
        _say(f"       {fixed.reference}: {fixed.evidence}")
    _say(f"{held.roll.status}: {len(held.entries)} honours, {len(held.errata)} errata")


@honours_app.command("object")
def honours_object(
    uscc: Code, year: Year, honour: Honour, evidence: Evidence, by: By, scheme: Scheme = DEFAULT_SCHEME
) -> None:
    """Take an objection down while the roll stands in public; unsettled, it keeps that honour from freezing."""
    from include.steps.honours import object_to

    raised, holds = object_to(year, scheme, uscc, honour, evidence=evidence, by=by)
    _say(f"objection {raised.id} " + ("holds this honour back" if holds else "holds nothing back: not on the roll"))


@honours_app.command("settle")
def honours_settle(
    objection: Annotated[int, typer.Argument(help="The number of the objection.")],
    outcome: Annotated[str, typer.Option("--outcome", help="upheld or dismissed.")],
    evidence: Evidence,
    by: By,
) -> None:
    """Uphold or dismiss an objection. Dismissed before the freeze, the honour freezes with the others."""
    from include.steps.honours import settle

    _say(f"objection {objection} is {settle(objection, outcome, evidence=evidence, by=by).outcome}")


@honours_app.command("objections")
def honours_objections(year: Year, scheme: Scheme = DEFAULT_SCHEME) -> None:
    """What was objected to a year's rolls and how it was settled, in its order."""
    from include.steps.honours import objections

    for one in objections(year, scheme):
        what = f"{one.outcome} {one.settles}" if one.settles else f"{one.honour} {one.uscc}"
        _say(f"{one.id:>5}  {one.decided_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}  {one.decided_by}: {what}")
        _say(f"       {one.evidence}")


@honours_app.command("erratum")
def honours_erratum(
    uscc: Code,
    year: Year,
    honour: Honour,
    what: Annotated[str, typer.Option("--what", help="withdrawn, granted or corrected.")],
    reference: Annotated[str, typer.Option("--reference", help="The document that decides it.")],
    evidence: Evidence,
    by: By,
    scheme: Scheme = DEFAULT_SCHEME,
) -> None:
    """Put a correction beside frozen honours; what froze stays as it is."""
    from include.steps.honours import correct

    done = correct(year, scheme, uscc, honour, what, reference=reference, evidence=evidence, by=by)
    _say(f"erratum {done.id}: {done.what} {done.honour} of {done.year}")


@app.command(
    "sandbox", add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def sandbox(context: typer.Context) -> None:
    """The stand-in departments: `sandbox generate`, `sandbox serve`; --help lists the options."""
    from include.sandbox.__main__ import main as departments

    departments(context.args)


def main() -> None:
    """Entry point of the console script: project errors become one line and an exit status."""
    try:
        app()
    except InnopointsError as error:
        sys.stderr.write(f"innopoints: {error}\n")
        raise SystemExit(error.exit_code) from None
    except Exception as error:  # noqa: BLE001 - its text may quote a record: only its kind and place are said
        sys.stderr.write(f"innopoints: {unforeseen(error)}\n")
        raise SystemExit(1) from None


def _shell_user() -> str:
    from getpass import getuser

    try:
        return getuser()
    except (KeyError, OSError):  # a container's user without a name
        raise BadInput("this shell's user has no name", todo="say who with --by") from None


def _date(text: str | None) -> date:
    """The date asked for, else the setting, else today; never a day that has not begun in Shanghai."""
    return require_begun(parse_as_of(text) if text else settings().business_date(), business_date(datetime.now(UTC)))


def _report(found: dict[str, Any], out: Path | None) -> None:
    """Figures as JSON, into a file or to standard output."""
    import json

    text = json.dumps(found, ensure_ascii=False, indent=1)
    if out is None:
        _say(text)
        return
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", where=str(out), kept="no figures") from None


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
