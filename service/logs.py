"""The log: one JSON object a line on standard output, from the service and from its server.

A line is ASCII with every control character escaped, so no client can end it or forge another.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

# Made once: json.dumps makes a new one for each line when it is given a default.
_ENCODER = json.JSONEncoder(default=str)
# What no line shows need not be looked up for each (Python's logging HOWTO, "Optimization").
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON; a mapping passed as ``extra={"fields": …}`` is merged in."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "msg": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _ENCODER.encode(line)


_TO_STDOUT = {"handlers": ["stdout"], "level": "INFO", "propagate": False}

# What gunicorn sets up when it starts; it replaces what configure() did, so nothing is said twice.
SERVER_LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
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
