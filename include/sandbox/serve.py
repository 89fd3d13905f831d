"""One command: write the world once, then let the departments answer until interrupted.

Layout under `<home>/sandbox`: `world/` (same seed and size → same bytes), and `connections.json`, readable by its owner
only, with secrets drawn anew at every generation.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import uvicorn
from sqlalchemy import make_url

from include.sandbox.bank_files import write_statements
from include.sandbox.database import write_postgresql, write_sqlite
from include.sandbox.dirt import Faults, answers, as_in_life
from include.sandbox.drop_folders import DROP_FOLDERS
from include.sandbox.dropfolder import write_lists
from include.sandbox.front_ends import FRONT_ENDS
from include.sandbox.gateway import create_app, load_shelves, write_shelf
from include.sandbox.records import RESOURCES
from include.sandbox.world import world

GENERATION = 5  # raised when the same seed gives another world, so that a kept one is not reused
DEPARTMENTS = {
    "registry": "innopoints_registry",
    "tax": "innopoints_tax_innovation",
    "ip": "innopoints_ip_office",
    "hr": "innopoints_human_resources",
    "credit": "innopoints_credit_platform",
    "finance": "innopoints_finance_office",
    "market": "innopoints_technology_market",
}
BANKS = "innopoints_banks"
ANSWERS = "answers.json"  # beside the gateway's rows: which of its answers are wrong


def generate(
    home: Path, enterprises: int, seed: int, faults: Faults | None = None, database_url: str | None = None
) -> Path:
    """Write the world, or keep the one that is there if it is the same. Returns `<home>/sandbox`.

    Without `faults`, those of life are planted.

    It is written beside and moved in whole; the marker `world.json` says which one it is. The front-end databases go
    to `database_url` (PostgreSQL), a schema each, or into a file each.
    """
    folder, planted = (home / "sandbox").absolute(), faults or as_in_life()
    wanted = {
        "generation": GENERATION,
        "seed": seed,
        "enterprises": enterprises,
        "faults": planted.to_json(),
        "database": "postgresql" if database_url else "sqlite",
    }
    if _kept(folder) == wanted:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix="world-", dir=folder))
    try:
        reader_urls = _write(beside, enterprises, seed, planted, database_url)
        (beside / "world.json").write_text(json.dumps(wanted) + "\n", encoding="utf-8")
        (folder / "connections.json").unlink(missing_ok=True)
        shutil.rmtree(folder / "world", ignore_errors=True)
        beside.chmod(0o755)
        beside.rename(folder / "world")
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    _write_private(folder / "connections.json", _connections(folder / "world", reader_urls))
    return folder


def serve(
    home: Path,
    enterprises: int,
    seed: int,
    port: int,
    database_url: str | None = None,
    ready: Callable[[], None] | None = None,
    faults: Faults | None = None,
    host: str = "127.0.0.1",
) -> None:
    """Generate if need be, then answer on `host`:`port` until interrupted. Says one line when ready.

    `host` is also what the Connections say, so that other machines of a private network can be given our name there.
    """
    folder = generate(home, enterprises, seed, faults, database_url)
    given = _addressed(folder, host, port)
    applications = {
        given[conn_id]["login"]: (department, given[conn_id]["password"]) for department, conn_id in DEPARTMENTS.items()
    }
    gateway = folder / "world" / "gateway"
    app = create_app(load_shelves(gateway), applications, wrong=answers.read(gateway / ANSWERS))

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                sys.stdout.write(f"departments ready: {enterprises} enterprises, seed {seed}, http://{host}:{port}\n")
                sys.stdout.flush()
                if ready:
                    ready()

    Server(uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False)).run()


def _reader(url: str) -> dict[str, Any]:
    """The reader's address without its secret, which Airflow masks only as the Connection's password."""
    parts = make_url(url)
    bare = parts.set(username=None, password=None).render_as_string(hide_password=False)
    return {"login": parts.username or "", "password": parts.password or "", "extra": {"url": bare}}


def connections(home: Path) -> dict[str, dict[str, Any]]:
    """The Connections of the stand-in departments: conn_id → {conn_type, host, login, password, extra}."""
    return json.loads((home / "sandbox" / "connections.json").read_text(encoding="utf-8"))


def _kept(folder: Path) -> dict[str, Any] | None:
    marker = folder / "world" / "world.json"
    if not marker.is_file() or not (folder / "connections.json").is_file():
        return None
    return json.loads(marker.read_text(encoding="utf-8"))


def _write(folder: Path, enterprises: int, seed: int, faults: Faults, database_url: str | None) -> dict[str, str]:
    """Everything that is handed over; gives the readers' URLs of front ends that are not files."""
    made = world(seed, enterprises, faults)
    (folder / "gateway").mkdir()
    for dataset, resource in RESOURCES.items():
        write_shelf(folder / "gateway" / f"{dataset}.parquet", made.tables[dataset], resource)
    answers.write(folder / "gateway" / ANSWERS, made.answers)
    for department in DROP_FOLDERS.values():
        (folder / "drop" / department.name).mkdir(parents=True)
        write_lists(folder / "drop" / department.name, department, made.tables)
    (folder / "drop" / "banks").mkdir()
    write_statements(folder / "drop" / "banks", made.tables["FIN_LOAN"])
    pq.write_table(made.planted, folder / "truth.parquet", compression="zstd")
    pq.write_table(made.enterprises, folder / "truth_enterprises.parquet", compression="zstd")
    if database_url:
        return {
            conn_id: write_postgresql(database_url, front_end, made.tables) for conn_id, front_end in FRONT_ENDS.items()
        }
    for front_end in FRONT_ENDS.values():
        write_sqlite(folder / f"{front_end.name}.sqlite", front_end, made.tables)
    return {}


def _connections(folder: Path, reader_urls: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Fresh secrets; the gateway's address follows when it is served."""
    http = {
        conn_id: {
            "conn_type": "http",
            "host": "",
            "login": f"app-{department}-{secrets.token_hex(4)}",
            "password": secrets.token_urlsafe(32),
            "extra": {},
        }
        for department, conn_id in DEPARTMENTS.items()
    }
    generic = {"conn_type": "generic", "host": "", "login": "", "password": ""}
    databases = {
        conn_id: generic | _reader(reader_urls.get(conn_id, f"sqlite:///{folder / f'{front_end.name}.sqlite'}"))
        for conn_id, front_end in FRONT_ENDS.items()
    }
    folders = {
        conn_id: generic | {"extra": {"path": str(folder / "drop" / department.name)}}
        for conn_id, department in DROP_FOLDERS.items()
    }
    folders[BANKS] = generic | {"extra": {"path": str(folder / "drop" / "banks")}}
    return http | databases | folders


def _addressed(folder: Path, host: str, port: int) -> dict[str, dict[str, Any]]:
    given = json.loads((folder / "connections.json").read_text(encoding="utf-8"))
    for conn_id in DEPARTMENTS.values():
        given[conn_id]["host"] = f"http://{host}:{port}"
    _write_private(folder / "connections.json", given)
    return given


def _write_private(path: Path, content: dict[str, Any]) -> None:
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
    beside.replace(path)
