"""Which engine a run gets, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import engine_opening
from pipeline.core.containers import ContainerEngine
from pipeline.engines.discovery import REFUSED, Endpoint, Search
from pipeline.errors import EngineTrouble
from pipeline.execution.engine_process import EnginePlace
from pipeline.execution.provisioning import Provisioner
from pipeline.settings import Engine
from pipeline.testing import ScriptedRunner, SilentProgress
from tests.fake_dockerd import fake_dockerd

STANDARD = "unix:///var/run/docker.sock"


class FakeProvisioner:
    """A Provisioner that counts its starts."""

    def __init__(self, obstacle: str = "") -> None:
        self.obstacle = obstacle
        self.advice = "Run: the command."
        self.starts = 0

    def start(self) -> None:
        """Count."""
        self.starts += 1


@pytest.fixture(name="provisioner")
def _provisioner(monkeypatch: pytest.MonkeyPatch) -> FakeProvisioner:
    provisioner = FakeProvisioner()
    monkeypatch.setattr(engine_opening, "standard_provisioner", lambda *_: provisioner)
    return provisioner


def search_finding(monkeypatch: pytest.MonkeyPatch, *searches: Search) -> None:
    """The searches' results in turn."""
    results = iter(searches)
    monkeypatch.setattr(engine_opening, "find_endpoint", lambda *_: next(results))


def opened(settings: Engine) -> ContainerEngine:
    """What a run gets."""
    return engine_opening.open_engine(settings, {}, ScriptedRunner([]), SilentProgress())


NOWHERE = Search(found=None, tried=("unix:///a (there is no such socket)",))


def test_an_engine_that_answers_is_taken(tmp_path: Path) -> None:
    progress = SilentProgress()
    with fake_dockerd(tmp_path / "docker.sock"):
        settings = Engine(host=f"unix://{tmp_path}/docker.sock")
        engine = engine_opening.open_engine(settings, {}, ScriptedRunner([]), progress)
        assert engine.version == "20.10.24"
        engine.close()
    assert progress.said == [f"container engine at {settings.host}, from the setting engine.host"]


def test_none_and_not_allowed_to_make_one_names_every_place_and_the_command(
    monkeypatch: pytest.MonkeyPatch, provisioner: FakeProvisioner
) -> None:
    search_finding(monkeypatch, NOWHERE)
    with pytest.raises(EngineTrouble) as caught:
        opened(Engine())
    assert caught.value.why == 'Tried: unix:///a (there is no such socket). engine.provision is "never".'
    assert caught.value.advice == "Run: the command."
    assert provisioner.starts == 0


def test_none_and_unable_to_make_one_says_why(monkeypatch: pytest.MonkeyPatch, provisioner: FakeProvisioner) -> None:
    provisioner.obstacle = "Only root can."
    search_finding(monkeypatch, NOWHERE)
    with pytest.raises(EngineTrouble, match="Only root can"):
        opened(Engine(provision="auto"))


def test_an_engine_that_the_user_named_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, provisioner: FakeProvisioner
) -> None:
    search_finding(monkeypatch, Search(found=None, tried=("tcp://x (silent)",), explicit="tcp://x"))
    with pytest.raises(EngineTrouble, match="that was named does not answer"):
        opened(Engine(provision="auto"))
    assert provisioner.starts == 0


@pytest.mark.parametrize("explicit", ["", STANDARD])
def test_where_it_is_allowed_one_is_started(
    monkeypatch: pytest.MonkeyPatch, provisioner: FakeProvisioner, tmp_path: Path, explicit: str
) -> None:
    with fake_dockerd(tmp_path / "docker.sock"):
        found = Search(found=Endpoint(address=f"unix://{tmp_path}/docker.sock", named_by="the test"), tried=())
        search_finding(monkeypatch, Search(found=None, tried=(), explicit=explicit), found)
        opened(Engine(provision="auto")).close()
    assert provisioner.starts == 1


def test_one_that_was_started_and_does_not_answer_is_trouble(
    monkeypatch: pytest.MonkeyPatch, provisioner: FakeProvisioner
) -> None:
    search_finding(monkeypatch, NOWHERE, NOWHERE)
    with pytest.raises(EngineTrouble, match="that was started does not answer"):
        opened(Engine(provision="auto"))
    assert provisioner.starts == 1


def test_an_engine_that_this_user_may_not_use_is_not_started_again(
    monkeypatch: pytest.MonkeyPatch, provisioner: FakeProvisioner
) -> None:
    search_finding(monkeypatch, Search(found=None, tried=(f"{STANDARD} ({REFUSED})",)))
    with pytest.raises(EngineTrouble, match="usermod -aG docker"):
        opened(Engine(provision="auto"))
    assert provisioner.starts == 0


def test_the_standard_place_is_below_run() -> None:
    provisioner = engine_opening.standard_provisioner({}, ScriptedRunner([]), SilentProgress())
    assert isinstance(provisioner, Provisioner)
    assert EnginePlace.standard().folder == Path("/run/pipeline-engine")
