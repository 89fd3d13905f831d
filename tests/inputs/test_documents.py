"""YAML and JSON that are more, or less, than they look: our readers refuse them with file, line and reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.contracts.model import DATASETS, load_contract
from include.kernel.connections import from_environment
from include.kernel.documents import DEEPEST, read_yaml
from include.kernel.errors import BadInput, TerminalError
from include.schemes.model import load_scheme
from include.sources.declaration import FOLDER, load_source
from include.store.lake import Lake
from tests.inputs.conftest import one_clear_line

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
LADDER = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 200))
ABUSES = [
    ("aliases that stand for a billion nodes", LAUGHS, "its aliases stand for more than"),
    ("aliases that nest ever deeper", LADDER, "its aliases stand for more than"),
    ("a node that holds itself", "a: &a [*a]\n", "a node holds itself"),
    ("a sequence of ten thousand levels", "a: " + "[" * 10_000, f"nested deeper than {DEEPEST} levels"),
    ("a mapping of ten thousand levels", "{a: " * 10_000, f"nested deeper than {DEEPEST} levels"),
    ("a call of a Python function", "a: !!python/object/apply:os.system ['true']\n", "line 1: could not determine"),
    ("a Python name", "a: !!python/name:os.system\n", "line 1: could not determine"),
    ("a Python module", "!!python/module:os\n", "line 1: could not determine"),
    ("a key that stands twice", "kind: rest\nkind: rest\n", "line 2: key 'kind' stands twice"),
    ("a key that stands twice further in", "a: {b: 1,\n    c: 2,\n    b: 3}\n", "line 3: key 'b' stands twice"),
    ("a key that is a list", "? [a, b]\n: 1\n", "line 1: a key is a list or a mapping"),
    ("a day that the calendar does not have", "a: 2026-02-30\n", "not readable YAML"),
    ("a NUL byte", "a: b\0c\n", "not readable YAML"),
    ("a quote that is never closed", 'a: "b\n', "line 2"),
    ("two documents", "a: 1\n---\na: 2\n", "line 2"),
    ("another encoding", "标题: 甲\n".encode("gb18030"), "not UTF-8 at byte 0"),
    ("another Unicode", "标题: 甲\n".encode("utf-16"), "not UTF-8 at byte 0"),
]
READERS: dict[str, Callable[[Path], tuple[Path, Callable[[], Any]]]] = {
    "any": lambda folder: (folder / "any.yaml", lambda: read_yaml(folder / "any.yaml")),
    "contract": lambda folder: (folder / "TAX_X.yaml", lambda: load_contract(folder / "TAX_X.yaml")),
    "source": lambda folder: (folder / "source.yaml", lambda: load_source(folder / "source.yaml")),
    "scheme": lambda folder: (folder / "scheme.yaml", lambda: load_scheme(folder)),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("text", "why"), [abuse[1:] for abuse in ABUSES], ids=[abuse[0] for abuse in ABUSES])
def test_a_yaml_file_that_is_abused(tmp_path: Path, reader: str, text: str | bytes, why: str) -> None:
    path, read = READERS[reader](tmp_path)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    started = time.process_time()
    with pytest.raises(BadInput) as error:
        read()
    said = one_clear_line(str(error.value))
    assert why in said
    assert path.name in said
    assert time.process_time() - started < 5


def test_an_alias_that_only_saves_writing_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text("a: &same {b: [1, 2]}\nc: *same\nd: [*same, *same]\n")
    same = {"b": [1, 2]}
    assert read_yaml(path) == {"a": same, "c": same, "d": [same, same]}


@pytest.mark.parametrize("text", ["", "null", "3", "[]", "text", "{}"])
@pytest.mark.parametrize("reader", ["contract", "source", "scheme"])
def test_a_yaml_file_that_says_nothing_of_what_is_asked(tmp_path: Path, reader: str, text: str) -> None:
    path, read = READERS[reader](tmp_path)
    path.write_text(text)
    with pytest.raises(BadInput) as error:
        read()
    assert path.name in one_clear_line(str(error.value))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("kind: rest", "kind: [rest]", "key kind"),
        ("page_size: 1000", "page_size: .nan", "key page_size"),
        ("page_size: 1000", "page_size: 1e308", "key page_size"),
        ("kind: rest", "kind: rest\n__class__: os.system", "'__class__'"),
        ("kind: rest", "kind: rest\nurl: http://169.254.169.254/", "'url'"),
        ("resource: ", "resource: ../../", "resource"),
    ],
)
def test_a_source_that_declares_what_no_source_has(tmp_path: Path, old: str, new: str, key: str) -> None:
    text = (FOLDER / "tax_innovation" / "source.yaml").read_text(encoding="utf-8")
    assert old in text
    folder = tmp_path / "tax_innovation"
    folder.mkdir()
    (folder / "source.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadInput) as error:
        load_source(folder / "source.yaml")
    assert key in one_clear_line(str(error.value))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dataset: TAX_VAT", "dataset: ../TAX_VAT"),
        ("dataset: TAX_VAT", "dataset: TAX_VAT\n__class__: os.system"),
        ("scope: district", "scope: '*'"),
        ("key: [", "key: [no_such_column, "),
    ],
)
def test_a_contract_that_cannot_hold(tmp_path: Path, old: str, new: str) -> None:
    text = (DATASETS / "TAX_VAT.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "TAX_VAT.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadInput) as error:
        load_contract(tmp_path / "TAX_VAT.yaml")
    assert "TAX_VAT.yaml" in one_clear_line(str(error.value))


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "3", '"text"', "[" * 100_000, '{"extra": "{"}', '{"port": "x"}', '{"extra": [1]}', '{"port": NaN}'],
    ids=lambda text: text[:20],
)
def test_a_connection_that_is_no_json_object_is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_INNOPOINTS_X", text)
    with pytest.raises(TerminalError, match="'innopoints_x' is not readable JSON"):
        from_environment("innopoints_x")


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b'{"tables": NaN}', b"[" * 100_000, b"\xff\xfe", b'{"place": "x"}'],
    ids=lambda text: ascii(text)[2:20] or "empty",
)
def test_a_manifest_that_is_none_is_named_instead_of_read(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "ranked").mkdir()
    (tmp_path / "ranked" / "manifest.json").write_bytes(text)
    with pytest.raises(TerminalError, match="the manifest is damaged") as error:
        Lake(str(tmp_path)).require("ranked")
    one_clear_line(str(error.value))
