"""What the service can be told from outside: one class per mode, values from the environment.

Kept free of Flask and of the server, so that both read the same values and neither owns them.
"""

import logging
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, Self

from environs import Env, EnvError, validate

from service import DEFAULT_PORT

DOTENV = Path(__file__).with_name(".env")

# The most gunicorn can be told to accept as a request line. A byte takes three characters when it
# is percent-encoded, so the two largest limits below, (2048 + 256) * 3 characters, still fit in:
# a client that goes beyond one of ours gets our JSON, not the server's HTML page.
SERVER_LINE_LIMIT = 8190
LARGEST_ITEM = 2048
LARGEST_LANG = 256
LARGEST_BODY = 1024 * 1024

ALWAYS_TRUSTED = ("localhost", "127.0.0.1")
_HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*")

_LOG = logging.getLogger(__name__)


class SettingsError(Exception):
    """The environment asks for something impossible; the message says what to change."""


class Secret(str):
    """A string that never shows itself: ``repr``, ``str`` and formatting give a mask.

    It stays a string, because Flask signs with it; comparing, encoding and joining see the value.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret, set>" if self else "<secret, not set>"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return format(repr(self), format_spec)


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What must stay secret, with the data addresses: those usually carry a password."""

    secret_key: Secret
    database_uri: Secret
    redis_cache_uri: Secret
    aws_access_key: Secret
    aws_secret_key: Secret


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that a request may carry, in bytes, percent-encoding undone."""

    item: int
    lang: int
    body: int


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Where and for whom the service answers, and how long it drains before a stop."""

    trusted_hosts: list[str]  # a list, because Flask asks for one
    proxy_hops: int
    port: int
    workers: int
    drain_seconds: float


@dataclass(frozen=True, kw_only=True)
class Config:
    """What all modes share; each mode has its own key and database, named by its suffix."""

    MODE: ClassVar[str]
    SUFFIX: ClassVar[str]
    KEY_REQUIRED: ClassVar[bool] = False
    TESTING: ClassVar[bool] = False
    DEFAULT_DRAIN: ClassVar[float] = 0.0

    credentials: Credentials
    limits: Limits
    serving: Serving

    @classmethod
    def from_environment(cls, env: Env) -> Self:
        """Read every value of this mode.

        Raises:
            SettingsError: a value has the wrong type or range, or the mode's key is missing.
        """
        try:
            config = cls(
                credentials=_credentials(env, cls.SUFFIX),
                limits=_limits(env),
                serving=_serving(env, cls.DEFAULT_DRAIN),
            )
        except EnvError as error:
            raise SettingsError(f"{error} Correct it in the environment or in .env.") from None
        if cls.KEY_REQUIRED and not config.credentials.secret_key:
            raise SettingsError(f"The {cls.MODE} mode does not start without its key: set KEY_{cls.SUFFIX}.")
        return config


@dataclass(frozen=True, kw_only=True)
class Development(Config):
    """A developer's machine: everything has a default."""

    MODE = "development"
    SUFFIX = "DEVL"


@dataclass(frozen=True, kw_only=True)
class Testing(Config):
    """The test suite, in process."""

    MODE = "testing"
    SUFFIX = "TEST"
    TESTING = True


@dataclass(frozen=True, kw_only=True)
class Production(Config):
    """What the image runs. No key, no start."""

    MODE = "production"
    SUFFIX = "PROD"
    KEY_REQUIRED = True
    # Long enough for a load balancer that probes each second; with the server's five seconds for
    # requests in flight the stop stays within the ten after which container engines kill.
    DEFAULT_DRAIN = 3.0


MODES: dict[str, type[Config]] = {mode.MODE: mode for mode in (Development, Testing, Production)}


def load(dotenv: Path = DOTENV) -> Config:
    """The settings of the mode that MODE_CONFIG names; the environment wins over the file.

    Raises:
        SettingsError: there is no such mode, or its values are not usable.
    """
    env = Env()
    if not env.read_env(dotenv, recurse=False):
        name = "/".join(dotenv.parts[-2:])
        _LOG.warning("there is no %s: settings come from the environment alone", name)
    wanted = env.str("MODE_CONFIG", Development.MODE)
    mode = MODES.get(wanted.strip().lower())
    if mode is None:
        names = ", ".join(MODES)
        raise SettingsError(f"MODE_CONFIG names no mode: {wanted!r}. Choose one of {names}.")
    return mode.from_environment(env)


@cache
def current() -> Config:
    """The settings of this process, read once: the server and the application must agree."""
    return load()


def _credentials(env: Env, suffix: str) -> Credentials:
    def secret(name: str) -> Secret:
        return Secret(env.str(name, "").strip())

    return Credentials(
        secret_key=secret(f"KEY_{suffix}"),
        database_uri=secret(f"DATABASE_URI_{suffix}"),
        redis_cache_uri=secret("REDIS_CACHE_URI"),
        aws_access_key=secret("AWS_ACCESS_KEY"),
        aws_secret_key=secret("AWS_SECRET_KEY"),
    )


def _limits(env: Env) -> Limits:
    return Limits(
        item=env.int("MAX_ITEM_BYTES", 1024, validate=validate.Range(1, LARGEST_ITEM)),
        lang=env.int("MAX_LANG_BYTES", 64, validate=validate.Range(1, LARGEST_LANG)),
        body=env.int("MAX_BODY_BYTES", 64 * 1024, validate=validate.Range(0, LARGEST_BODY)),
    )


def _serving(env: Env, drain_seconds: float) -> Serving:
    return Serving(
        trusted_hosts=[*ALWAYS_TRUSTED, *_hosts(env)],
        proxy_hops=env.int("PROXY_HOPS", 0, validate=validate.Range(0, 16)),
        port=env.int("PORT", DEFAULT_PORT, validate=validate.Range(1, 65535)),
        workers=env.int("WEB_CONCURRENCY", 2, validate=validate.Range(1, 64)),
        drain_seconds=env.float("DRAIN_SECONDS", drain_seconds, validate=validate.Range(0, 300)),
    )


def _hosts(env: Env) -> list[str]:
    """Host names to trust besides the loopback ones; a leading dot takes the subdomains in.

    Anything but plain names is refused, because a pattern, an address with a scheme or a lone dot
    would be matched otherwise than its author thinks.
    """
    hosts = [host.strip().lower() for host in env.str("TRUSTED_HOSTS", "").split(",")]
    for host in filter(None, hosts):
        if not _HOST.fullmatch(host):
            raise SettingsError(
                f"TRUSTED_HOSTS has {host!r}, which is no host name: give names without scheme, "
                "port or wildcard, separated by commas, such as echo.example.org,.example.net."
            )
    return [host for host in hosts if host]
