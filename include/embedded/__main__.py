"""`python -m include.embedded …`: what the Makefile and the composed services call."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer

from include.embedded import composed, environment, supervisor
from include.embedded import demo as showing
from include.kernel.errors import InnopointsError
from include.kernel.settings import settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def demo(keep: Annotated[int, typer.Option(min=0, max=1, help="1 leaves everything up at the end.")] = 1) -> None:
    """Start everything, refresh every district, publish, print the summary."""
    if not showing.demo(settings(), keep=bool(keep)):
        raise typer.Exit(1)


@app.command()
def down() -> None:
    """Stop what demo started."""
    home = settings().home.absolute()
    sys.stdout.write(f"{home}: {'stopped' if supervisor.stop(home) else 'nothing was running'}\n")


@app.command()
def clean() -> None:
    """Stop what demo started and remove its state, and that of `make services`."""
    from include.embedded import service_set

    home = settings().home.absolute()
    service_set.forget(home)
    supervisor.stop(home)
    for name in showing.STATE:
        path = home / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    sys.stdout.write(f"{home}: state removed\n")


@app.command()
def secrets() -> None:
    """Draw the secrets of the composed services into .env."""
    composed.draw_secrets(environment.ROOT / ".env")
    sys.stdout.write(f"secrets drawn into {environment.ROOT / '.env'}\n")


@app.command()
def services() -> None:
    """Keep the service set of docker-compose.yaml up as processes of this machine, until Ctrl-C."""
    from include.embedded import service_set

    service_set.keep(settings(), typer.echo)


@app.command()
def prepare() -> None:
    """Prepare Airflow's database for the composed services."""
    composed.prepare(settings().home)


@app.command(hidden=True)
def supervise() -> None:
    """The background process itself; `demo` starts it."""
    chosen = settings()
    with supervisor.sole_supervisor(chosen.home.absolute()):
        supervisor.Supervisor(chosen).run()


if __name__ == "__main__":
    try:
        app()
    except InnopointsError as error:
        sys.stderr.write(f"innopoints: {error}\n")
        raise SystemExit(error.exit_code) from None
