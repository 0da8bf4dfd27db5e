"""The log: one JSON object a line on standard output, from the service and from its server.

A line is ASCII with every control character escaped, so no client can end it or forge another.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from service.log_writer import LogWriter

# Encoding a text by itself needs no encoder made for it, which that of an object would take longer for than the rest.
as_json = json.JSONEncoder(default=str).encode
# What no line shows need not be looked up for each (Python's logging HOWTO, "Optimization").
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


@lru_cache(maxsize=2)
def _time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON; ``members`` of an object, JSON already, follow what all lines have."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        exception = f', "exception": {as_json(self.formatException(record.exc_info))}' if record.exc_info else ""
        members = f", {record.members}" if hasattr(record, "members") else ""
        return (
            f'{{"time": "{_time(int(record.created))}.{int(record.msecs):03d}+00:00", "level": "{record.levelname}", '
            f'"logger": {as_json(record.name)}, "msg": {as_json(record.getMessage())}{members}{exception}}}'
        )


_TO_STDOUT = {"handlers": ["stdout"], "level": "INFO", "propagate": False}

# What gunicorn sets up when it starts; it replaces what configure() did, so nothing is said twice.
SERVER_LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {
        "stdout": {
            "class": "service.log_writer.LogWriter",
            "stream": "ext://sys.stdout",
            "formatter": "json",
        }
    },
    "root": {"handlers": ["stdout"], "level": "WARNING"},
    "loggers": {
        "service": _TO_STDOUT,
        "gunicorn.error": _TO_STDOUT,
        # A logging configuration switches gunicorn's access log on, and that prints whole paths,
        # the item included. The service's own line takes its place.
        "gunicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
    },
}


def configure() -> None:
    """Give the service's own logger its format, where no server has done so before."""
    logger = logging.getLogger("service")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False


def writer() -> LogWriter:
    """The server's, or where there is none one that nothing is given to."""
    found = (handler for handler in logging.getLogger("service").handlers if isinstance(handler, LogWriter))
    return next(found, None) or LogWriter()
