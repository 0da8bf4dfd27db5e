"""What an engine has built, put together anew: the same bytes for the same files, whatever the engine stamped on it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.dockerfile_lines import parse_recipe
from pipeline.errors import EngineTrouble, TargetFault
from pipeline.images.archive import check_archive
from pipeline.images.canonical_configuration import Origin
from pipeline.images.canonical_layers import TIME
from pipeline.images.contents import read_contents
from pipeline.images.reassembly import base_layers, reassembled
from tests.docker_archives import archive

RECIPE = "FROM base\nARG X\nCOPY a /\nWORKDIR /app\nUSER 1\n"


def tarred(*given_members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A layer of these members, as an engine would write it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member in given_members:
            info, content = member if isinstance(member, tuple) else (member, b"")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: Any) -> tarfile.TarInfo:
    """One member; an engine's times are of the day."""
    info = tarfile.TarInfo(name)
    info.type, info.mtime = kind, 1_790_000_000
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def base() -> bytes:
    """The base's only layer."""
    return tarred(
        entry("opt/", tarfile.DIRTYPE, mode=0o755),
        entry("opt/old/", tarfile.DIRTYPE, mode=0o700),
        (entry("usr/bin/python3", mode=0o755), b"python"),
    )


def made(layers: Sequence[bytes], origin: Origin | None = None, config: Mapping[str, Any] | None = None) -> bytes:
    """The canonical archive."""
    out = io.BytesIO()
    origin = origin or Origin(created=0, base_layers=1)
    with reassembled(io.BytesIO(archive([base(), *layers], config)), origin) as image:
        image.write(out, "sample:1")
    out.seek(0)
    assert check_archive(out).image_id == image.id
    return out.getvalue()


def configuration(data: bytes) -> dict[str, Any]:
    """The configuration in an archive."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        config = tar.extractfile(json.load(manifest)[0]["Config"])
        assert config is not None
        document: dict[str, Any] = json.load(config)
        return document


def members(data: bytes, layer: int = 1) -> list[tarfile.TarInfo]:
    """The members of one of its layers."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        with tarfile.open(fileobj=tar.extractfile(json.load(manifest)[0]["Layers"][layer])) as inner:
            return inner.getmembers()


def test_order_times_and_names_of_owners_are_the_engines_affair() -> None:
    one = tarred((entry("app/b", mode=0o644, uid=5), b"b"), (entry("app/a", uname="me", gname="us"), b"a"))
    two = tarred((entry("app/a", mtime=7), b"a"), (entry("./app/b", mode=0o100644, uid=5, mtime=1), b"b"))
    assert made([one]) == made([two])
    found = members(made([one]))
    assert [(info.name, info.mode, info.uid, info.mtime, info.uname) for info in found] == [
        ("app/a", 0o644, 0, TIME, ""),
        ("app/b", 0o644, 5, TIME, ""),
    ]


@given(st.permutations(range(5)), st.integers(0, 2**31))
def test_no_order_and_no_time_gives_another_image(order: list[int], time: int) -> None:
    files = [(entry(f"app/{number}", mtime=time + number), b"x" * number) for number in range(5)]
    plain = [(entry(f"app/{number}"), b"x" * number) for number in range(5)]
    assert made([tarred(*(files[number] for number in order))]) == made([tarred(*plain)])


@pytest.mark.parametrize(
    "changed",
    [
        (entry("app/a", mode=0o600), b"a"),
        (entry("app/a", uid=1), b"a"),
        (entry("app/a", gid=1), b"a"),
        (entry("app/a"), b"b"),
        (entry("app/A"), b"a"),
        entry("app/a", tarfile.SYMTYPE, linkname="b"),
        (entry("app/a", pax_headers={"SCHILY.xattr.user.x": "1"}), b"a"),
    ],
)
def test_what_is_really_another_file_gives_another_image(changed: Any) -> None:
    assert made([tarred((entry("app/a"), b"a"))]) != made([tarred(changed)])


def test_a_folder_that_was_merely_passed_through_is_left_out() -> None:
    with_folder = tarred(entry("opt/", tarfile.DIRTYPE, mode=0o755), (entry("opt/new"), b"x"))
    assert made([with_folder]) == made([tarred((entry("opt/new"), b"x"))])
    other_mode = tarred(entry("opt/", tarfile.DIRTYPE, mode=0o700), (entry("opt/new"), b"x"))
    assert [info.name for info in members(made([other_mode]))] == ["opt", "opt/new"]


def test_a_folder_that_was_deleted_before_is_made_anew() -> None:
    gone = tarred((entry(".wh.opt"), b""))
    again = tarred(entry("opt/", tarfile.DIRTYPE, mode=0o755))
    assert [info.name for info in members(made([gone, again]), 2)] == ["opt"]
    opaque = tarred((entry("opt/.wh..wh..opq"), b""))
    inner = tarred(entry("opt/old/", tarfile.DIRTYPE, mode=0o700))
    assert [info.name for info in members(made([opaque, inner]), 2)] == ["opt/old"]
    replaced = tarred((entry("opt"), b"now a file"))
    assert [info.name for info in members(made([replaced, again]), 2)] == ["opt"]


def test_a_layer_of_which_nothing_is_left_is_no_layer() -> None:
    nothing = tarred(entry("opt/", tarfile.DIRTYPE, mode=0o755))
    with_file = tarred((entry("app/a"), b"a"))
    assert configuration(made([with_file, nothing]))["rootfs"] == configuration(made([with_file]))["rootfs"]


def test_several_names_of_one_file_stay_so_whichever_came_first() -> None:
    one = tarred((entry("z"), b"same"), entry("a", tarfile.LNKTYPE, linkname="z"), (entry("b"), b"other"))
    two = tarred((entry("b"), b"other"), (entry("a"), b"same"), entry("z", tarfile.LNKTYPE, linkname="a"))
    assert made([one]) == made([two])
    assert [(info.name, info.linkname) for info in members(made([one]))] == [("a", ""), ("b", ""), ("z", "a")]
    held = read_contents(io.BytesIO(made([one])))
    assert held.files["z"].sha256 == held.files["a"].sha256


@pytest.mark.parametrize(("folder", "target"), [("x" * 99, "t" * 140), ("d" * 90 + "/" + "e" * 180, "short")])
def test_what_ustar_has_no_room_for_is_kept_whole(folder: str, target: str) -> None:
    link = entry(f"{folder}/link", tarfile.SYMTYPE, linkname=target)
    found = members(made([tarred(link, (entry(f"{folder}/file"), b"x"))]))
    assert [(info.name, info.linkname) for info in found] == [(f"{folder}/file", ""), (f"{folder}/link", target)]


def test_attributes_are_kept() -> None:
    capable = entry("app/a", pax_headers={"SCHILY.xattr.user.note": "é", "mtime": "12.5"})
    (found,) = members(made([tarred((capable, b"a"))]))
    assert {k: v for k, v in found.pax_headers.items() if k.startswith("SCHILY")} == {"SCHILY.xattr.user.note": "é"}


@pytest.mark.parametrize(
    "bad", [entry("dev/null", tarfile.CHRTYPE), entry("p", tarfile.FIFOTYPE), entry("h", tarfile.LNKTYPE, linkname="x")]
)
def test_a_device_a_pipe_and_a_link_into_another_layer_are_refused(bad: tarfile.TarInfo) -> None:
    with pytest.raises(TargetFault, match=f"/{bad.name}, which is no file"):
        made([tarred(bad)])


def test_a_base_that_is_not_what_its_name_says_is_trouble() -> None:
    with pytest.raises(EngineTrouble, match="not the one that the configuration names"):
        made([], config={"rootfs": {"diff_ids": ["sha256:" + "0" * 64]}})
    for data in (b"", b"nothing", archive([])[:700]):
        with pytest.raises(EngineTrouble, match="can't be read"), reassembled(io.BytesIO(data), Origin(created=0)):
            pass


def test_the_layers_of_the_base_are_recognised() -> None:
    assert base_layers(("a", "b", "c"), ("a", "b")) == 2
    assert base_layers(("a", "b"), ("b",)) == 0
    assert base_layers((), ("a",)) == 0


STEPS = [
    {"created": "2026-01-01T00:00:00Z", "created_by": "pipeline base"},
    {"created": "now", "created_by": "/bin/sh -c #(nop)  ARG X", "empty_layer": True},
    {"created": "now", "created_by": "/bin/sh -c #(nop) COPY file:5d in /"},
    {"created": "now", "created_by": "/bin/sh -c #(nop) WORKDIR /app"},
    {"created": "now", "created_by": "/bin/sh -c #(nop)  USER 1", "empty_layer": True},
]
LAYERS = (tarred((entry("a"), b"a")), tarred(entry("opt/", tarfile.DIRTYPE, mode=0o755)))


def with_recipe(**fields: Any) -> Origin:
    """Where the sample recipe's image comes from."""
    instructions = parse_recipe(RECIPE).last_stage[1:]
    return Origin(**{"created": 1_767_225_600, "base_layers": 1, "instructions": instructions, **fields})


def test_the_configuration_holds_what_runs_an_image_and_nothing_of_its_making() -> None:
    told = {
        "config": {"Hostname": "a1b2", "Image": "sha256:x", "User": "1", "Env": ["A=b"], "Cmd": None, "OnBuild": None},
        "container": "c0ffee",
        "container_config": {"Hostname": "a1b2"},
        "docker_version": "20.10.24",
        "created": "2026-11-22T22:00:00Z",
        "history": STEPS,
        "variant": "v8",
    }
    found = configuration(made(LAYERS, with_recipe(), told))
    assert found["config"] == {"User": "1", "Env": ["A=b"]}
    assert found["created"] == "2026-01-01T00:00:00Z"
    assert set(found) == {"architecture", "config", "created", "history", "os", "rootfs", "variant"}


def test_the_history_tells_the_recipe_and_which_step_made_a_layer() -> None:
    found = configuration(made(LAYERS, with_recipe(), {"history": STEPS}))["history"]
    assert [(step["created_by"], step.get("empty_layer", False)) for step in found] == [
        ("pipeline base", False),
        ("ARG X", True),
        ("COPY a /", False),
        ("WORKDIR /app", True),
        ("USER 1", True),
    ]
    assert {step["created"] for step in found} == {"2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("steps", [None, STEPS[:2], [*STEPS, STEPS[-2]]])
def test_a_history_of_another_builder_is_not_guessed_at(steps: list[dict[str, Any]] | None) -> None:
    found = configuration(made(LAYERS, with_recipe(), {"history": steps}))["history"]
    assert [step["created_by"] for step in found] == ["the base", "layer 1 of the recipe", "layer 2 of the recipe"]
    assert [step.get("empty_layer", False) for step in found] == [False, False, True]


def test_labels_of_the_base_about_itself_are_not_the_images() -> None:
    title, version, source = (f"org.opencontainers.image.{name}" for name in ("title", "version", "source"))
    of_the_base = {title: "the base", version: "7", "pipeline.base": "runtime"}
    told = {**of_the_base, version: "1.2", source: "", "mine": ""}
    origin = with_recipe(base_labels=of_the_base, labels={title: "service", version: "9", "empty": ""})
    found = configuration(made(LAYERS, origin, {"config": {"Labels": told}}))["config"]["Labels"]
    assert found == {title: "service", version: "1.2", "pipeline.base": "runtime", "mine": ""}
