"""Local processes: the only place that starts one.

Each runs in a session of its own, so that a Ctrl-C at the terminal reaches the runner alone, and the runner stops the
whole group. A tool that handles SIGINT and exits 0 can therefore never be taken for one that finished.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess  # nosec B404 - the one module that starts processes; always an argument list, never a shell
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from pipeline.core.ports import Outcome, Progress, Request
from pipeline.errors import ToolTrouble
from pipeline.execution.descendants import MARK

INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SYSTEMROOT",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "UV_CACHE_DIR", "PYENV_ROOT",
    # Where pip finds packages; values may hold credentials, so none is ever printed.
    "PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_TRUSTED_HOST",
    "PIP_CLIENT_CERT", "PIP_PROXY", "PIP_DEFAULT_TIMEOUT", "PIP_TIMEOUT", "PIP_RETRIES", "PIP_KEYRING_PROVIDER",
    "NETRC",
)  # fmt: skip
"""What a stage's process gets of the caller's environment; the rest stays out, so that a run does not depend on it."""

_GRACE_S = 5.0
_BEAT_S = 1.0
_SLACK_S = 4.0
_PR_SET_PDEATHSIG = 1
_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Loaded before any fork: a child between fork and exec must not take the loader's lock, and all that it does there
# (preexec_fn, of which pylint warns as W1509) is one system call. R1732 (use "with") is for processes without a group.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class LocalProcesses:
    """The ProcessRunner of this machine. ``progress`` hears what a process with a title is and how far it has come."""

    def __init__(
        self, environ: Mapping[str, str], progress: Progress | None = None, mark: Mapping[str, str] | None = None
    ) -> None:
        """``mark`` goes into the environment of every process, and of whatever it starts, so that it can be found."""
        self._inherited = {name: environ[name] for name in INHERITED if name in environ}
        # A pipeline may be at work in a test of another one; what it starts works for both.
        self._inherited |= {name: value for name, value in environ.items() if name.startswith(MARK)}
        self._inherited |= mark or {}
        self._progress = progress

    def run(self, request: Request) -> Outcome:
        """Run a process to its end.

        Raises:
            ToolTrouble: it can't be started.
            KeyboardInterrupt: the run was interrupted; the process and all that it started have been stopped.
        """
        started = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
            # What is raised in the middle of a fork is lost (Python ignores it), and a request to stop must not be.
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, _REQUESTS)
            process = None
            try:
                process = self._started(request, mask, given, out, err)
                # A request that has come meanwhile is raised here, where what was started is stopped again.
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                timed_out = not self._wait(process, request, started)
            finally:
                # Also after a normal end: what it left running in its group has no business staying.
                if process is not None:
                    stop_group(process)
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            return Outcome(
                exit_code=process.returncode, stdout=_text(out, request.undecodable), stderr=_text(err),
                duration_s=time.monotonic() - started, timed_out=timed_out,
            )  # fmt: skip

    def _started(
        self, request: Request, mask: set[int | signal.Signals], given: IO[bytes], out: IO[bytes], err: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        try:
            given.write(request.stdin.encode("utf-8", "surrogateescape"))
            given.seek(0)
            # An argument list, never a shell; its end is waited for, and the hook does nothing but call the kernel.
            return subprocess.Popen(  # nosec B603  # pylint: disable=W1509
                request.argv, cwd=request.cwd, env=self._environment(request), stdin=given, stdout=out, stderr=err,
                start_new_session=True, preexec_fn=partial(_become_a_tool, mask),
            )  # fmt: skip
        except (OSError, ValueError) as error:
            # ValueError: a null byte or a lone surrogate in what the process is given.
            why = getattr(error, "strerror", None) or error
            raise ToolTrouble(f"{Path(request.argv[0]).name} could not be started: {why}.") from error

    def _environment(self, request: Request) -> dict[str, str]:
        merged: dict[str, str | None] = {**self._inherited, **request.env}
        return {name: value for name, value in merged.items() if value is not None}

    def _wait(self, process: subprocess.Popen[bytes], request: Request, started: float) -> bool:
        """Whether it ended within its time; says again and again that it is at work."""
        suspended, looked = 0.0, started
        while True:
            begun = time.monotonic()
            # Much more than a beat since the last look is time during which we were stopped (SIGSTOP, Ctrl-Z), and the
            # process with us for all we know: that is no time that it has had.
            suspended += max(begun - looked - _BEAT_S - _SLACK_S, 0.0)
            looked = begun
            if self._progress is not None and request.title:
                so_far = request.so_far() if request.so_far is not None else ""
                self._progress.update(f"{request.title}: {so_far}" if so_far else request.title)
            left = request.timeout_s - (begun - started - suspended)
            if _ends_within(process, max(min(left, _BEAT_S), 0.0)):
                return True
            if left <= 0:
                return False


def _ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a process ends in so many seconds; known at once where the kernel tells it (pidfd_open(2), Linux 5.3).

    :meth:`subprocess.Popen.wait` looks now and then only, which is most of what a git process took.
    """
    with contextlib.suppress(AttributeError, OSError):
        handle = os.pidfd_open(process.pid)
        try:
            told = select.poll()
            told.register(handle, select.POLLIN)
            told.poll(seconds * 1000)
        finally:
            os.close(handle)
        seconds = 0.0
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
        return True
    return False


def stop_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything in its group: SIGTERM, a few seconds, SIGKILL."""
    _signal_group(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=_GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def start_detached(argv: list[str], log: Path, env: Mapping[str, str] | None = None) -> int:
    """Start a process that outlives this one (a daemon), its output to ``log``; returns its pid.

    Raises:
        ToolTrouble: it can't be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("ab") as file:
            # An argument list, never a shell; it is to outlive this process, so nothing closes it here.
            process = subprocess.Popen(  # nosec B603  # pylint: disable=R1732
                argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True, cwd="/", env=env,
            )  # fmt: skip
    except OSError as error:
        raise ToolTrouble(f"{argv[0]} could not be started: {error.strerror or error}.") from error
    # It is not waited for; without this the interpreter would warn of a child that was forgotten.
    process.returncode = 0
    return process.pid


class Companion:
    """A server process that serves this one: it ends with :meth:`stop`, or with this process, however that ends."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, log: Path, env: Mapping[str, str]) -> None:
        """Start it with exactly the environment ``env``, its output to ``log``, which begins empty.

        Raises:
            ToolTrouble: it can't be started.
        """
        self._name = Path(argv[0]).name
        self._started = threading.Event()
        self._released = threading.Event()
        self._failures: list[OSError] = []
        self._process: subprocess.Popen[bytes] | None = None
        # Linux sends the parent-death signal when the *thread* that started the child ends (prctl(2)), and stages may
        # run in threads: so a thread of its own starts it, and stays.
        arguments = (tuple(argv), cwd, log, dict(env))
        threading.Thread(target=self._keep, args=arguments, name=self._name, daemon=True).start()
        self._started.wait()
        for error in self._failures:
            raise ToolTrouble(f"{self._name} could not be started: {error.strerror or error}.") from error

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid if self._process is not None else 0

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it and its group; harmless when it has ended."""
        if self._process is not None and self._process.poll() is None:
            stop_group(self._process)
        self._released.set()

    def _keep(self, argv: tuple[str, ...], cwd: Path, log: Path, env: dict[str, str]) -> None:
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as file:
                # An argument list, never a shell; its end is waited for, and the hook does nothing but call the kernel.
                self._process = subprocess.Popen(  # nosec B603  # pylint: disable=R1732,W1509
                    argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                    start_new_session=True, preexec_fn=_die_with_parent if _LIBC is not None else None,
                )  # fmt: skip
        except OSError as error:
            # Raised again by the constructor, in the thread that asked.
            self._failures.append(error)
        finally:
            self._started.set()
        if self._process is not None:
            self._released.wait()


def process_started(pid: int) -> str:
    """When the process with this id started, as a text; empty when there is no such process.

    A pid alone does not identify a process: ids are used again. Source: proc(5), field 22 of ``/proc/<pid>/stat``.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The second field is the program's name in brackets and may hold spaces and brackets itself.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else f"{boot}:{fields[19]}"


def end_process(pid: int, started: str) -> bool:
    """End the group of a process that an earlier run of ours left, if that very one is still there; whether it was."""
    if not started or process_started(pid) != started:
        return False
    _signal_group(pid, signal.SIGKILL)
    return True


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _die_with_parent() -> None:
    """In the child, before it becomes the tool: end with the runner, however that ends (PR_SET_PDEATHSIG, prctl(2))."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # type: ignore[union-attr]  # only passed where it is there


def _become_a_tool(mask: set[int | signal.Signals]) -> None:
    """In the child, before it becomes the tool: no signal is held back that was not, and it ends with the runner."""
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if _LIBC is not None:
        _die_with_parent()


def _text(file: IO[bytes], undecodable: str = "backslashreplace") -> str:
    file.seek(0)
    return file.read().decode("utf-8", undecodable)
