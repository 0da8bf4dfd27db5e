"""``push`` with a real engine and a real registry: what a green one leaves, and that no fault on the way is green."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.containers import ContainerEngine
from pipeline.core.oci_manifest import image_content
from pipeline.core.stage import Examination, Status
from pipeline.core.verdict import conclude
from pipeline.engines.registry_auth import PASSWORD, USERNAME
from pipeline.errors import ConfigurationError, CouldNotTell, RegistryTrouble
from pipeline.settings_push import Push
from pipeline.stages.context import Context
from pipeline.stages.push import PushStage
from tests.container.registry_kit import Bench, bcrypt, build_service, real_engine, registry_with
from tests.fault_proxy import Fault, FaultProxy, corrupt, cut, fault_proxy, header, status

pytestmark = pytest.mark.container

NEEDS = ("test", "build", "smoke", "canary")
SECRET = "-".join(("not", "to", "be", "seen", "anywhere"))


@pytest.fixture(name="engine", scope="module")
def engine_fixture() -> Iterator[ContainerEngine]:
    with real_engine() as engine:
        yield engine


@pytest.fixture(name="image", scope="module")
def image_fixture(engine: ContainerEngine, tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_service(engine, tmp_path_factory.mktemp("image"), "plain")


@pytest.fixture(name="bench")
def bench_fixture(engine: ContainerEngine, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(engine=engine, folder=tmp_path)
    yield bench
    bench.close()


@pytest.fixture(name="upstream", scope="module")
def upstream_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry_with(tmp_path_factory.mktemp("upstream"), lambda configuration: None) as host:
        yield host


@pytest.fixture(name="proxy")
def proxy_fixture(upstream: str, bench: Bench) -> Iterator[FaultProxy]:
    """A proxy before a real registry, which the bench pushes to; each test has a repository of its own."""
    with fault_proxy(upstream) as proxy:
        bench.push = Push(
            registry=proxy.address, repository=f"test/{bench.folder.name.replace('_', '-')}", timeout_s=300
        )
        yield proxy


def push(context: Context) -> tuple[Status, tuple[str, ...], Examination]:
    examination = PushStage(needs=NEEDS).run(context)
    return *conclude(examination), examination


def kept(context: Context) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in context.raw.rglob("*") if path.is_file())


def test_a_rehearsal_leaves_a_verified_tagged_and_remembered_image(bench: Bench, image: str) -> None:
    context = bench.context(image, dirty=True)
    outcome, reasons, examination = push(context)
    assert outcome is Status.PASS, reasons
    assert "This was a rehearsal" in reasons[0]
    metrics = examination.metrics
    assert metrics["image_id"] == image
    assert metrics["registry"] == "rehearsal"
    assert metrics["tags"] == f"1.2.3_local {'c' * 12}-dirty"
    digest = str(metrics["manifest_digest"])
    registry = bench.registries().open()
    manifest = registry.manifest(f"{'c' * 12}-dirty")
    assert manifest is not None and manifest.digest == digest
    content = image_content(manifest)
    assert metrics["bytes_read_back"] == content.size + len(manifest.body)
    assert examination.evidence.expected == examination.evidence.checked
    said = {"signature", "provenance", "test result", "verification summary"}
    assert said < examination.evidence.expected
    assert len(examination.evidence.expected) == 1 + len(content.blobs) + len(said) + 2
    assert metrics["signed"] == "ephemeral key" and "vouches for nobody" in reasons[1]
    assert (context.raw / "signing-key.pub").read_text().startswith("-----BEGIN PUBLIC KEY-----")
    assert [control.caught for control in examination.evidence.controls] == [True]
    assert bench.registries().current_release() == f"{registry.reference}@{digest}"
    assert json.loads((context.raw / "manifest.json").read_text())["config"]["digest"] == image


def test_a_second_push_is_green_too_and_the_release_lasts(bench: Bench, image: str) -> None:
    first = push(bench.context(image))[2]
    bench.close()
    status_again, _, second = push(bench.context(image))
    assert status_again is Status.PASS
    assert second.metrics["manifest_digest"] == first.metrics["manifest_digest"]
    assert first.metrics["bytes_sent"] and second.metrics["bytes_sent"] == 0
    bench.close()
    release = bench.registries().current_release()
    assert release is not None and release.endswith(str(first.metrics["manifest_digest"]))


def test_a_rehearsal_whose_storage_was_emptied_has_no_release(bench: Bench, image: str) -> None:
    push(bench.context(image))
    bench.close()
    (bench.own / "registry").rename(bench.folder / "elsewhere")
    assert bench.registries().current_release() is None


@pytest.mark.parametrize("missing", NEEDS)
def test_nothing_is_pushed_before_every_other_stage_has_passed(bench: Bench, image: str, missing: str) -> None:
    context = bench.context(image)
    results = dict(context.results)
    for wrong in (
        None,
        replace(results[missing], status=Status.FAIL, reasons=("x",)),
        replace(results[missing], snapshot="another"),
    ):
        if wrong is None:
            results.pop(missing)
        else:
            results[missing] = wrong
        with pytest.raises(CouldNotTell, match=f"push needs {missing} to pass"):
            push(replace(context, results=results))
    assert not bench.opened


def test_a_canary_of_a_live_deployment_does_not_count(bench: Bench, image: str) -> None:
    context = bench.context(image)
    live = replace(context.results["canary"], metrics={"mode": "live"})
    with pytest.raises(CouldNotTell, match="live deployment"):
        push(replace(context, results={**context.results, "canary": live}))
    other = replace(context.results["smoke"], metrics={"image_id": "sha256:other"})
    with pytest.raises(CouldNotTell, match="do not speak of one image"):
        push(replace(context, results={**context.results, "smoke": other}))


def test_a_dirty_tree_goes_to_no_real_registry(proxy: FaultProxy, bench: Bench, image: str) -> None:
    with pytest.raises(ConfigurationError, match="not committed"):
        push(bench.context(image, dirty=True))
    assert not proxy.seen


def test_a_real_registry_is_called_one(proxy: FaultProxy, bench: Bench, image: str) -> None:
    outcome, reasons, examination = push(bench.context(image))
    assert outcome is Status.PASS
    assert examination.metrics["registry"] == "real"
    assert "rehearsal" not in reasons[0]
    puts = [path.rpartition("/")[2] for method, path in proxy.seen if method == "PUT" and "/manifests/" in path]
    assert puts == [examination.metrics["manifest_digest"], "1.2.3_local", "c" * 12]
    assert examination.metrics["signed"] == "no"
    assert "Nothing was signed: there is neither push.key_file nor" in reasons[1]
    assert [item.what for item in examination.not_checked] == ["the signature of the image"]


@pytest.mark.parametrize(
    ("part", "fault", "sentence"),
    [
        ("/manifests/sha256", status(404), "took sha256:.* and does not hold it"),
        ("/manifests/sha256", status(500), "answered 500"),
        ("/manifests/sha256", cut, "closed the connection"),
        ("/manifests/sha256", corrupt, "digest"),
        ("/blobs/", cut, "closed the connection"),
        ("/blobs/", corrupt, "the manifest says"),
        ("/blobs/", status(404), "does not hold a blob"),
    ],
)
def test_no_fault_is_green_and_none_moves_a_tag(
    proxy: FaultProxy, bench: Bench, image: str, part: str, fault: Fault, sentence: str
) -> None:
    proxy.spoil("GET", part, fault)
    with pytest.raises(RegistryTrouble, match=sentence):
        push(bench.context(image))
    proxy.faults.clear()
    registry = bench.registries().open()
    assert registry.manifest("1.2.3_local") is None
    assert bench.registries().current_release() is None


def test_a_tag_that_does_not_stay_is_not_green(proxy: FaultProxy, bench: Bench, image: str) -> None:
    proxy.spoil("GET", "/manifests/1.2.3_local", status(404))
    outcome, reasons, examination = push(bench.context(image))
    assert outcome is Status.INCONCLUSIVE
    assert "1.2.3_local" in reasons[0]
    assert examination.evidence.missing == ("1.2.3_local",)
    assert bench.registries().current_release() is None


@pytest.mark.parametrize(
    ("method", "part", "fault"),
    [
        ("PUT", "/manifests/sha256", status(500)),
        ("PATCH", "/blobs/uploads", status(500)),
        ("PUT", "/blobs/uploads", status(403)),
        ("POST", "/blobs/uploads", status(401)),
        ("GET", "/v2/", status(500)),
    ],
)
def test_a_registry_that_fails_during_the_upload_is_trouble(
    proxy: FaultProxy, bench: Bench, image: str, method: str, part: str, fault: Fault
) -> None:
    proxy.spoil(method, part, fault)
    with pytest.raises(RegistryTrouble):
        push(bench.context(image))


def test_a_registry_that_confirms_another_digest_is_trouble(proxy: FaultProxy, bench: Bench, image: str) -> None:
    proxy.spoil("GET", "/manifests/sha256", header("Docker-Content-Digest", "sha256:" + "0" * 64))
    with pytest.raises(RegistryTrouble, match="its header says"):
        push(bench.context(image))


def test_a_pulled_image_that_is_not_ready_is_a_fault_and_gets_no_tag(bench: Bench, engine: ContainerEngine) -> None:
    image = build_service(engine, bench.folder, "not-ready", NOT_READY="1")
    context = bench.context(image)
    smoke = replace(context.settings.smoke, ready_timeout_s=6.0)
    outcome, reasons, examination = push(replace(context, settings=replace(context.settings, smoke=smoke)))
    assert outcome is Status.FAIL
    assert "answer of the pulled image at /readyz" in reasons[0] and "503" in reasons[0]
    assert examination.evidence.missing == ("1.2.3_local", "c" * 12)
    assert bench.registries().open().manifest("1.2.3_local") is None
    assert bench.registries().current_release() is None


def test_a_login_is_used_and_never_seen(bench: Bench, image: str, tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(f"somebody:{bcrypt(SECRET)}\n", encoding="utf-8")

    def locked(configuration: dict[str, Any]) -> None:
        configuration["auth"] = {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}}

    with registry_with(tmp_path / "locked", locked) as host:
        bench.push = Push(registry=host, repository="team/service", timeout_s=300)
        bench.environ = {USERNAME: "somebody", PASSWORD: SECRET}
        context = bench.context(image)
        outcome, reasons, examination = push(context)
        assert outcome is Status.PASS
        shown = f"{reasons} {examination} {kept(context)} {bench.progress.said}"
        assert SECRET not in shown
        assert bench.redact(f"a log line with {SECRET}") == "a log line with [secret]"
        bench.close()
        bench.environ = {USERNAME: "somebody", PASSWORD: SECRET[::-1]}
        with pytest.raises(RegistryTrouble) as caught:
            push(bench.context(image))
        assert "a-wrong-password" not in str(caught.value)
