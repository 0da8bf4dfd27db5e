"""A real gunicorn in a process of its own, as the image starts it, on a port the system chooses."""

import asyncio
import json
import os
import re
import secrets
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from service.tests.target import Remote

ROOT = Path(__file__).parents[2]
# Far more than it takes on a machine that is busy with other things; a drain that is to be cut short takes longer.
START_SECONDS = 60.0
STOP_SECONDS = 45.0


class Server:
    """A context manager: started in production mode on entry, gone after exit whatever happens.

    ``environment`` adds to what the process sees, or with None takes away.
    """

    def __init__(self, folder: Path, **environment: str | None) -> None:
        self.key = secrets.token_urlsafe(24)
        self._log = folder / "server.log"
        wanted = {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "MODE_CONFIG": "Production",
            "KEY_PROD": self.key,
            "DRAIN_SECONDS": "0",
            **environment,
        }
        self._environment = {name: value for name, value in wanted.items() if value is not None}
        self._runner = asyncio.Runner()
        with self._log.open("wb") as log:
            self._process = self._runner.run(self._start(log.fileno()))

    async def _start(self, log: int) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "gunicorn", "--config", "service/gunicorn.conf.py", "--bind", "127.0.0.1:0"),
            "service.app:APP",
            cwd=ROOT,
            env=self._environment,
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self.wait()
        self._runner.close()

    @property
    def remote(self) -> Remote:
        """The server as a target, once it listens."""
        deadline = time.monotonic() + START_SECONDS
        while not (found := re.search(r"Listening at: (http://[0-9.]+:\d+)", self.text())):
            assert time.monotonic() < deadline, f"the server does not listen:\n{self.text()}"
            time.sleep(0.02)
        return Remote(found[1])

    def text(self) -> str:
        """All that the server has written to its standard output and error."""
        return self._log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """The log, every line of which must be a JSON object."""
        return [json.loads(line) for line in self.text().splitlines()]

    def terminate(self) -> None:
        """Ask for a stop, as a container engine does."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """The exit code, which must come within a bound."""
        waiting = self._process.wait()

        async def bounded() -> int:
            return await asyncio.wait_for(waiting, STOP_SECONDS)

        return self._runner.run(bounded())
