"""The loopback server answers in full or with an error, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline.core.advisories import AdvisoryIndex, AdvisorySource
from pipeline.errors import StorageTrouble
from pipeline.execution.advisories import read_export
from pipeline.execution.osv_server import OsvServer, served
from tests.advisory_exports import advisory, jinja_records, write_export


@pytest.fixture(name="export")
def fixture_export(tmp_path: Path) -> Path:
    """A snapshot with a vulnerability of jinja2, and three of "many"."""
    many = [advisory(f"X-{n}", "many", fixed=f"{n}.0") for n in (2, 3, 4)]
    return write_export(tmp_path / "all.zip", *jinja_records(), *many, advisory("ODD-1", "odd", fixed="1.0-n5"))


@pytest.fixture(name="server")
def fixture_server(export: Path) -> Iterator[OsvServer]:
    """A server that is listening."""
    with OsvServer(read_export(export)) as server:
        yield server


def query(name: str, version: str, **more: object) -> dict[str, Any]:
    """What pip-audit sends."""
    return {"package": {"name": name, "ecosystem": "PyPI"}, "version": version, **more}


def ask(server: AdvisorySource, body: object, **options: Any) -> requests.Response:
    """A query, as JSON unless it is bytes already."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with requests.Session() as session:
        session.trust_env = False
        return session.post(server.url, data=data, timeout=10, **options)


def test_a_vulnerable_version_gets_one_record_for_each_vulnerability(server: OsvServer) -> None:
    answer = ask(server, query("Jinja2", "2.10"))
    (record,) = answer.json()["vulns"]
    assert answer.status_code == 200
    assert (record["id"], record["aliases"]) == ("PYSEC-2021-66", ["CVE-2020-28493", "GHSA-g3rq-g295-4j3m"])
    (affected,) = record["affected"]
    assert affected["package"] == {"ecosystem": "PyPI", "name": "jinja2"}
    assert {"fixed": "2.11.3"} in affected["ranges"][0]["events"]
    assert record["modified"] == "2026-01-01T00:00:00Z"


def test_a_version_without_vulnerabilities_gets_an_empty_object(server: OsvServer) -> None:
    assert ask(server, query("jinja2", "3.1.6")).json() == {}
    assert ask(server, query("never-heard-of", "1.0")).json() == {}


def test_fixed_versions_that_pip_audit_would_stumble_over_are_left_out(server: OsvServer) -> None:
    (record,) = ask(server, query("odd", "0.5")).json()["vulns"]
    assert record["affected"][0]["ranges"][0]["events"] == [{"introduced": "0"}]


def test_what_was_asked_is_remembered_in_its_normal_spelling(server: OsvServer) -> None:
    assert server.answered == frozenset()
    ask(server, query("Foo_Bar", "1.0-1"))
    ask(server, query("jinja2", "2.10"))
    assert server.answered == {"foo-bar==1.0.post1", "jinja2==2.10"}
    assert server.faults == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"\xff",
        {},
        {"package": {"name": "jinja2"}, "version": "1.0"},
        {"package": {"name": "jinja2", "ecosystem": "npm"}, "version": "1.0"},
        {"package": {"name": 7, "ecosystem": "PyPI"}, "version": "1.0"},
        {"package": {"name": "", "ecosystem": "PyPI"}, "version": "1.0"},
        {"package": "jinja2", "version": "1.0"},
        {"package": {"name": "jinja2", "ecosystem": "PyPI"}},
        query("jinja2", "not a version"),
        query("jinja2", "2.10", page_token="7"),
        query("jinja2", "2.10", page_token=7),
        {"commit": "6879efc2c1596d11a6a6ad296f80063b558d5e0f"},
    ],
)
def test_what_cannot_be_answered_is_an_error_and_never_an_empty_answer(server: OsvServer, body: object) -> None:
    answer = ask(server, body)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert server.answered == frozenset()


def test_other_paths_methods_and_sizes_are_refused(server: OsvServer) -> None:
    base = server.url.removesuffix("/v1/query")
    with requests.Session() as session:
        session.trust_env = False
        assert session.post(f"{base}/v1/querybatch", data=b"{}", timeout=10).status_code == 404
        assert session.get(server.url, timeout=10).status_code == 501
    for body, status in ((iter([b"{}"]), 411), (b" " * 70_000, 413)):
        # What is not read may end the connection before the client sees the answer; both are errors to it.
        with contextlib.suppress(requests.ConnectionError):
            assert requests.post(server.url, data=body, timeout=10, proxies={"http": ""}).status_code == status
    assert server.answered == frozenset()


def test_pages_are_handed_out_to_the_end_before_a_package_counts_as_answered(export: Path) -> None:
    with OsvServer(read_export(export), page_size=2) as server:
        first = ask(server, query("many", "1.0")).json()
        assert [v["id"] for v in first["vulns"]] == ["X-2", "X-3"]
        assert server.answered == frozenset()
        second = ask(server, query("many", "1.0", page_token=first["next_page_token"])).json()
        assert [v["id"] for v in second["vulns"]] == ["X-4"]
        assert "next_page_token" not in second
        assert server.answered == {"many==1.0"}
        assert ask(server, query("many", "1.0", page_token="9")).status_code == 400


def test_by_default_everything_comes_on_one_page(server: OsvServer) -> None:
    assert len(ask(server, query("many", "1.0")).json()["vulns"]) == 3


def test_many_clients_are_answered_at_once(server: OsvServer) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: statuses.append(ask(server, query(f"package-{n}", "1.0")).status_code))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 20
    assert len(server.answered) == 20


class _Broken(AdvisoryIndex):
    """An index that fails when it is asked."""

    def vulnerabilities(self, name: str, version: str) -> Any:
        """Fail."""
        raise ZeroDivisionError(f"{name} {version}")


def test_a_fault_of_the_server_ends_the_connection_and_is_told(export: Path, capfd: pytest.CaptureFixture[str]) -> None:
    index = read_export(export)
    broken = _Broken(by_package=index.by_package, sha256=index.sha256, newest=index.newest, count=index.count)
    with OsvServer(broken) as server:
        with pytest.raises(requests.ConnectionError):
            ask(server, query("jinja2", "2.10"))
        assert server.answered == frozenset()
    assert "ZeroDivisionError" in server.faults[0]
    assert capfd.readouterr() == ("", "")


def test_after_its_end_nothing_listens_and_nothing_was_printed(export: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with served(export) as server:
        port = int(server.url.rpartition(":")[2].partition("/")[0])
        assert ask(server, query("jinja2", "2.10")).status_code == 200
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert "osv-server" not in {thread.name for thread in threading.enumerate()}
    assert capfd.readouterr() == ("", "")


def test_a_snapshot_that_cannot_be_believed_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "all.zip").write_bytes(b"nothing")
    with pytest.raises(StorageTrouble), served(tmp_path / "all.zip"):
        pytest.fail("it was served")
