"""Which settings the environment gives, which it can't, and that no secret shows itself."""

import dataclasses
import importlib
import json
import logging
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from flask import Flask

from service import settings
from service.factory import create_app
from service.settings import Config, Development, Production, Secret, SettingsError, load

LogLines = Callable[[], list[dict[str, Any]]]

pytestmark = pytest.mark.unit

EXAMPLE = Path(settings.__file__).with_name(".env.example")
ABSENT = Path("service", "absent.env")
# In the order of the fields of settings.Credentials.
SECRETS = ("KEY_PROD", "DATABASE_URI_PROD", "REDIS_CACHE_URI", "AWS_ACCESS_KEY", "AWS_SECRET_KEY")


@pytest.fixture(autouse=True, name="bare")
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start from an environment that says nothing."""
    for name in dotenv_values(EXAMPLE):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("development", Development),
        ("DEVELOPMENT", Development),
        ("Testing", settings.Testing),
        (" production ", Production),
    ],
)
def test_the_mode_is_chosen_in_any_case(monkeypatch: pytest.MonkeyPatch, name: str, mode: type[Config]) -> None:
    """MODE_CONFIG names the class."""
    monkeypatch.setenv("MODE_CONFIG", name)
    monkeypatch.setenv("KEY_PROD", secrets.token_urlsafe())
    assert isinstance(load(ABSENT), mode)


def test_the_mode_defaults_to_development() -> None:
    """And has a value for everything."""
    config = load(ABSENT)
    assert isinstance(config, Development)
    assert config.serving.trusted_hosts == ["localhost", "127.0.0.1"]
    assert (config.serving.port, config.serving.proxy_hops) == (5000, 0)
    assert not config.credentials.secret_key


@pytest.mark.parametrize("name", ["prod", "", "Config", "develop\nment"])
def test_an_unknown_mode_is_refused_with_the_list(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """An empty name too: falling back to Development would be a quiet downgrade."""
    monkeypatch.setenv("MODE_CONFIG", name)
    with pytest.raises(SettingsError, match="development, testing, production"):
        load(ABSENT)


@pytest.mark.parametrize("key", [None, "", "  "])
def test_production_does_not_start_without_its_key(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    """Another mode's key is no substitute."""
    monkeypatch.setenv("MODE_CONFIG", "production")
    monkeypatch.setenv("KEY_DEVL", secrets.token_urlsafe())
    if key is not None:
        monkeypatch.setenv("KEY_PROD", key)
    with pytest.raises(SettingsError, match="KEY_PROD"):
        load(ABSENT)


@pytest.mark.parametrize(("mode", "suffix"), [("development", "DEVL"), ("testing", "TEST"), ("production", "PROD")])
def test_each_mode_reads_its_own_values(monkeypatch: pytest.MonkeyPatch, mode: str, suffix: str) -> None:
    """Never those of another."""
    for name in ("DEVL", "TEST", "PROD"):
        monkeypatch.setenv(f"KEY_{name}", f"key of {name}")
        monkeypatch.setenv(f"DATABASE_URI_{name}", f"database of {name}")
    monkeypatch.setenv("MODE_CONFIG", mode)
    credentials = load(ABSENT).credentials
    assert credentials.secret_key == f"key of {suffix}"
    assert credentials.database_uri == f"database of {suffix}"


def test_a_missing_file_is_a_warning(log_lines: LogLines) -> None:
    """It names the file, and the values come from the environment."""
    load(ABSENT)
    (line,) = log_lines()
    assert line["level"] == "WARNING"
    assert "service/absent.env" in line["msg"]


def test_the_environment_wins_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, log_lines: LogLines
) -> None:
    """The file fills in what the environment leaves out, without entering it."""
    dotenv = tmp_path / ".env"
    key = secrets.token_urlsafe()
    dotenv.write_text(f"MODE_CONFIG=testing\nKEY_TEST={key}\nPORT=6000\n")
    monkeypatch.setenv("PORT", "7000")
    config = load(dotenv)
    assert isinstance(config, settings.Testing)
    assert config.credentials.secret_key == key
    assert config.serving.port == 7000
    assert not log_lines()
    assert "KEY_TEST" not in os.environ


def test_the_example_is_complete_and_changes_nothing() -> None:
    """Every line of it is a setting that exists, and its values are the defaults."""
    assert load(EXAMPLE) == load(ABSENT)


@pytest.mark.parametrize("mode", settings.MODES)
def test_the_example_names_every_setting(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Found by watching which names are asked for."""
    asked = set()

    class Watched(dict[str, str]):
        """An environment that takes note."""

        def __getitem__(self, name: str) -> str:
            asked.add(name)
            return super().__getitem__(name)

    environment = Watched(MODE_CONFIG=mode, KEY_PROD=secrets.token_urlsafe())
    monkeypatch.setattr(os, "environ", environment)
    load(ABSENT)
    assert asked <= dotenv_values(EXAMPLE).keys()
    suffix = settings.MODES[mode].SUFFIX
    own = {name for name in dotenv_values(EXAMPLE) if not name.endswith(("_DEVL", "_TEST", "_PROD"))}
    assert asked == own | {f"KEY_{suffix}", f"DATABASE_URI_{suffix}"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", ""),
        ("PROXY_HOPS", "-1"),
        ("MAX_ITEM_BYTES", "2049"),
        ("MAX_LANG_BYTES", "0"),
        ("MAX_BODY_BYTES", "1048577"),
        ("DRAIN_SECONDS", "-0.5"),
        ("DRAIN_SECONDS", "nan"),
        ("WEB_CONCURRENCY", "0"),
        ("TRUSTED_HOSTS", "*"),
        ("TRUSTED_HOSTS", "."),
        ("TRUSTED_HOSTS", "good.example, https://bad.example"),
        ("TRUSTED_HOSTS", "bad.example:80"),
    ],
)
def test_an_impossible_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Before anything runs."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load(ABSENT)


def test_further_hosts_are_trusted_besides_the_loopback_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Host names have no case."""
    monkeypatch.setenv("TRUSTED_HOSTS", "Echo.example.org, .example.net,")
    assert load(ABSENT).serving.trusted_hosts == [
        "localhost",
        "127.0.0.1",
        "echo.example.org",
        ".example.net",
    ]


def test_no_secret_is_ever_printed(monkeypatch: pytest.MonkeyPatch, log_lines: LogLines) -> None:
    """Not by the settings, not by the application, not in the log; yet the values are there."""
    values = {name: secrets.token_hex() for name in SECRETS}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MODE_CONFIG", "production")
    config = load(ABSENT)
    app = create_app(config)
    shown = f"{config} {config!r} {vars(config)} {app.config} {dict(app.config)!r}"
    for name, field in zip(SECRETS, dataclasses.fields(settings.Credentials), strict=True):
        secret = getattr(config.credentials, field.name)
        shown += f"{secret} {secret!r} {secret!s} {secret:>20}"
        logging.getLogger("service.test").warning("%s %r", secret, secret)
        assert secret == values[name]
    shown += str(log_lines())
    assert not [name for name, value in values.items() if value in shown]
    assert "<secret, set>" in shown
    assert app.secret_key == values["KEY_PROD"]


def test_a_secret_says_whether_it_is_set() -> None:
    """Which is what one asks when something does not start."""
    assert str(Secret("")) == "<secret, not set>"
    assert str(Secret(secrets.token_hex())) == "<secret, set>"


def test_the_application_is_where_servers_look_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """``service.app:APP``, made from the environment once for the whole process."""
    monkeypatch.setenv("MODE_CONFIG", "testing")
    monkeypatch.delitem(sys.modules, "service.app", raising=False)
    settings.current.cache_clear()
    module = importlib.import_module("service.app")
    try:
        assert isinstance(module.APP, Flask)
        assert module.APP.config["SETTINGS"].MODE == "testing"
        assert settings.current() is settings.current()
        assert module.create_app is create_app
        assert json.loads(module.APP.test_client().get("/healthz").data) == {"status": "ok"}
    finally:
        settings.current.cache_clear()
