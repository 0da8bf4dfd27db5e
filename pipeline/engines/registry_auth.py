"""Who we are to a registry: where credentials come from, and how a registry's challenge is answered.

Sources: the distribution project's "Token Authentication Specification" and "OAuth2 Token Authentication", RFC 9110
(challenges).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from urllib.request import parse_http_list

import requests
from docker import auth as docker_auth
from docker import errors as docker_errors

from pipeline.errors import ConfigurationError, RegistryTrouble

USERNAME = "PIPELINE_PUSH_USERNAME"
PASSWORD = "PIPELINE_PUSH_PASSWORD"  # nosec B105 - the variable's name
LOGIN_ADVICE = f"Log in with `docker login`, or set {USERNAME} and {PASSWORD}; then run again."

_CHALLENGE = re.compile(r"\s*(?P<scheme>[A-Za-z]+)\s+(?P<parameters>.*)", re.DOTALL)
_LARGEST_ANSWER = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A user name with a password, or an identity token (OAuth2 refresh token), or nothing. Never shown."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.password or self.identity_token)

    @property
    def for_engine(self) -> dict[str, str]:
        """As the Docker engine's API takes them (``AuthConfig``); empty when there are none."""
        named = {"username": self.username, "password": self.password, "identitytoken": self.identity_token}
        return {name: value for name, value in named.items() if value} if self else {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be seen."""
        return tuple(value for value in (self.password, self.identity_token) if value)


def find_credentials(
    host: str, environ: Mapping[str, str], load: Callable[[], docker_auth.AuthConfig] = docker_auth.load_config
) -> Credentials:
    """The credentials for ``host``: the environment's, else the Docker configuration's and its helpers', else none.

    Raises:
        ConfigurationError: only one of the two variables is set.
        RegistryTrouble: the Docker configuration names a credential helper that fails.
    """
    username, password = environ.get(USERNAME, ""), environ.get(PASSWORD, "")
    if bool(username) != bool(password):
        missing = PASSWORD if username else USERNAME
        raise ConfigurationError(
            f"{missing} is not set, and the other half of the login is.", advice="Set both or none."
        )
    if username:
        return Credentials(username=username, password=password)
    try:
        found: Mapping[str, Any] | None = docker_auth.resolve_authconfig(load(), registry=host)
    except docker_errors.DockerException as error:
        # The helper's own words may hold what it was given: only the kind of failure is told.
        raise RegistryTrouble(
            f"The credentials for {host} could not be had from the Docker configuration ({type(error).__name__}).",
            advice=f"Mend the credential helper that it names, or set {USERNAME} and {PASSWORD}.",
        ) from None
    return _from_docker(found or {})


def _from_docker(found: Mapping[str, Any]) -> Credentials:
    """Docker's two spellings: ``auths`` in lower case, helpers with capitals."""
    folded = {name.lower(): str(value) for name, value in found.items() if value}
    return Credentials(
        username=folded.get("username", ""),
        password=folded.get("password", folded.get("secret", "")),
        identity_token=folded.get("identitytoken", ""),
    )


def no_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Adds nothing; given to requests so that it does not look for a password in ``~/.netrc`` by itself."""
    return request


class Login:
    """Answers a registry's challenges. ``send`` makes one HTTP request, bounded in time, with nothing added to it.

    ``may_send`` says whether a URL is one to which credentials may go (encrypted, or allowed not to be). ``hide``
    hears of every token, so that it is masked wherever it would be shown.
    """

    def __init__(
        self,
        host: str,
        credentials: Credentials,
        *,
        send: Callable[..., requests.Response],
        may_send: Callable[[str], bool],
        hide: Callable[[str], None],
    ) -> None:
        self._host = host
        self._credentials = credentials
        self._send = send
        self._may_send = may_send
        self._hide = hide
        self._header = ""

    @property
    def header(self) -> str:
        """The ``Authorization`` header's value for requests to the registry; empty before the first challenge."""
        return self._header

    def answer(self, challenge: str) -> None:
        """Make :attr:`header` what the ``WWW-Authenticate`` header ``challenge`` asks for.

        Raises:
            RegistryTrouble: there are no credentials, they are refused, or the challenge is not understood.
        """
        match = _CHALLENGE.match(challenge)
        scheme = match["scheme"].lower() if match else ""
        if scheme == "basic":
            self._header = self._basic()
        elif match and scheme == "bearer":
            self._header = f"Bearer {self._token(_parameters(match['parameters']))}"
        else:
            raise RegistryTrouble(
                f"{self._host} asks for a login of a kind that is not known here (Basic and Bearer are)."
            )

    def _basic(self) -> str:
        if not self._credentials.password:
            raise RegistryTrouble(f"{self._host} asks for a login, and no credentials were found.", advice=LOGIN_ADVICE)
        pair = f"{self._credentials.username}:{self._credentials.password}"
        encoded = base64.b64encode(pair.encode()).decode("ascii")
        self._hide(encoded)
        return f"Basic {encoded}"

    def _token(self, challenge: Mapping[str, str]) -> str:
        realm = challenge.get("realm", "")
        if self._credentials and not self._may_send(realm):
            raise RegistryTrouble(
                f"{self._host} wants the login sent without encryption, to {urlsplit(realm).hostname}.",
                advice="Use a registry whose token service speaks HTTPS.",
            )
        answer = self._ask(realm, {name: challenge[name] for name in ("service", "scope") if challenge.get(name)})
        if answer.status_code in (400, 401, 403):
            raise refused(self._host, self._credentials)
        if answer.status_code != 200:
            raise RegistryTrouble(
                f"The token service of {self._host} answered {answer.status_code}.", advice="Try again later."
            )
        return self._read(answer)

    def _ask(self, realm: str, parameters: dict[str, str]) -> requests.Response:
        """GET with a password or anonymously; POST with an identity token, as the OAuth2 variant has it."""
        if self._credentials.identity_token:
            form = {**parameters, "grant_type": "refresh_token", "refresh_token": self._credentials.identity_token}
            return self._send("POST", realm, data={**form, "client_id": "pipeline"})
        headers = {"Authorization": self._basic()} if self._credentials else {}
        return self._send("GET", realm, params=parameters, headers=headers)

    def _read(self, answer: requests.Response) -> str:
        try:
            document = answer.json() if len(answer.content) <= _LARGEST_ANSWER else None
        except requests.exceptions.JSONDecodeError:
            document = None
        token = document.get("token") or document.get("access_token") if isinstance(document, dict) else None
        if not isinstance(token, str) or not token.isprintable():
            raise RegistryTrouble(f"The token service of {self._host} answered without a token.")
        self._hide(token)
        return token


def _parameters(text: str) -> dict[str, str]:
    """The parameters of a challenge (RFC 9110, section 11.2): names with values that may be quoted."""
    pairs = (part.partition("=") for part in parse_http_list(text))
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def refused(host: str, credentials: Credentials) -> RegistryTrouble:
    """The error for a login that a registry does not accept, or that does not allow what is asked."""
    who = (
        f"the login of {credentials.username!r}"
        if credentials.username
        else "the login"
        if credentials
        else "anonymous access"
    )
    return RegistryTrouble(f"{host} refuses {who}.", advice=LOGIN_ADVICE)
