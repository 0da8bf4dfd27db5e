"""``python -m service.health``: exit 0 when this container's service is alive, for a HEALTHCHECK.

Standard library only and no settings, because an engine starts it every few seconds.
"""

import http.client
import os
import sys
from contextlib import closing

from service import DEFAULT_PORT

TIMEOUT_SECONDS = 2.0


def main() -> int:
    """Ask /healthz on the loopback interface; 0 for a 200, else 1 and the reason on stderr."""
    try:
        port = int(os.environ.get("PORT", DEFAULT_PORT))
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)) as ask:
            ask.request("GET", "/healthz")
            status = ask.getresponse().status
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(f"no answer from /healthz: {error!r}", file=sys.stderr)
        return 1
    if status != http.client.OK:
        print(f"/healthz answers {status}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
