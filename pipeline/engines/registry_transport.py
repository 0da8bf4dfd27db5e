"""HTTP requests to one registry: bounded in time, repeated where that helps, logged in, and never telling a secret.

What a request means is the client's business (:mod:`pipeline.engines.registry_client`); here is how it gets there
and back.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from pipeline.core.ports import Clock
from pipeline.engines.registry_auth import Credentials, Login, no_authorization, refused
from pipeline.engines.registry_faults import code_of, kind, seconds_of, tls_reason
from pipeline.errors import RegistryTrouble

ATTEMPTS = 4
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 20.0
_CONNECT_S = 10.0
_SILENCE_S = 30.0
_REPEATABLE = frozenset({429, 500, 502, 503, 504})
_REPEATABLE_ERRORS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)

T = TypeVar("T")


def is_loopback(host: str) -> bool:
    """Whether ``host`` (with or without a port) is this machine alone."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a registry is. ``ca_file`` is the authority that signed its certificate, if not a public one.

    Plain HTTP is spoken with loopback, and elsewhere only when ``insecure`` says so; with a ``ca_file`` it is
    always HTTPS.
    """

    host: str
    insecure: bool = False
    ca_file: str = ""

    @property
    def base(self) -> str:
        """The URL that paths of the API are appended to. Docker Hub's API has another host than its images' names."""
        host = "registry-1.docker.io" if self.host in ("docker.io", "index.docker.io") else self.host
        plain = not self.ca_file and (self.insecure or is_loopback(self.host))
        return f"{'http' if plain else 'https'}://{host}"

    def may_send(self, url: str) -> bool:
        """Whether credentials may go to ``url``."""
        parts = urlsplit(url)
        if parts.scheme != "http":
            return parts.scheme == "https"
        return is_loopback(parts.netloc) or (self.insecure and parts.hostname == urlsplit(self.base).hostname)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: ``what`` says for people what it is for, like ``manifest of 1.0``.

    ``once`` is for what can't simply be asked again, like a further piece of a blob: :class:`Unfinished` is raised.
    """

    method: str
    path: str
    what: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    once: bool = False


class Unfinished(RegistryTrouble):
    """A request that is sent once did not come to its end; ``asked_s`` are the seconds that the registry wants to have.

    Whether it had an effect is not known.
    """

    def __init__(self, what: str, *, why: str = "", advice: str = "", asked_s: float = 0.0) -> None:
        super().__init__(what, why=why, advice=advice)
        self.asked_s = asked_s


TOKEN = Call(method="GET", path="", what="a token")


class _Session(requests.Session):
    """Requests' session, but a login goes to no other host, port or scheme than the one that it was made for.

    Requests itself would keep it from HTTP to HTTPS of the same host, and would look into ``~/.netrc`` for each new
    host.
    """

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Called by requests for each redirect."""
        before, after = urlsplit(response.request.url or ""), urlsplit(prepared_request.url or "")
        if (before.scheme, before.netloc) != (after.scheme, after.netloc):
            prepared_request.headers.pop("Authorization", None)


class RegistryTransport:
    """Requests to one registry, all of them together within ``timeout_s`` seconds from the making of this object."""

    def __init__(
        self, address: Address, credentials: Credentials, *, clock: Clock, timeout_s: float, hide: Callable[[str], None]
    ) -> None:
        self._address = address
        self._credentials = credentials
        self._clock = clock
        self._timeout_s = timeout_s
        self._deadline = clock.monotonic() + timeout_s
        self._session = _Session()
        self._session.auth = no_authorization
        self._session.max_redirects = 5
        # No proxy stands between us and our own machine, whatever the environment says of proxies.
        self._session.trust_env = not is_loopback(address.host)
        self._login = Login(address.host, credentials, send=self._send, may_send=address.may_send, hide=hide)

    @property
    def host(self) -> str:
        """The registry's host, with its port if it has one."""
        return self._address.host

    def exchange(self, call: Call, use: Callable[[requests.Response], T]) -> T:
        """What ``use`` makes of the response. A failed attempt, also one that ends while ``use`` reads, is repeated.

        Raises:
            RegistryTrouble: refused, no sound answer after a few attempts, or the time is up.
        """
        reason, asked_s = "", 0.0
        for attempt in range(1 if call.once else ATTEMPTS):
            if attempt:
                self.pause(call, reason, attempt, asked_s)
            asked_s = 0.0
            try:
                with self._logged_in(call) as response:
                    if response.status_code not in _REPEATABLE:
                        return use(self._allowed(call, response))
                    reason = f"It answered {response.status_code}{code_of(response)}."
                    asked_s = seconds_of(response.headers.get("Retry-After", ""))
            except requests.exceptions.SSLError as error:
                raise self._untrusted(error) from None
            except _REPEATABLE_ERRORS as error:
                # The text of these may hold the signed address that a registry redirects to.
                reason = kind(error)
            except requests.RequestException as error:
                raise self.trouble(call, f"The answer can't be followed ({type(error).__name__}).") from None
        if call.once:
            raise self.unfinished(call, reason, asked_s)
        raise self.trouble(call, reason, f"It was tried {ATTEMPTS} times. Try again later.")

    def pause(self, call: Call, reason: str, attempt: int, asked_s: float = 0.0) -> None:
        """Wait before the attempt of this number (1 is the first repetition), longer each time.

        Raises:
            RegistryTrouble: it would be too long; ``reason`` is why the attempt before failed.
        """
        self._wait(call, reason, max(asked_s, _FIRST_WAIT_S * 2 ** (attempt - 1)))

    def in_time(self, call: Call) -> None:
        """Raises RegistryTrouble when the time for the exchange is up."""
        if self._clock.monotonic() >= self._deadline:
            raise self.trouble(
                call,
                f"The exchange did not end within {self._timeout_s:.0f} seconds.",
                "Raise push.timeout_s if it needs longer.",
            )

    def trouble(self, call: Call, why: str, advice: str = "") -> RegistryTrouble:
        """The error for a request that failed."""
        return RegistryTrouble(f"{self.host} did not do its part ({call.method} {call.what}).", why=why, advice=advice)

    def unfinished(self, call: Call, why: str, asked_s: float = 0.0) -> Unfinished:
        """The error for a request that is sent once and did not come to its end."""
        plain = self.trouble(call, why)
        return Unfinished(plain.what, why=plain.why, asked_s=asked_s)

    def unexpected(self, call: Call, response: requests.Response) -> RegistryTrouble:
        """The error for a status that the specification does not foresee here."""
        return self.trouble(call, f"It answered {response.status_code}{code_of(response)}.")

    def close(self) -> None:
        """Give the sockets back."""
        self._session.close()

    def _logged_in(self, call: Call) -> requests.Response:
        """The response, after the login that the registry asks for, if it asks."""
        response = self._api(call)
        if response.status_code == 401 and not response.history:
            challenge = response.headers.get("WWW-Authenticate", "")
            response.close()
            self._login.answer(challenge)
            response = self._api(call)
        return response

    def _allowed(self, call: Call, response: requests.Response) -> requests.Response:
        if response.status_code in (401, 403):
            raise self.unexpected(call, response) if response.history else refused(self.host, self._credentials)
        return response

    def _api(self, call: Call) -> requests.Response:
        headers = dict(call.headers)
        if self._login.header:
            if not self._address.may_send(self._address.base):
                raise self.trouble(call, "A login is not sent without encryption.", "Use HTTPS, or set push.insecure.")
            headers["Authorization"] = self._login.header
        # Only reading follows a redirect: large blobs often lie elsewhere, and their digest tells if they are right.
        return self._send(
            call.method,
            self._address.base + call.path,
            call=call,
            headers=headers,
            data=call.body,
            stream=True,
            allow_redirects=call.method == "GET",
        )

    def _send(self, method: str, url: str, *, call: Call = TOKEN, **more: Any) -> requests.Response:
        """One HTTP request within the time that is left; also what the login sends its requests with."""
        self.in_time(call)
        left = self._deadline - self._clock.monotonic()
        # Identity: a blob's digest is that of its bytes as stored, so nothing may be compressed on the way.
        headers = {"Accept-Encoding": "identity", "User-Agent": "pipeline", **more.pop("headers", {})}
        more.setdefault("allow_redirects", False)
        timeout = (min(_CONNECT_S, left), min(_SILENCE_S, left))
        verify = self._address.ca_file or None
        return self._session.request(method, url, headers=headers, timeout=timeout, verify=verify, **more)

    def _wait(self, call: Call, reason: str, seconds: float) -> None:
        if seconds > _LONGEST_WAIT_S or self._clock.monotonic() + seconds >= self._deadline:
            raise self.trouble(
                call, reason, f"It would have to be asked again in {seconds:.0f} seconds. Try again later."
            )
        self._clock.sleep(seconds)

    def _untrusted(self, error: requests.exceptions.SSLError) -> RegistryTrouble:
        reason = tls_reason(error)
        if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER" in reason:
            advice = "It seems to speak plain HTTP; set push.insecure if that is meant."
        else:
            advice = "If a private authority signed its certificate, name that authority's file in push.ca_file."
        return RegistryTrouble(
            f"No trusted connection to {self.host} could be made.", why=f"TLS says: {reason}.", advice=advice
        )
