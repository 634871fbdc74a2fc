"""Firefox and WebKit, driven as WebDriver says: Firefox by the wire that it has itself, WebKitGTK by its driver.

Each is asked for little: open an address, run a script, press a key. An engine that is not installed is left out.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import browser

# WebDriver's names of keys that have no letter.
KEYS = {"ArrowUp": "\ue013", "ArrowDown": "\ue015", "ArrowLeft": "\ue012", "ArrowRight": "\ue014", "Space": " "}
ASYNC = (
    "const done = arguments[arguments.length - 1]; Promise.resolve((%s)(...arguments)).then(done, (e) => done(`${e}`));"
)
PATIENCE = 60  # seconds


@dataclass
class Tab:
    """An open window: `send` takes a command of WebDriver with its parameters."""

    send: Callable[[str, dict[str, Any]], Any]

    def go(self, address: str) -> None:
        self.send("Navigate", {"url": address})

    def run(self, function: str, *arguments: object) -> Any:
        """What a JavaScript function, asynchronous or not, gives for the arguments."""
        return self.send("ExecuteAsyncScript", {"script": ASYNC % function, "args": list(arguments)})

    def press(self, key: str) -> None:
        steps = [{"type": kind, "value": KEYS[key]} for kind in ("keyDown", "keyUp")]
        self.send("PerformActions", {"actions": [{"type": "key", "id": "keyboard", "actions": steps}]})


def waited(attempt: Callable[[], Any]) -> Any:
    """What the attempt gives once it succeeds: a program needs a while to listen."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return attempt()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(*command: str, **environment: str) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=os.environ | environment, stdout=quiet, stderr=quiet) as process:
        try:
            yield
        finally:
            process.terminate()


# -- Firefox ---------------------------------------------------------------------------------------------------


@contextmanager
def firefox(folder: Path) -> Iterator[Tab]:
    """Messages are lists behind their length; the first comes from Firefox."""
    program, port = browser.firefox(), free_port()
    assert program
    settings = {"marionette.port": port, "ui.prefersReducedMotion": 1, "browser.shell.checkDefaultBrowser": False}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in settings.items()]
    (folder / "user.js").write_text("\n".join(lines))
    command = (program, "--marionette", "--headless", "--no-remote", "--profile", str(folder))
    with running(*command, MOZ_HEADLESS_WIDTH="1280", MOZ_HEADLESS_HEIGHT="1000"):
        with (
            waited(lambda: socket.create_connection(("127.0.0.1", port), PATIENCE)) as wire,
            wire.makefile("rb") as answers,
        ):

            def receive() -> Any:
                length = b""
                while not length.endswith(b":"):
                    length += answers.read(1)
                return json.loads(answers.read(int(length[:-1])))

            def send(command: str, parameters: dict[str, Any]) -> Any:
                message = json.dumps([0, 1, f"WebDriver:{command}", parameters])
                wire.sendall(f"{len(message.encode())}:{message}".encode())
                _, _, error, result = receive()
                assert error is None, error
                return result["value"] if set(result) == {"value"} else result

            receive()
            send("NewSession", {"capabilities": {"alwaysMatch": {"timeouts": {"script": 1000 * PATIENCE}}}})
            yield Tab(send)


# -- WebKit ----------------------------------------------------------------------------------------------------


ADDRESSES = {"Navigate": "url", "ExecuteAsyncScript": "execute/async", "PerformActions": "actions"}


@contextmanager
def webkit(folder: Path) -> Iterator[Tab]:
    program, port = browser.webkit(), free_port()
    assert program
    driver = f"http://127.0.0.1:{port}/session"

    def post(address: str, parameters: dict[str, Any]) -> Any:
        request = urllib.request.Request(address, json.dumps(parameters).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=2 * PATIENCE) as answer:
            return json.load(answer)["value"]

    with ExitStack() as stack:
        reading, writing = os.pipe()
        screen = ("Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x1000x24", "-nolisten", "tcp")
        process = stack.enter_context(
            subprocess.Popen(screen, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        stack.callback(process.terminate)
        os.close(writing)
        with os.fdopen(reading) as numbers:
            display = f":{numbers.readline().strip()}"
        settings = {"DISPLAY": display, "WEBKIT_DISABLE_COMPOSITING_MODE": "1", "HOME": str(folder)}
        stack.enter_context(running("WebKitWebDriver", f"--port={port}", **settings))
        options = {"binary": program, "args": ["--automation"]}
        wanted = {"webkitgtk:browserOptions": options, "timeouts": {"script": 1000 * PATIENCE}}
        session = waited(lambda: post(driver, {"capabilities": {"alwaysMatch": wanted}}))["sessionId"]
        yield Tab(lambda command, parameters: post(f"{driver}/{session}/{ADDRESSES[command]}", parameters))
        with urllib.request.urlopen(urllib.request.Request(f"{driver}/{session}", method="DELETE")):
            pass


ENGINES = {"Firefox": (browser.firefox, firefox), "WebKit": (browser.webkit, webkit)}
