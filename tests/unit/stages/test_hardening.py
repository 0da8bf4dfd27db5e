"""Restrictions as a real engine reports them: an answer of one, and the same with a looseness planted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.stages.hardening import control, restriction_names, restrictions
from tests.support import FIXTURES

HARDENED: dict[str, Any] = json.loads((FIXTURES / "docker" / "inspect_hardened.json").read_text(encoding="utf-8"))


def test_a_hardened_container_has_them_all() -> None:
    assert [found.what for found in restrictions(HARDENED) if not found.holds] == []
    assert {found.name for found in restrictions(HARDENED)} == restriction_names()


def test_one_that_has_ended_is_judged_by_what_it_was_to_publish() -> None:
    ended = {**HARDENED, "State": {"Running": False}, "NetworkSettings": {"Ports": {}}}
    assert all(found.holds for found in restrictions(ended))
    assert control(ended).caught


def test_every_check_objects_to_a_loose_container() -> None:
    assert control(HARDENED).caught
    assert [found.what for found in restrictions(HARDENED) if not found.holds] == []


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ({"CapDrop": ["NET_RAW"]}, "every capability dropped"),
        ({"SecurityOpt": []}, "no new privileges"),
        ({"SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]}, "system calls filtered and confined"),
        ({"MemorySwap": -1}, "no swap beyond the memory limit"),
        ({"NetworkMode": "container:x"}, "no namespace of the host"),
        ({"Tmpfs": {"/tmp": "rw,nosuid"}}, "nothing executable or set-id in writable memory"),  # nosec B108 - in it
        ({"ReadonlyRootfs": None}, "read-only root file system"),
        ({"RestartPolicy": {"Name": "always"}}, "no restart"),
        ({"PortBindings": {"5000/tcp": [{}], "1/tcp": [{}]}}, "one published port"),
        ({"VolumesFrom": ["other"]}, "no volume of another container"),
        ({"CgroupParent": "/docker"}, "no control group of others"),
        ({"MaskedPaths": []}, "paths of the kernel masked"),
        ({"ReadonlyPaths": None}, "paths of the kernel read-only"),
        ({"OomKillDisable": True}, "ended when its memory is used up"),
    ],
)
def test_each_looseness_is_seen(host: dict[str, Any], what: str) -> None:
    changed = {**HARDENED, "HostConfig": {**HARDENED["HostConfig"], **host}}
    assert [found.what for found in restrictions(changed) if not found.holds] == [what]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"Engine": {"SecurityOptions": ["name=apparmor"]}}, "system calls filtered by the engine"),
        ({"Engine": {"SecurityOptions": ["name=seccomp,profile=unconfined"]}}, "system calls filtered by the engine"),
        ({"Engine": None}, "system calls filtered by the engine"),
        ({"Config": {**HARDENED["Config"], "Healthcheck": {"Test": ["NONE"]}}}, "health check"),
        ({"Config": {**HARDENED["Config"], "Healthcheck": None}}, "health check"),
        (
            {"Mounts": [{"Type": "volume", "Destination": "/data", "Propagation": "rshared"}]},
            "no mount shared with the host",
        ),
        (
            {"NetworkSettings": {"Ports": {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}]}}},
            "no privileged port of the host",
        ),
    ],
)
def test_what_is_told_beside_the_host_configuration_is_seen_too(changes: dict[str, Any], what: str) -> None:
    assert [found.what for found in restrictions({**HARDENED, **changes}) if not found.holds] == [what]
