"""What every refusal must be: one line that says what and what to do, and that repeats nobody's data."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from include.cli import main

Refused = Callable[..., str]


def one_clear_line(text: str) -> str:
    """The line itself, if it is one."""
    assert text.strip()
    assert "\n" not in text.strip()
    assert "Traceback" not in text
    assert len(text) < 1500
    return text


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refused:
    """A command that must end with exit status 2 and one line, in a home where nothing may appear."""
    home = tmp_path / "home"
    monkeypatch.setenv("INNOPOINTS_HOME", str(home))

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["innopoints", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code == 2, said.err
        assert not said.out
        assert not home.exists()
        return one_clear_line(said.err)

    return run


def named(value: object) -> str:
    """A test's name for a value that no terminal could show."""
    return ascii(value)[1:25] or "empty" if isinstance(value, str) else type(value).__name__
