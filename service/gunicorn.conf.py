"""How to serve: ``gunicorn --config service/gunicorn.conf.py service.app:APP``."""

# gunicorn prescribes the names of its settings, which are not those of constants, and looks for a
# file of this name, which no module could have.
# pylint: disable=invalid-name
# ruff: noqa: N999

import contextlib
import socket
import time
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

from service import drain, logs
from service.settings import SERVER_LINE_LIMIT, SettingsError, current

logs.configure()
try:
    SERVING = current().serving
except SettingsError as error:
    raise SystemExit(f"The service does not start. {error}") from None


class OwnLines(Logger):
    """Makes no access log, which the service's own line takes the place of."""

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """A logging configuration switches it on, and all that it could tell is put together though nobody reads it."""


class Worker(ThreadWorker):
    """Gives each request so many seconds to arrive and be answered, then stops reading from its client.

    By itself gunicorn waits for the rest of a request for as long as the client likes, in a thread
    that serves nobody meanwhile: a handful of such clients would stop the service (Slowloris).

    The log's writer learns here which requests there are, and when there is time to write.
    """

    PATIENCE_SECONDS = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadlines: dict[TConn, float] = {}
        self._log_writer = logs.writer()

    def enqueue_req(self, conn: TConn) -> None:
        """In the main thread: a request, for the next thread that is free."""
        self._log_writer.expect(conn)
        super().enqueue_req(conn)

    def handle(self, conn: TConn) -> Any:
        """In one of the threads: serve the connection's next request."""
        self._deadlines[conn] = time.monotonic() + self.PATIENCE_SECONDS
        self._log_writer.begin(conn)
        try:
            return super().handle(conn)
        finally:
            self._deadlines.pop(conn, None)
            self._log_writer.done(conn)

    def notify(self) -> None:
        """In the main thread, at least once a second. An end of reading is to a thread a client that is gone."""
        super().notify()
        now = time.monotonic()
        for conn, deadline in list(self._deadlines.items()):
            if now >= deadline:
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """In the main thread: until something happens, or lines of the log have waited long enough."""
        super().wait_for_and_dispatch_events(self._log_writer.due(timeout))


bind = f":{SERVING.port}"
workers = SERVING.workers
# Threads keep connections alive and lose no request at a stop; the sync worker does neither. Ours
# besides cut off clients that stall.
worker_class = Worker
threads = 4
# Loaded once, before the fork: faster, less memory, and a faulty application ends the start.
preload_app = True

# Nothing may be written under a read-only root: the workers' heartbeat goes to memory, and the
# control socket, which would live in the home folder, stays off. gunicorn makes its file there
# with mkstemp and unlinks it at once, so bandit's worry about guessable names does not apply.
worker_tmp_dir = "/dev/shm"  # nosec B108
control_socket_disable = True

# All above the application's own limits, so that its JSON is what clients normally see.
limit_request_line = SERVER_LINE_LIMIT
limit_request_field_size = 8190
limit_request_fields = 64

# Forwarded headers are the application's business (PROXY_HOPS). By default gunicorn would
# believe them from any client on the loopback interface.
forwarded_allow_ips = ""

keepalive = 5
# After the drain; see Production.DEFAULT_DRAIN for the sum.
graceful_timeout = 5

logger_class = OwnLines
logconfig_dict = logs.SERVER_LOGGING


def when_ready(server: Any) -> None:
    """Called by gunicorn after it took over the signals, before it serves."""
    drain.delay_stop(server.signal, SERVING.drain_seconds)
