"""What a project expects of its image, against images that are so and that are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.core.expectations import Seen, expectation_hits
from pipeline.settings_expect import expectations
from pipeline.settings_values import nearest
from tests.image_trees import file_node, folder_node, link_node, tree_of

ELF = b"\x7fELF" + b"\0" * 60
SEEN = Seen(
    user="65532",
    configuration={
        "WorkingDir": "/app", "Cmd": ["run", "it"], "Entrypoint": None, "Env": ["PATH=/bin", "A=1", "EMPTY="],
        "ExposedPorts": {"5000/tcp": {}, "53/udp": {}}, "Volumes": {"/data": {}},
    },
    labels={"title": "a service"},
    tree=tree_of(
        folder_node("app"),
        folder_node("app/private", mode=0o700),
        file_node("app/x", b"first\nsecond 42\n"),
        file_node("bin/run", ELF, mode=0o755),
        file_node("bin/plain", b"text"),
        link_node("bin/it", "run"),
    ),
)  # fmt: skip
X_DIGEST = next(n.sha256 for n in SEEN.tree.files if n.path == "app/x")


def messages(**expected: Any) -> list[str]:
    """What is not as expected."""
    return [hit.message for hit in expectation_hits(expectations(expected, nearest), SEEN)[0]]


@pytest.mark.parametrize(
    "expected",
    [
        {"user": "65532"},
        {"workdir": "/app"},
        {"cmd": ["run", "it"], "entrypoint": []},
        {"environment": {"A": "1", "PATH": {"matches": "^/b"}, "B": False, "EMPTY": ""}},
        {"labels": {"title": "a service", "other": False}},
        {"ports": ["5000", "5000/tcp", "53/udp"], "no_ports": ["22", "53"]},
        {"volumes": ["/data"], "no_volumes": ["/app"]},
        {"commands": ["run", "/bin/it"], "no_commands": ["sh", "plain"]},
        {"files": [{"path": "/app"}, {"path": "/gone", "exists": False}]},
        {"files": [{"path": "/app/x", "mode": "0644", "owner": 0, "group": 0}]},
        {"files": [{"path": "/app/x", "mode": "-rw-r--r--"}, {"path": "/app/private", "mode": "drwx------"}]},
        {"files": [{"path": "/app/x", "content": ["^second", "[0-9]+"], "no_content": ["third"]}]},
        {"files": [{"path": "/app/x", "sha256": X_DIGEST}, {"path": "/bin/it", "target": "run"}]},
        {"files": [{"path": "/bin/run", "executable_by": "other"}]},
    ],
)
def test_an_image_that_is_as_expected_has_no_findings(expected: dict[str, Any]) -> None:
    assert messages(**expected) == []


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"user": "0"}, "The user should be '0', and is '65532'."),
        ({"entrypoint": ["x"]}, "The entrypoint should be ['x'], and is []."),
        ({"environment": {"A": "2"}}, "The variable A should be '2', and is another."),
        ({"environment": {"A": False}}, "The variable A should be not to be set, and is."),
        ({"environment": {"B": {"matches": "x"}}},
         "The variable B should be something that matches 'x', and is not set."),
        ({"labels": {"title": {"matches": "^b"}}},
         "The label title should be something that matches '^b', and is another."),
        ({"ports": ["22"]}, "The port 22 should be there, and is not."),
        ({"no_ports": ["5000"]}, "The port 5000 should be absent, and is there."),
        ({"no_volumes": ["/data"]}, "The volume /data should be absent, and is there."),
        ({"commands": ["sh"]}, "The command sh can't be started: sh is in no folder of /bin."),
        ({"commands": ["plain"]},
         "The command plain can't be started: /bin/plain is no file that can be executed."),
        ({"no_commands": ["it"]}, "The command it should be absent, and can be started."),
        ({"files": [{"path": "/gone"}]}, "/gone should be there, and is not."),
        ({"files": [{"path": "/app/x", "exists": False}]}, "/app/x should be absent, and is there."),
        ({"files": [{"path": "/app/x", "mode": "0600"}]}, "/app/x should have the mode 0600, and has 0644."),
        ({"files": [{"path": "/app/x", "mode": "-rwxr-xr-x"}]},
         "/app/x should have the mode -rwxr-xr-x, and has -rw-r--r--."),
        ({"files": [{"path": "/app/x", "owner": 1}]}, "/app/x should belong to the user 1, and belongs to 0."),
        ({"files": [{"path": "/app/x", "group": 1}]}, "/app/x should belong to the group 1, and belongs to 0."),
        ({"files": [{"path": "/bin/it", "target": "x"}]}, "/bin/it should be a link to x, and leads to run."),
        ({"files": [{"path": "/app/x", "target": "x"}]}, "/app/x should be a link to x, and is none."),
        ({"files": [{"path": "/app/x", "executable_by": "any"}]}, "/app/x should be executable by any, and is not."),
        ({"files": [{"path": "/app/x", "content": ["third"]}]},
         "/app/x should have something that matches 'third' in it, and has not."),
        ({"files": [{"path": "/app/x", "no_content": ["^sec"]}]},
         "/app/x should have nothing that matches '^sec' in it, and has."),
        ({"files": [{"path": "/app/x", "sha256": "0" * 64}]},
         "/app/x should have another content: its SHA-256 is not the expected one."),
        ({"files": [{"path": "/app", "content": ["x"]}]}, "/app should be a file with a content, and is none."),
    ],
)  # fmt: skip
def test_each_difference_is_told(expected: dict[str, Any], message: str) -> None:
    assert messages(**expected) == [message]


def test_every_expectation_is_judged_by_its_name() -> None:
    expected = expectations(
        {"user": "1", "ports": ["1"], "files": [{"path": "/a"}, {"path": "/a", "exists": False}]}, nearest
    )
    assert expectation_hits(expected, SEEN)[1] == set(expected.names)
    assert expected.names == ("user", "port 1", "file /a (1)", "file /a (2)")


def test_a_content_that_was_not_kept_is_no_match() -> None:
    tree = tree_of(replace(file_node("big", b"x"), size=9))
    expected = expectations({"files": [{"path": "/big", "no_content": ["x"]}]}, nearest)
    hits, _ = expectation_hits(expected, replace(SEEN, tree=tree))
    assert [hit.message for hit in hits] == ["/big is too large to look into."]


def test_only_what_is_looked_into_is_read() -> None:
    expected = expectations({"files": [{"path": "/a", "content": ["x"]}, {"path": "/b", "mode": "0644"}]}, nearest)
    assert (expected.reads("a"), expected.reads("b"), bool(expected)) == (True, False, True)
