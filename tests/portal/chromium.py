"""A headless Chromium that the browser tests drive by its DevTools protocol; nothing but the system's own package."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

SECONDS = 60
KEYS = {"Tab": (9, ""), "Enter": (13, "\r")}
"""Key → its number and the text that it types."""


def program() -> str | None:
    """Where the system's Chromium is, if it has one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Tab:
    """One tab. What the page complains of (refused by its policy, failed to load) is kept in `complaints`."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self.complaints: list[str] = []
        self._loaded = False
        for domain in ("Page", "Log", "Runtime"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setFocusEmulationEnabled", enabled=True)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told = self._heard()
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]

    def size(self, width: int, height: int) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )

    def open(self, url: str) -> None:
        with self._until_loaded():
            self.send("Page.navigate", url=url)

    def submit(self, form: str = "form") -> None:
        """Send the page's first form of this kind, and wait for what it leads to."""
        with self._until_loaded():
            self.ask(f"document.querySelector('{form}').requestSubmit()")

    def ask(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """One of `KEYS`, down and up."""
        number, text = KEYS[key]
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": number}
        self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **pressed, text=text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def press_to_load(self, key: str) -> None:
        """Press a key that leads to another page, and wait for it."""
        with self._until_loaded():
            self.press(key)

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    @contextmanager
    def _until_loaded(self) -> Iterator[None]:
        self._loaded = False
        yield
        while not self._loaded:
            self._heard()

    def _heard(self) -> dict[str, Any]:
        told = json.loads(self._socket.recv(timeout=SECONDS))
        if told.get("method") == "Page.loadEventFired":
            self._loaded = True
        if told.get("method") == "Log.entryAdded":
            self.complaints.append(told["params"]["entry"]["text"])
        return told


@contextmanager
def chromium(home: Path) -> Iterator[Tab]:
    """A fresh browser with a home of its own, gone at the end."""
    found = program()
    assert found is not None
    running = subprocess.Popen(
        [
            *(
                found,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
            ),
            *(f"--user-data-dir={home}", "--remote-debugging-port=0", "about:blank"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(_tab_address(home), max_size=None) as socket:
            yield Tab(socket)
    finally:
        running.terminate()
        running.wait(timeout=SECONDS)


def _tab_address(home: Path) -> str:
    written, deadline = home / "DevToolsActivePort", time.monotonic() + SECONDS
    while not (written.exists() and written.read_text(encoding="ascii").count("\n")):
        assert time.monotonic() < deadline, "Chromium did not start"
        time.sleep(0.1)
    port = written.read_text(encoding="ascii").splitlines()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=SECONDS) as answer:
        return next(one["webSocketDebuggerUrl"] for one in json.load(answer) if one["type"] == "page")
