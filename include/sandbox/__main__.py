"""`python -m include.sandbox generate|serve`: the stand-in departments without the rest of the project."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from include.kernel.errors import InnopointsError
from include.kernel.settings import settings
from include.sandbox.dirt import as_in_life, read_faults
from include.sandbox.serve import generate, serve


def _firms(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 enterprise")
    return number


def _seed(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("a whole number from 0 on")
    return number


def _scale(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1000:
        raise argparse.ArgumentTypeError("a number from 0 on")
    return number


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line; settings give the defaults."""
    chosen = settings()
    parser = argparse.ArgumentParser(prog="innopoints sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("generate", "serve"):
        command = commands.add_parser(name)
        command.add_argument("--enterprises", type=_firms, default=chosen.sandbox_enterprises)
        command.add_argument("--seed", type=_seed, default=chosen.sandbox_seed)
        planted = command.add_mutually_exclusive_group()
        planted.add_argument(
            "--dirt", type=_scale, default=1.0, help="the usual faults, scaled: 0 = clean, 1 = as in life"
        )
        planted.add_argument(
            "--faults", type=Path, metavar="FILE", help="these faults only, see docs/how-to/plant-faults.md"
        )
        command.add_argument("--database-url", help="PostgreSQL for the front-end databases; default files")
        if name == "serve":
            command.add_argument("--port", type=int, default=chosen.sandbox_port)
            command.add_argument("--host", default="127.0.0.1", help="where to listen, and what the Connections say")
    given = parser.parse_args(arguments)
    faults = read_faults(given.faults) if given.faults else as_in_life(given.dirt)
    if given.command == "generate":
        generate(chosen.home, given.enterprises, given.seed, faults, given.database_url)
    else:
        serve(
            chosen.home,
            given.enterprises,
            given.seed,
            given.port,
            given.database_url,
            faults=faults,
            host=given.host,
        )


if __name__ == "__main__":
    try:
        main()
    except InnopointsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
