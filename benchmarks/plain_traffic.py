"""The canary's traffic without its judge: as many requests, at the same rate, to the same two paths of each service.

``python plain_traffic.py ADDRESS...``; exits with 1 when an answer is not 200.
"""

from __future__ import annotations

import http.client
import sys
import time
from urllib.parse import urlsplit

REQUESTS = 400
RATE = 200.0
PATHS = ("/convert?value=5&from=km&to=mi", "/health")


def send(addresses: list[str]) -> int:
    """Send them in turn, on connections that are kept; how many answers were not 200."""
    connections = [http.client.HTTPConnection(urlsplit(address).netloc, timeout=5) for address in addresses]
    bad = 0
    begun = time.monotonic()
    for number in range(REQUESTS):
        for connection in connections:
            connection.request("GET", PATHS[number % len(PATHS)])
            response = connection.getresponse()
            response.read()
            bad += response.status != 200
        time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
    for connection in connections:
        connection.close()
    return bad


if __name__ == "__main__":
    sys.exit(1 if send(sys.argv[1:]) else 0)
