"""A real Chromium without a window, for tests of the page: driven by Selenium, with all that it asked for and said.

Nothing reaches the network by the browser's own doing: no first run, no updates, no background requests.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import json
import random
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

from tests.debian_programs import install

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PACKAGES = ("chromium", "chromium-driver", "fonts-liberation")
_FLAGS = (
    "--headless=new",
    # Its sandbox needs user namespaces or a set-id helper, and a container that tests run in as root has neither.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--force-color-profile=srgb",
)


@cache
def chromium() -> tuple[str, str]:
    """The browser and its driver; Debian's are installed when they are missing and this is root on such a system.

    Raises:
        RuntimeError: they are missing and can't be installed; it says what to do.
    """
    found = _found()
    if found is None:
        install(*_PACKAGES)
        found = _found()
    if found is None:
        raise RuntimeError(f"The page's tests need Chromium: sudo apt-get install {' '.join(_PACKAGES)}")
    return found


@dataclass(frozen=True)
class Page:
    """A page in the browser."""

    driver: WebDriver

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a function body returns in the page."""
        return self.driver.execute_script(script, *arguments)

    def command(self, name: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the Chrome DevTools Protocol."""
        answer: dict[str, Any] = self.driver.execute_cdp_cmd(name, parameters)
        return answer

    def requests(self) -> list[str]:
        """The addresses of all requests since the last call but those whose content is in the address."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        asked = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [params["request"]["url"] for params in asked if not params["request"]["url"].startswith("data:")]

    def complaints(self) -> list[str]:
        """What the console said since the last call."""
        return [entry["message"] for entry in self._log("browser")]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.driver.execute("getLog", {"type": kind})["value"]
        return entries

    def screenshot(self, target: Path, *, most: int = 0) -> Path:
        """The whole page as a PNG, its first ``most`` pixels if that is less."""
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], most or size["height"])}
        options = {"captureBeyondViewport": True, "clip": {**clip, "scale": 1}}
        target.write_bytes(base64.b64decode(self.command("Page.captureScreenshot", **options)["data"]))
        return target

    def printed(self, target: Path) -> Path:
        """The page as a PDF, as it is printed on A4."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": True, "preferCSSPageSize": True}
        target.write_bytes(base64.b64decode(self.command("Page.printToPDF", **paper)["data"]))
        return target


@contextlib.contextmanager
def browser(*, width: int = 1280, height: int = 900) -> Iterator[WebDriver]:
    """A fresh browser with a profile of its own."""
    program, driver_program = chromium()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        options = Options()
        options.binary_location = program
        for flag in (*_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = WebDriver(options=options, service=Service(executable_path=driver_program, port=quiet_port()))
        try:
            yield driver
        finally:
            driver.quit()


def quiet_port() -> int:
    """A free port that stays so for the moment until a program of others' making listens on it.

    It is none of those that the kernel gives to whoever asks for any, of which any process of this machine may be given
    the very one that has just been let go (ip(7), ip_local_port_range).
    """
    given = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first, last = map(int, given.read_text(encoding="ascii").split()) if given.exists() else (32_768, 60_999)
    others = [*range(max(first - 10_000, 1024), first), *range(last + 1, 65_536)] or [0]
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.SystemRandom().choice(others)))
            port: int = probe.getsockname()[1]
            return port


def show(
    driver: WebDriver, address: str, *, width: int = 1280, height: int = 900, dark: bool = False, scripts: bool = True
) -> Page:
    """Load the address anew, in a window of this size, in a light or dark scheme, with the page's scripts on or off."""
    page = Page(driver)
    page.command("Emulation.setScriptExecutionDisabled", value=not scripts)
    page.command(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    page.command("Emulation.setEmulatedMedia", features=[scheme])
    page.requests()
    page.complaints()
    driver.get(address)
    return page


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The folder on a server of this machine: its address, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        """Remembers instead of writing a line."""

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Whatever came of it."""
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def _found() -> tuple[str, str] | None:
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    driver = shutil.which("chromedriver")
    return (program, driver) if program and driver else None
