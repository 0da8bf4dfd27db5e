"""The restrictions of a running container, read from the engine's own description of it and not from what was asked
for.

The checks follow section 5 ("Container Runtime") of the CIS Docker Benchmark. What the image decides (its user) is the
target's fault when it is wrong; all others are the engine's doing, so a missing one means that the trial was not what
it should be.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.core.evidence import Control

_LOOPBACK = ("127.0.0.1", "::1")
_FIRST_FREE_PORT = 1024
_USER = re.compile(r"(\d+)(:\d+)?")
Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """One restriction: what it is, whether it holds, and what the engine says about it. ``of_image``: the image decides
    it.
    """

    what: str
    holds: bool
    found: str
    of_image: bool = False

    @property
    def name(self) -> str:
        """How the evidence calls it."""
        return f"restriction: {self.what}"


@dataclass(frozen=True, slots=True)
class _Check:
    what: str
    see: Callable[[Answer], Any]
    holds: Callable[[Any], bool]
    of_image: bool = False


def _host(answer: Answer, key: str) -> Any:
    return answer["HostConfig"].get(key)


def _bound_addresses(answer: Answer) -> list[str]:
    """Where ports are published; of a container that has ended, where they were to be."""
    running = (answer.get("State") or {}).get("Running", True)
    ports = (answer["NetworkSettings"].get("Ports") if running else _host(answer, "PortBindings")) or {}
    return sorted({binding["HostIp"] for bindings in ports.values() for binding in bindings or ()})


def _host_namespaces(answer: Answer) -> list[str]:
    modes = ("NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode")
    return [mode for mode in modes if str(_host(answer, mode) or "").startswith(("host", "container:"))]


def _mounts(answer: Answer) -> list[str]:
    """Places of the host that the container sees, the engine's socket among them."""
    return sorted(str(m.get("Source")) for m in answer.get("Mounts") or () if m.get("Type") in ("bind", "npipe"))


def _loose_tmpfs(answer: Answer) -> list[str]:
    mounted = _host(answer, "Tmpfs") or {}
    return sorted(path for path, options in mounted.items() if not {"noexec", "nosuid"} <= set(options.split(",")))


def _health_check(answer: Answer) -> list[str]:
    return [str(part) for part in (answer["Config"].get("Healthcheck") or {}).get("Test") or ()]


def _published(answer: Answer) -> list[str]:
    """The ports that are published, as the container has them."""
    ports = _host(answer, "PortBindings") or {}
    return sorted(name for name, bindings in ports.items() if bindings)


def _host_ports(answer: Answer) -> list[int]:
    """Where they are on the host; of a container that has ended, nowhere any more."""
    ports = (answer["NetworkSettings"].get("Ports") or {}).values()
    return sorted(int(binding["HostPort"]) for bindings in ports for binding in bindings or ())


def _shared_mounts(answer: Answer) -> list[str]:
    mounts = answer.get("Mounts") or ()
    return sorted(str(m.get("Destination")) for m in mounts if "shared" in str(m.get("Propagation") or ""))


def _system_call_filter(answer: Answer) -> list[str]:
    """What the engine says of itself: a container's own description does not name the engine's default profile."""
    options = (answer.get("Engine") or {}).get("SecurityOptions") or ()
    return [str(option) for option in options if "seccomp" in str(option)]


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and value > 0


_CHECKS = (
    _Check(
        "a numeric user that is not root",
        lambda a: a["Config"].get("User") or "root",
        lambda user: bool((match := _USER.fullmatch(user)) and int(match[1])),
        of_image=True,
    ),
    _Check("read-only root file system", lambda a: _host(a, "ReadonlyRootfs"), lambda found: found is True),
    _Check(
        "every capability dropped", lambda a: _host(a, "CapDrop") or [], lambda found: "ALL" in found or "all" in found
    ),
    _Check("no capability added", lambda a: _host(a, "CapAdd") or [], lambda found: not found),
    _Check("not privileged", lambda a: _host(a, "Privileged"), lambda found: found is False),
    _Check(
        "no new privileges",
        lambda a: _host(a, "SecurityOpt") or [],
        lambda found: any(
            o in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true") for o in found
        ),
    ),
    _Check(
        "system calls filtered and confined",
        lambda a: _host(a, "SecurityOpt") or [],
        lambda found: not any("unconfined" in option or option == "label=disable" for option in found),
    ),
    _Check("memory limit", lambda a: _host(a, "Memory"), _is_positive),
    _Check(
        "no swap beyond the memory limit",
        lambda a: (_host(a, "MemorySwap"), _host(a, "Memory")),
        lambda found: found[0] == found[1] and _is_positive(found[0]),
    ),
    _Check("processor limit", lambda a: _host(a, "NanoCpus") or _host(a, "CpuQuota"), _is_positive),
    _Check("limit of processes", lambda a: _host(a, "PidsLimit"), _is_positive),
    _Check(
        "port on the loopback interface only",
        _bound_addresses,
        lambda found: bool(found) and all(address in _LOOPBACK for address in found),
    ),
    _Check("no namespace of the host", _host_namespaces, lambda found: not found),
    _Check("nothing of the host mounted", _mounts, lambda found: not found),
    _Check("no device of the host", lambda a: _host(a, "Devices") or [], lambda found: not found),
    _Check("nothing executable or set-id in writable memory", _loose_tmpfs, lambda found: not found),
    _Check(
        "system calls filtered by the engine",
        _system_call_filter,
        lambda found: bool(found) and not any("unconfined" in option for option in found),
    ),
    _Check(
        "health check",
        _health_check,
        lambda found: bool(found) and found[0] != "NONE",
        of_image=True,
    ),
    _Check("one published port", _published, lambda found: len(found) == 1),
    _Check(
        "no privileged port of the host",
        _host_ports,
        lambda found: all(port >= _FIRST_FREE_PORT for port in found),
    ),
    _Check("no mount shared with the host", _shared_mounts, lambda found: not found),
    _Check("no volume of another container", lambda a: _host(a, "VolumesFrom") or [], lambda found: not found),
    _Check("no control group of others", lambda a: _host(a, "CgroupParent") or "", lambda found: not found),
    _Check("paths of the kernel masked", lambda a: _host(a, "MaskedPaths") or [], bool),
    _Check("paths of the kernel read-only", lambda a: _host(a, "ReadonlyPaths") or [], bool),
    _Check("ended when its memory is used up", lambda a: _host(a, "OomKillDisable"), lambda found: not found),
    _Check("no restart", lambda a: (_host(a, "RestartPolicy") or {}).get("Name") or "no", lambda found: found == "no"),
)


def restrictions(answer: Answer) -> tuple[Restriction, ...]:
    """Every restriction, as the engine's answer to an inspection shows it."""
    result = []
    for check in _CHECKS:
        found = check.see(answer)
        result.append(Restriction(what=check.what, holds=check.holds(found), found=str(found), of_image=check.of_image))
    return tuple(result)


def restriction_names() -> frozenset[str]:
    """The names of all that must be seen."""
    return frozenset(f"restriction: {check.what}" for check in _CHECKS)


def control(answer: Answer) -> Control:
    """The same answer with everything loosened: every check must object."""
    loose = copy.deepcopy(dict(answer))
    loose["Config"]["User"] = "0:0"
    loose["State"] = {"Running": True}
    loose["Config"]["Healthcheck"] = {"Test": ["NONE"]}
    loose["Engine"] = {"SecurityOptions": ["name=apparmor"]}
    loose["Mounts"] = [
        {"Type": "bind", "Source": "/var/run/docker.sock", "Destination": "/s", "Propagation": "rshared"}
    ]
    # Planted faults and places in a container, not on this machine, which is what bandit takes them for.
    loose["NetworkSettings"]["Ports"] = {"1/tcp": [{"HostIp": "0.0.0.0", "HostPort": "1"}]}  # nosec B104
    loose["HostConfig"].update(
        ReadonlyRootfs=False,
        CapDrop=None,
        CapAdd=["SYS_ADMIN"],
        Privileged=True,
        SecurityOpt=["seccomp=unconfined"],
        Memory=0,
        MemorySwap=-1,
        NanoCpus=0,
        CpuQuota=0,
        PidsLimit=None,
        NetworkMode="host",
        Devices=[{"PathOnHost": "/dev/mem"}],
        Tmpfs={"/tmp": "rw"},  # nosec B108 - a planted fault
        RestartPolicy={"Name": "always"},
        PortBindings={"1/tcp": [{"HostIp": "", "HostPort": "1"}], "2/tcp": [{"HostIp": "", "HostPort": "2"}]},
        VolumesFrom=["other"],
        CgroupParent="/",
        MaskedPaths=[],
        ReadonlyPaths=[],
        OomKillDisable=True,
    )
    caught = not any(found.holds for found in restrictions(loose))
    return Control(tool="the hardening check", planted="container without any restriction", caught=caught)
