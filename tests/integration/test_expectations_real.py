"""What is expected of an image, judged by us and by container-structure-test: both say the same of the same archive."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.expectations import Seen, expectation_hits
from pipeline.images.layers import read_tree
from pipeline.settings_expect import expectations
from pipeline.settings_values import nearest
from tests.docker_archives import Member, layer

CONFIGURATION: dict[str, Any] = {
    "User": "65532:65532",
    "WorkingDir": "/app",
    "Env": ["PATH=/usr/bin", "MODE=Production", "LONG=abc123"],
    "Cmd": ["run", "it"],
    "ExposedPorts": {"5000/tcp": {}},
    "Volumes": {"/data": {}},
    "Labels": {"title": "a service", "version": "1.2.3"},
}
FILES: tuple[Member, ...] = (
    ("app", None, 0o755),
    ("app/a.py", b"APP = 1\nsecond line\n", 0o644),
    ("app/private", b"x", 0o600),
    ("usr", None, 0o755),
    ("usr/bin", None, 0o755),
    ("usr/bin/run", b"#!/bin/x\n", 0o755),
    ("usr/bin/link", "run"),
    ("tmp", None, 0o1777),
)
# Ours, the kind of theirs, theirs. Owners are not among them: from an archive theirs can't tell any.
# Of the metadata they tell one result, so what must differ stands alone.
FILE_PAIRS: tuple[tuple[dict[str, Any], str, dict[str, Any]], ...] = (
    ({"path": "/app/a.py"}, "fileExistenceTests", {"path": "/app/a.py", "shouldExist": True}),
    ({"path": "/gone"}, "fileExistenceTests", {"path": "/gone", "shouldExist": True}),
    ({"path": "/gone", "exists": False}, "fileExistenceTests", {"path": "/gone", "shouldExist": False}),
    ({"path": "/app", "exists": False}, "fileExistenceTests", {"path": "/app", "shouldExist": False}),
    ({"path": "/app/a.py", "mode": "-rw-r--r--"}, "fileExistenceTests",
     {"path": "/app/a.py", "shouldExist": True, "permissions": "-rw-r--r--"}),
    ({"path": "/app/private", "mode": "-rw-r--r--"}, "fileExistenceTests",
     {"path": "/app/private", "shouldExist": True, "permissions": "-rw-r--r--"}),
    ({"path": "/app", "mode": "drwxr-xr-x"}, "fileExistenceTests",
     {"path": "/app", "shouldExist": True, "permissions": "drwxr-xr-x"}),
    ({"path": "/usr/bin/run", "executable_by": "any"}, "fileExistenceTests",
     {"path": "/usr/bin/run", "shouldExist": True, "isExecutableBy": "any"}),
    ({"path": "/app/a.py", "executable_by": "owner"}, "fileExistenceTests",
     {"path": "/app/a.py", "shouldExist": True, "isExecutableBy": "owner"}),
    ({"path": "/app/a.py", "content": ["APP = [0-9]", "second"]}, "fileContentTests",
     {"path": "/app/a.py", "expectedContents": ["APP = [0-9]", "second"]}),
    ({"path": "/app/a.py", "content": ["third"]}, "fileContentTests",
     {"path": "/app/a.py", "expectedContents": ["third"]}),
    ({"path": "/app/a.py", "no_content": ["third"]}, "fileContentTests",
     {"path": "/app/a.py", "excludedContents": ["third"]}),
    ({"path": "/app/a.py", "no_content": ["second"]}, "fileContentTests",
     {"path": "/app/a.py", "excludedContents": ["second"]}),
)  # fmt: skip
METADATA_PAIRS: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"user": "65532:65532", "workdir": "/app", "cmd": ["run", "it"], "ports": ["5000"], "volumes": ["/data"],
      "environment": {"MODE": "Production", "LONG": {"matches": "^abc[0-9]+$"}, "NONE": False},
      "labels": {"title": "a service", "version": {"matches": "^1[.]"}}, "no_ports": ["22"], "no_volumes": ["/x"]},
     {"user": "65532:65532", "workdir": "/app", "cmd": ["run", "it"], "exposedPorts": ["5000"], "volumes": ["/data"],
      "envVars": [{"key": "MODE", "value": "Production"}, {"key": "LONG", "value": "^abc[0-9]+$", "isRegex": True}],
      "unboundEnvVars": [{"key": "NONE"}], "unexposedPorts": ["22"], "unmountedVolumes": ["/x"],
      "labels": [{"key": "title", "value": "a service"}, {"key": "version", "value": "^1[.]", "isRegex": True}]}),
    ({"user": "0"}, {"user": "0"}),
    ({"workdir": "/"}, {"workdir": "/"}),
    ({"cmd": ["run"]}, {"cmd": ["run"]}),
    ({"ports": ["80"]}, {"exposedPorts": ["80"]}),
    ({"no_volumes": ["/data"]}, {"unmountedVolumes": ["/data"]}),
    ({"environment": {"MODE": "Other"}}, {"envVars": [{"key": "MODE", "value": "Other"}]}),
    ({"labels": {"title": {"matches": "^b"}}}, {"labels": [{"key": "title", "value": "^b", "isRegex": True}]}),
)  # fmt: skip


@pytest.fixture(name="archive", scope="module")
def _archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image as an engine would export it."""
    tar = layer(*FILES)
    diff_id = f"sha256:{hashlib.sha256(tar).hexdigest()}"
    configuration = json.dumps(
        {"architecture": "amd64", "os": "linux", "config": CONFIGURATION,
         "rootfs": {"type": "layers", "diff_ids": [diff_id]}, "history": [{"created_by": "COPY"}]}
    ).encode()  # fmt: skip
    name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": ["sample:1"], "Layers": ["layer.tar"]}]).encode()
    path = tmp_path_factory.mktemp("image") / "image.tar"
    members = (("manifest.json", manifest, 0o644), (name, configuration, 0o644), ("layer.tar", tar, 0o644))
    path.write_bytes(layer(*members))
    return path


def ours(archive: Path, expected: dict[str, Any]) -> bool:
    """Whether we find the image as expected."""
    told = expectations(expected, nearest)
    with archive.open("rb") as stream:
        tree = read_tree(stream, told.reads)
    seen = Seen(user=CONFIGURATION["User"], configuration=CONFIGURATION, labels=CONFIGURATION["Labels"], tree=tree)
    return not expectation_hits(told, seen)[0]


def theirs(archive: Path, document: dict[str, Any]) -> dict[str, bool]:
    """What container-structure-test says of each of the document's tests, by name."""
    path = archive.with_name("tests.yaml")
    path.write_text(yaml.safe_dump({"schemaVersion": "2.0.0", **document}), encoding="utf-8")
    program = Path(sys.executable).with_name("container-structure-test")
    ended = subprocess.run(
        [str(program), "test", "--driver=tar", f"--image={archive}", f"--config={path}", "--output=json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    results = json.loads(ended.stdout)["Results"]
    return {result["Name"].rpartition(" ")[2]: result["Pass"] for result in results}


def test_both_say_the_same_of_files(archive: Path) -> None:
    document: dict[str, Any] = {}
    for number, (_, kind, test) in enumerate(FILE_PAIRS):
        document.setdefault(kind, []).append({"name": str(number), **test})
    agreed = {str(number): ours(archive, {"files": [pair[0]]}) for number, pair in enumerate(FILE_PAIRS)}
    assert theirs(archive, document) == agreed
    assert {True, False} <= set(agreed.values())


@pytest.mark.parametrize(("expected", "metadata"), METADATA_PAIRS)
def test_both_say_the_same_of_the_configuration(
    archive: Path, expected: dict[str, Any], metadata: dict[str, Any]
) -> None:
    (said,) = theirs(archive, {"metadataTest": metadata}).values()
    assert ours(archive, expected) is said is (expected is METADATA_PAIRS[0][0])
