"""One headless Chromium, spoken to over the Chrome DevTools Protocol on the loopback.

https://chromedevtools.github.io/devtools-protocol/ : media, colour scheme and width are really
emulated, which no switch on the command line does for print.
"""

from __future__ import annotations

import json
import subprocess
import time
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import urlopen

import websocket

STARTS_WITHIN_S = 60.0
ANSWERS_WITHIN_S = 120.0


class Browser:
    """A Chromium process with one tab.

    Parameters
    ----------
    program
        Path of Chromium.
    folder
        For its profile; empty.
    """

    def __init__(self, program: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [
                program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--remote-debugging-port=0",
                "--remote-debugging-address=127.0.0.1",
                "--remote-allow-origins=*",
                f"--user-data-dir={folder}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._numbers = count(1)
        self.requests: list[str] = []
        self._loaded = False
        try:
            self._socket = websocket.create_connection(
                _find_tab(folder / "DevToolsActivePort"), timeout=ANSWERS_WITHIN_S
            )
        except BaseException:
            self._process.kill()
            raise
        self.call("Page.enable")
        self.call("Network.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(timeout=30)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            self._note(message)
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        elif message.get("method") == "Page.loadEventFired":
            self._loaded = True

    def open(self, path: Path) -> None:
        """Open a file and wait until it is loaded; `requests` then lists what it asked for."""
        self.requests, self._loaded = [], False
        self.call("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._note(json.loads(self._socket.recv()))

    def show(self, width: int, *, scheme: str = "light", media: str = "screen") -> None:
        """Emulate a width in px, a colour scheme (light, dark) and a medium (screen, print)."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call(
            "Emulation.setEmulatedMedia",
            media=media,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def evaluate(self, script: str) -> Any:
        """Evaluate a script in the page, wait for its promise and return its value."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"].get("exception", {}))[:2000])
        return found["result"].get("value")


def _find_tab(port_file: Path) -> str:
    """Wait for Chromium to write its port; return the address of the tab's socket."""
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until:
        if port_file.exists() and port_file.read_text(encoding="utf-8").strip():
            port = port_file.read_text(encoding="utf-8").split()[0]
            with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
                tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
            if tabs:
                return str(tabs[0]["webSocketDebuggerUrl"])
        time.sleep(0.05)
    raise TimeoutError("Chromium did not open its port for the DevTools")
