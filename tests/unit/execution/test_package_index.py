"""pip's settings, said again in uv's words: what reaches packages with pip reaches them with uv."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from pipeline.execution.package_index import uv_environment


def _translated(folder: Path, text: str, environ: dict[str, str] | None = None) -> dict[str, str]:
    (folder / "pip.conf").write_text(text, encoding="utf-8")
    return uv_environment(environ or {}, (folder / "pip.conf",))


def test_a_mirror_with_its_certificate_is_used(tmp_path: Path) -> None:
    text = (
        "[global]\nindex-url = https://mirror/simple\ncert = /ca.pem\nclient-cert = /me.pem\n"
        "proxy = http://proxy:3128\ntrusted-host =\n    mirror\n    other\n"
    )
    assert _translated(tmp_path, text) == {
        "UV_DEFAULT_INDEX": "https://mirror/simple",
        "SSL_CERT_FILE": "/ca.pem",
        "SSL_CLIENT_CERT": "/me.pem",
        "ALL_PROXY": "http://proxy:3128",
        "UV_INSECURE_HOST": "mirror other",
    }


def test_several_indexes_are_all_looked_at_as_pip_does(tmp_path: Path) -> None:
    result = _translated(tmp_path, "[global]\nextra_index_url = https://a/simple\n  https://b/simple\n")
    assert result == {"UV_INDEX": "https://a/simple https://b/simple", "UV_INDEX_STRATEGY": "unsafe-best-match"}


def test_places_that_are_not_there_are_left_out_and_others_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "with space").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    there = f"file://{tmp_path}/with%20space"
    result = _translated(tmp_path, f"[global]\nfind-links = wheels /not/there ~/wheels {there} file:///not/there\n")
    assert result == {"UV_FIND_LINKS": f"{tmp_path}/wheels,{tmp_path}/wheels,{there}"}
    assert not _translated(tmp_path, "[global]\nextra-index-url = /not/there\n")


def test_the_more_specific_wins(tmp_path: Path) -> None:
    sections = ("global", "install", "other")
    text = "".join(f"[{section}]\nindex-url = https://{section}\n" for section in sections)
    assert _translated(tmp_path, text) == {"UV_DEFAULT_INDEX": "https://install"}
    environ = {"PIP_INDEX_URL": "https://variable", "PIP_NO_INDEX": "true", "PIP_CERT": ""}
    assert _translated(tmp_path, text, environ) == {"UV_DEFAULT_INDEX": "https://variable", "UV_NO_INDEX": "1"}


def test_what_is_set_for_uv_already_stays(tmp_path: Path) -> None:
    environ = {"UV_DEFAULT_INDEX": "https://uv", "SSL_CERT_FILE": "/own.pem", "UV_OFFLINE": "1"}
    result = _translated(tmp_path, "[global]\nindex-url = https://pip\ncert = /ca.pem\n", environ)
    assert result == {"UV_DEFAULT_INDEX": "https://uv", "UV_OFFLINE": "1"}


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_certificates_that_pip_takes_from_requests_are_taken(variable: str) -> None:
    assert uv_environment({variable: "/bundle.pem"}, ()) == {"SSL_CERT_FILE": "/bundle.pem"}


@pytest.mark.parametrize("value", ["0", "false", "no", ""])
def test_an_index_that_is_not_turned_off_is_used(value: str) -> None:
    assert not uv_environment({"PIP_NO_INDEX": value}, ())


def test_pips_files_are_read_in_pips_order(tmp_path: Path) -> None:
    places = {
        "xdg/pip/pip.conf": "system",
        "home/.pip/pip.conf": "legacy",
        "home/.config/pip/pip.conf": "user",
        "venv/pip.conf": "venv",
        "own.conf": "named",
    }
    environ = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_DIRS": str(tmp_path / "xdg")}
    for path, name in places.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"[global]\nindex-url = https://{name}\n", encoding="utf-8")
    assert uv_environment(environ)["UV_DEFAULT_INDEX"] == "https://user"
    assert uv_environment({**environ, "VIRTUAL_ENV": str(tmp_path / "venv")})["UV_DEFAULT_INDEX"] == "https://venv"
    named = {**environ, "PIP_CONFIG_FILE": str(tmp_path / "own.conf")}
    assert uv_environment(named)["UV_DEFAULT_INDEX"] == "https://named"
    assert not uv_environment({**environ, "PIP_CONFIG_FILE": os.devnull})


@pytest.mark.parametrize("text", ["index-url = https://u:{}@x\n", "[global]\na = 1\na = 2\n", "[global\n"])
def test_a_damaged_file_is_refused_and_not_quoted(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="pip's configuration can't be read") as caught:
        _translated(tmp_path, text.replace("{}", "hidden"))
    assert "hidden" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_bytes(b"[global]\nindex-url = \xff\n")
    with pytest.raises(ConfigurationError, match="pip's configuration"):
        uv_environment({}, (tmp_path / "pip.conf",))
