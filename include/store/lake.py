"""The lake: immutable snapshots as Parquet files, each place made visible at once by its manifest.

A place (`accepted/TAX_CIT/320411/as_of=2026-11-23`) is committed when its `manifest.json` exists. Data files carry
their own digest in their name and are written first; the manifest is written last, by atomic replace. So a reader finds
the whole of a commit or nothing of it, a repeated commit of the same tables gives the same bytes, and a damaged file
is named instead of read. Every commit leaves its manifest under its digest too, so that whoever noted the digest reads
what it read then, however often the place was replaced since. The root is a folder or an fsspec URL.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from include.kernel.areas import CITY
from include.kernel.crash import crash_point
from include.kernel.errors import BadInput, TerminalError
from include.kernel.references import ResultKey, SnapshotKey

MANIFEST = "manifest.json"
_VERSION = re.compile(r"manifest-([0-9a-f]{16})\.json")
_ROW_GROUP = 1_048_576  # rows
_OF_SNAPSHOT = ("raw", "landing", "quarantine", "accepted", "reports")


def landing(key: SnapshotKey) -> str:
    """What the department sent, as text."""
    return _snapshot("landing", key)


def accepted(key: SnapshotKey) -> str:
    """The rows that passed, typed, under our names."""
    return _snapshot("accepted", key)


def quarantine(key: SnapshotKey) -> str:
    """The rows held back, with their reasons."""
    return _snapshot("quarantine", key)


def raw(key: SnapshotKey) -> str:
    """Raw replies, kept only until the landing is committed."""
    return _snapshot("raw", key)


def report(key: SnapshotKey) -> str:
    """The validation report that a person opens: a file, not a place with a manifest."""
    return _snapshot("reports", key) + "/report.html"


def conformed(district: str, as_of: date) -> str:
    """A district's datasets under one enterprise key."""
    return f"conformed/{district}/as_of={as_of.isoformat()}"


def conformed_city(as_of: date) -> str:
    """The city's datasets under one enterprise key, for all districts."""
    return f"conformed/city/as_of={as_of.isoformat()}"


def measures(district: str, as_of: date) -> str:
    """One exact number per enterprise and measure."""
    return f"measures/{district}/as_of={as_of.isoformat()}"


def values(result: ResultKey) -> str:
    """Indicator values under a scheme."""
    return _result("values", result)


def points(result: ResultKey) -> str:
    """Stage, points and ledger lines of one district."""
    return _result("points", result)


def ranked(as_of: date, scheme: str) -> str:
    """The city's tables, ready to be published."""
    return f"ranked/{scheme}/as_of={as_of.isoformat()}"


def erased(as_of: date) -> str:
    """What the retention job of a date removed: its proof, kept."""
    return f"erased/as_of={as_of.isoformat()}"


def of_snapshot(key: SnapshotKey) -> list[str]:
    """Every place of a snapshot."""
    return [_snapshot(room, key) for room in _OF_SNAPSHOT]


def of_result(result: ResultKey) -> list[str]:
    """Every place that a district's result came through, the city's share and the ranks included."""
    district, as_of = result.district, result.as_of
    shared = [conformed_city(as_of), ranked(as_of, result.scheme)]
    return [*shared, conformed(district, as_of), measures(district, as_of), values(result), points(result)]


def key_of(place: str) -> SnapshotKey | ResultKey | None:
    """The snapshot or the result that a place is a part of; None of what lies between them, and of a foreign name."""
    room, *names = place.split("/")
    try:
        first, second, day = names
        as_of = date.fromisoformat(day.removeprefix("as_of="))
    except ValueError:
        return None
    if room in _OF_SNAPSHOT:
        return SnapshotKey(first, second, as_of)
    return ResultKey(as_of, second, first) if room == "points" else None


def _snapshot(room: str, key: SnapshotKey) -> str:
    return f"{room}/{key.dataset}/{key.scope}/as_of={key.as_of.isoformat()}"


def _result(room: str, result: ResultKey) -> str:
    return f"{room}/{result.scheme}/{result.district}/as_of={result.as_of.isoformat()}"


@dataclass(frozen=True)
class TableFile:
    """One table of a place: its file beside the manifest, and what must be found in it."""

    file: str
    rows: int
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What a commit holds. `sha256` is the digest of place, facts and tables: the identity of the snapshot."""

    place: str
    facts: dict[str, Any]
    tables: dict[str, TableFile]
    sha256: str

    @classmethod
    def of(cls, place: str, facts: Mapping[str, Any], tables: Mapping[str, TableFile]) -> Manifest:
        """Facts are taken through JSON, so that a manifest just written equals the same manifest read back."""
        entries = {name: asdict(table) for name, table in tables.items()}
        content = _canonical({"facts": facts, "place": place, "tables": entries})
        return cls(place, json.loads(content)["facts"], dict(sorted(tables.items())), _sha256(content))

    def to_bytes(self) -> bytes:
        """The manifest file: canonical JSON that carries its own digest."""
        tables = {name: asdict(table) for name, table in self.tables.items()}
        return _canonical({"facts": self.facts, "place": self.place, "sha256": self.sha256, "tables": tables})

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """Inverse of `to_bytes`; ValueError when a single byte differs from what was written."""
        raw_manifest = json.loads(content)
        try:
            tables = {name: TableFile(**entry) for name, entry in raw_manifest["tables"].items()}
            found = cls.of(raw_manifest["place"], raw_manifest["facts"], tables)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a manifest") from error
        if found.to_bytes() != content:
            raise ValueError("the digest does not fit the content")
        return found


class Lake:
    """Reads and writes places under one root."""

    def __init__(self, root: str) -> None:
        try:
            self.root = UPath(root)
        except (ValueError, ImportError):
            raise BadInput("the lake's address is of no kind that is known", todo="write a folder or an URL") from None

    def require_room(self, least_mib: int) -> None:
        """Refuse to begin a night for which there may be no room. An object store has no end that could be seen."""
        if not isinstance(self.root, Path):
            return
        self.root.mkdir(parents=True, exist_ok=True)
        free_mib = shutil.disk_usage(self.root).free >> 20
        if free_mib < least_mib:
            raise TerminalError(
                f"{free_mib} MiB are free, fewer than the {least_mib} that a landing needs to begin",
                where=str(self.root),
                kept="what was committed before; no department was asked",
                todo="free space (`innopoints retain`) or set INNOPOINTS_LEAST_FREE_MIB, then clear the task",
            )

    def commit(
        self,
        place: str,
        tables: Mapping[str, pa.Table],
        facts: Mapping[str, Any],
        *,
        fence: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> Manifest:
        """Write the tables, then make them visible all at once. Facts are JSON-ready and hold no wall clock.

        Until the manifest is replaced, readers keep seeing the commit before, or nothing. It is replaced within the
        `fence` of the writer's lease: who has lost it leaves files that nobody looks at.
        """
        manifest, files = _files(place, tables, facts)
        self._write(place, files)
        self._write(place, {_version(manifest.sha256): manifest.to_bytes()})
        with fence():
            self._write(place, {MANIFEST: manifest.to_bytes()})
        return manifest

    def digest(self, place: str, tables: Mapping[str, pa.Table], facts: Mapping[str, Any]) -> str:
        """What a commit of these would be known by. Nothing is written."""
        return _files(place, tables, facts)[0].sha256

    def manifest(self, place: str, version: str | None = None) -> Manifest | None:
        """The manifest of a place, or its version of this digest; None when that was never committed.

        A damaged one is an error, never None. Places of before there were versions know only their last one.
        """
        path = self._path(f"{place}/{_version(version) if version else MANIFEST}")
        try:
            manifest = self._manifest_in(path, place)
        except FileNotFoundError:
            last = self.manifest(place) if version else None
            return last if last and last.sha256 == version else None
        if version not in (None, manifest.sha256):
            raise _damaged(path, "the manifest is that of another version")
        return manifest

    def version_saying(self, place: str, **facts: object) -> str | None:
        """The digest of a commit of the place with these facts: of the last one, else of one that was replaced."""
        directory = self._path(place)
        replaced = sorted(directory.glob("manifest-*.json")) if directory.exists() else []
        for path in (directory / MANIFEST, *replaced):
            if path.exists() and (found := self._manifest_in(path, place)).facts.items() >= facts.items():
                return found.sha256
        return None

    def require(self, place: str, version: str | None = None) -> Manifest:
        """The manifest of a place that must be committed."""
        manifest = self.manifest(place, version)
        if manifest is None:
            which = f"no version {version[:16]} of it is committed" if version else "nothing is committed"
            raise TerminalError(which, where=place, todo="run the step that writes it first")
        return manifest

    def read(
        self, place: str, table: str = "data", columns: list[str] | None = None, *, version: str | None = None
    ) -> pa.Table:
        """A committed table, proved to hold exactly the bytes that were committed."""
        entry = self.require(place, version).tables.get(table)
        if entry is None:
            raise TerminalError(f"no table {table!r}", where=place, todo="run the step that writes it again")
        content = pa.BufferReader(self._content(place, entry))
        return pq.read_table(content, columns=columns, page_checksum_verification=True)

    def is_whole(self, place: str, version: str | None = None) -> bool:
        """Is the place committed, in this version, and each of its files there as it was committed?"""
        try:
            for entry in self.require(place, version).tables.values():
                self._content(place, entry)
        except TerminalError:
            return False
        return True

    def keep_raw(self, place: str, label: str, content: bytes) -> None:
        """Keep one raw reply, so that nothing is lost before its snapshot is committed."""
        self._write(place, {f"{label}.gz": gzip.compress(content, mtime=0)})

    def drop_raw(self, place: str) -> None:
        """Forget the raw replies of a place; the committed snapshot holds their rows."""
        path = self._path(place)
        if path.exists():
            path.fs.rm(path.path, recursive=True)
            crash_point("raw replies dropped")

    def write_text(self, place: str, text: str) -> None:
        """A file for people, such as a report; replaced as a whole."""
        folder, _, name = place.rpartition("/")
        self._write(folder, {name: text.encode("utf-8")})

    def sweep(self, place: str) -> list[str]:
        """Remove the files of a place that no manifest of it names, left by an interrupted commit.

        Only whoever may commit to the place may sweep it: a commit under way has files that no manifest names yet.
        """
        directory = self._path(place)
        found = list(directory.iterdir()) if directory.exists() else []
        named = {MANIFEST}
        for path in found:
            if match := _VERSION.fullmatch(path.name):
                manifest = self._manifest_in(path, place)
                named |= {path.name, *(entry.file for entry in manifest.tables.values())}
                if not manifest.sha256.startswith(match[1]):
                    raise _damaged(path, "the manifest is that of another version")
        left = [path for path in found if path.name not in named]
        for path in left:
            path.unlink()
            crash_point("swept")
        return sorted(path.name for path in left)

    def files(self, place: str) -> list[tuple[str, str, int]]:
        """The name, SHA-256 and length of each file of a place, of all its versions."""
        directory = self._path(place)
        found = sorted(path for path in directory.iterdir() if path.is_file()) if directory.exists() else []
        contents = ((path.name, path.read_bytes()) for path in found)
        return [(name, _sha256(content), len(content)) for name, content in contents]

    def erase(self, place: str) -> None:
        """Remove a place with all its versions; its manifest goes first, so that nobody reads a part."""
        directory = self._path(place)
        (directory / MANIFEST).unlink(missing_ok=True)
        crash_point("manifest erased")
        if directory.exists():
            directory.fs.rm(directory.path, recursive=True)
            crash_point("erased")

    def days(self, folder: str) -> list[str]:
        """The places of one kind, such as conformed/320411, from the oldest day on."""
        return sorted(f"{folder}/{path.name}" for path in self._path(folder).glob("as_of=*"))

    def untouched_since(self, limit: datetime) -> list[str]:
        """The places of a business date before `limit`'s in which nothing was written from then on, whole or not."""
        found = [*self.root.glob("*/*/as_of=*"), *self.root.glob("*/*/*/as_of=*")]
        old = [path for path in found if path.name < f"as_of={limit.date().isoformat()}"]
        written = {path: max((file.stat().st_mtime for file in path.iterdir()), default=0.0) for path in old}
        start = len(self.root.parts)
        return sorted("/".join(path.parts[start:]) for path in old if written[path] < limit.timestamp())

    def holds(self, place: str) -> bool:
        """Is anything left of a place?"""
        return self._path(place).exists()

    def _content(self, place: str, entry: TableFile) -> bytes:
        path = self._path(f"{place}/{entry.file}")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _unreadable(path, error) from None
        if len(content) != entry.bytes or _sha256(content) != entry.sha256:
            raise _damaged(path, f"the file is damaged: {len(content)} bytes, SHA-256 or length not as committed")
        return content

    def _manifest_in(self, path: UPath, place: str) -> Manifest:
        try:
            manifest = Manifest.from_bytes(path.read_bytes())
        except (ValueError, RecursionError):
            raise _damaged(path, "the manifest is damaged") from None
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _unreadable(path, error) from None
        if manifest.place != place:
            raise _damaged(path, f"the manifest belongs to {manifest.place}")
        return manifest

    def _path(self, place: str) -> UPath:
        parts = PurePosixPath(place).parts
        if not parts or place.startswith("/") or ".." in parts:
            raise BadInput(f"{place!r:.80} is not a place in the lake", kept="nothing was touched")
        return self.root.joinpath(*parts)

    def _write(self, place: str, files: Mapping[str, bytes]) -> None:
        """Files of one place, each replaced as a whole; when this returns they outlast a power cut."""
        folder = self._path(place)
        try:
            if isinstance(folder, Path):
                _replace_durably(folder, files)
            else:  # an object store makes an object visible whole or not at all
                for name, content in files.items():
                    folder.joinpath(name).write_bytes(content)
        except OSError as error:
            raise TerminalError(
                f"cannot write: {error.strerror or type(error).__name__}",
                where=str(folder),
                kept="what was committed before",
                todo="free space or mend the volume, then run the step again",
            ) from None


def _files(place: str, tables: Mapping[str, pa.Table], facts: Mapping[str, Any]) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest of a commit, and its data files."""
    written: dict[str, TableFile] = {}
    files: dict[str, bytes] = {}
    for name, table in tables.items():
        content = _parquet(table)
        digest = _sha256(content)
        file = f"{name}-{digest[:16]}.parquet"
        files[file] = content
        written[name] = TableFile(file, table.num_rows, digest, len(content))
    return Manifest.of(place, facts, written), files


def _version(digest: str) -> str:
    return f"manifest-{digest[:16]}.json"


def _replace_durably(folder: Path, files: Mapping[str, bytes]) -> None:
    """Beside, to disk, then renamed over: a crash leaves each old file or the new one, never a part."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = {folder / name: folder / f".{name}.{uuid.uuid4().hex}.part" for name in files}
    try:
        for part, content in zip(beside.values(), files.values(), strict=True):
            part.write_bytes(content)
            crash_point("written beside")
        for part in beside.values():
            _to_disk(part)
        for path, part in beside.items():
            os.replace(part, path)
            crash_point("renamed over")
    except BaseException:
        for part in beside.values():
            part.unlink(missing_ok=True)
        raise
    _to_disk(folder)


def _to_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _parquet(table: pa.Table) -> bytes:
    """The same rows in the same order give the same bytes, however the table was chunked or annotated.

    A row group at a time, so that a large table is never copied as a whole. Dictionary columns get 32-bit indices:
    chunks with dictionaries of their own may not fit 8 bits together.
    """
    schema = pa.schema([field.with_type(_wide(field.type)).remove_metadata() for field in table.schema])
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True) as writer:
        for start in range(0, max(table.num_rows, 1), _ROW_GROUP):
            writer.write_table(table.slice(start, _ROW_GROUP).cast(schema).combine_chunks(), _ROW_GROUP)
    return sink.getvalue().to_pybytes()


def _wide(kind: pa.DataType) -> pa.DataType:
    return pa.dictionary(pa.int32(), kind.value_type) if pa.types.is_dictionary(kind) else kind


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1).encode("utf-8") + b"\n"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _unreadable(path: UPath, error: OSError) -> TerminalError:
    """Missing, a folder in its place, no permission, a disk that fails: whoever reads has no file."""
    missing = isinstance(error, FileNotFoundError)
    return _damaged(
        path, "the file that the manifest names is missing" if missing else f"cannot read: {type(error).__name__}"
    )


def _damaged(path: UPath, what: str) -> TerminalError:
    """Whoever writes a place writes the same bytes again; a department is asked for what it sent."""
    key, again = key_of("/".join(path.parent.parts[-4:])), "run the step that writes it again"
    if isinstance(key, SnapshotKey):
        district = "" if key.scope == CITY else f" --district {key.scope}"
        asked = f'`innopoints repull {key.dataset}{district} --as-of {key.as_of} --reason "damaged file"`'
        again = f"clear the land task of {key}, or {asked}"
    return TerminalError(
        what,
        where=str(path),
        kept="the source's records; nothing was read from this file",
        todo=f"restore the file from a backup, or {again}; do not delete the folder: earlier versions are in it",
    )
