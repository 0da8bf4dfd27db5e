"""A hardened container of a Docker engine: how it is asked for, watched, stopped and removed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import docker
from docker.errors import APIError, NotFound

from pipeline.core.container import TMP
from pipeline.core.containers import ContainerEnded, ContainerRequest, ContainerState, Executed, Usage
from pipeline.core.secret_forms import MASK
from pipeline.engines.control_groups import used_by
from pipeline.engines.docker_faults import explanation, nothing_to_start, speaking, status_of, tail
from pipeline.errors import EngineTrouble, TargetFault

LOOPBACK = "127.0.0.1"
_MEBIBYTE = 1024 * 1024
_PORT_WAIT_S = 10.0
_POLL_S = 0.1
_AFTER_KILL_S = 10.0
_CONFLICT = 409
_FREEZES = 8


def start_hardened(client: docker.APIClient, request: ContainerRequest) -> DockerContainer:
    """Create and start it; one that can't be started is removed again.

    Raises:
        TargetFault: the image names nothing that can be started.
        EngineTrouble: the engine refused or failed.
    """
    with speaking(f"create the container {request.name}"):
        # The proxies of a Docker client's configuration would become part of the container's environment: not wanted.
        created = client.create_container(
            request.image,
            name=request.name,
            ports=[request.port],
            environment={**request.environment, **request.secrets},
            labels=dict(request.labels),
            host_config=_restrictions(client, request),
            use_config_proxy=False,
        )
    container = DockerContainer(client, str(created["Id"]), request)
    try:
        with speaking(f"start the container {request.name}"):
            client.start(container.id)
    except EngineTrouble as trouble:
        container.remove()
        if nothing_to_start(trouble.why):
            raise TargetFault("The image could not be started.", why=f"The engine says: {trouble.why}") from trouble
        raise
    except BaseException:
        container.remove()
        raise
    return container


def _restrictions(client: docker.APIClient, request: ContainerRequest) -> Any:
    """The CIS Docker Benchmark's section 5 as far as a client asks for it.

    No init process is put in front: what ships must itself handle SIGTERM as process 1, and that is what is to be seen.
    """
    memory = request.memory_mb * _MEBIBYTE
    tmp = {TMP: f"rw,noexec,nosuid,nodev,size={request.tmp_mb}m,mode=1777"}
    return client.create_host_config(
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        pids_limit=request.pids,
        mem_limit=memory,
        memswap_limit=memory,
        nano_cpus=int(request.cpus * 1e9),
        tmpfs=tmp if request.tmp_mb else None,
        dns=list(request.nameservers) or None,
        mounts=[
            docker.types.Mount(target=inside, source=str(file), type="bind", read_only=True)
            for inside, file in request.files.items()
        ],
        shm_size=request.shm_mb * _MEBIBYTE,
        ipc_mode="private",
        port_bindings={request.port: (LOOPBACK, None)},
        restart_policy={"Name": "no"},
        # The engine's default may send logs where they can't be read back.
        log_config=docker.types.LogConfig(type="json-file", config={"max-size": "16m", "max-file": "1"}),
    )


class DockerContainer:
    """A container that was started by us."""

    def __init__(self, client: docker.APIClient, identity: str, request: ContainerRequest) -> None:
        self._client = client
        self._id = identity
        self._request = request
        self._base_url = ""

    @property
    def id(self) -> str:
        """The engine's id of it."""
        return self._id

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:<port>``; engines may take a moment to publish it.

        Raises:
            ContainerEnded: it is not running any more, so it has no port.
            EngineTrouble: it runs, and the engine published no port.
        """
        give_up = time.monotonic() + _PORT_WAIT_S
        while not self._base_url:
            answer = self._inspect()
            published = (answer["NetworkSettings"].get("Ports") or {}).get(f"{self._request.port}/tcp") or []
            ports = [
                binding["HostPort"]
                for binding in published
                if binding.get("HostIp") == LOOPBACK and binding.get("HostPort")
            ]
            if ports:
                self._base_url = f"http://{LOOPBACK}:{ports[0]}"
            elif not (state := _state(answer)).running:
                raise ContainerEnded(
                    f"The container ended with exit code {state.exit_code} before it could be asked.",
                    why=tail(self.logs()),
                )
            elif time.monotonic() > give_up:
                raise EngineTrouble(
                    f"The engine did not publish port {self._request.port} within {_PORT_WAIT_S:.0f} seconds."
                )
            else:
                time.sleep(_POLL_S)
        return self._base_url

    def state(self) -> ContainerState:
        """What it does now."""
        return _state(self._inspect())

    def logs(self) -> str:
        """All that it wrote, both streams, with the values of secrets masked."""
        with speaking(f"read the log of the container {self._request.name}"):
            return str(
                self._masked(self._client.logs(self._id, stdout=True, stderr=True).decode("utf-8", "backslashreplace"))
            )

    def usage(self) -> Usage:
        """What it has used: one reading, since the second that the engine's own rates need would be traffic lost.

        By the kernel's account where that is within reach, since the engine's is up to a second old.
        """
        near = used_by(self._id, self._inspect()["State"].get("Pid", 0))
        if near is not None:
            return near
        with speaking(f"measure the container {self._request.name}"):
            answer: dict[str, Any] = self._client.stats(self._id, stream=False, one_shot=True)
        memory = answer.get("memory_stats") or {}
        details = memory.get("stats") or {}
        # As `docker stats` does it: total_inactive_file is version 1 of control groups, inactive_file is version 2.
        cached = details.get("total_inactive_file", details.get("inactive_file", 0))
        nanoseconds = ((answer.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage", 0)
        return Usage(cpu_s=nanoseconds / 1e9, memory_bytes=max(0, int(memory.get("usage", 0)) - int(cached)))

    def inspect(self) -> dict[str, Any]:
        """The engine's own answer, with the values of secrets masked; below ``Engine`` what it says of itself."""
        answer: dict[str, Any] = self._masked(self._inspect())
        with speaking("describe the engine"):
            options = self._client.info().get("SecurityOptions")
        return {**answer, "Engine": {"SecurityOptions": options}}

    def stop(self, timeout_s: float) -> ContainerState:
        """SIGTERM, wait at most so long, then SIGKILL; the state after that (137 is a kill).

        The signal is sent as such, and not through the engine's stop call, which would send the image's own STOPSIGNAL
        and knows whole seconds only.
        """
        self._signal("SIGTERM")
        state = self._wait_for_end(timeout_s)
        if state.running:
            self._signal("SIGKILL")
            state = self._wait_for_end(_AFTER_KILL_S)
        return state

    def kill(self) -> ContainerState:
        """SIGKILL; the state after that."""
        self._signal("SIGKILL")
        return self._wait_for_end(_AFTER_KILL_S)

    def start_again(self) -> None:
        """Start it anew after its end. Its port may be another then; what it had written is gone."""
        self._base_url = ""
        with speaking(f"start the container {self._request.name} again"):
            self._client.start(self._id)

    def pause(self) -> None:
        """Freeze all its processes, until the next signal for it (:meth:`stop`, :meth:`kill`).

        On a busy machine runc gives up on some attempts ("unable to freeze", cgroup v1), so there are several.
        """
        for left in reversed(range(_FREEZES)):
            try:
                with speaking(f"pause the container {self._request.name}"):
                    self._client.pause(self._id)
                return
            except EngineTrouble as trouble:
                if not left or "unable to freeze" not in str(trouble):
                    raise
            time.sleep(_POLL_S)

    def execute(self, argv: Sequence[str]) -> Executed:
        """Run a program in it, beside its own, as its own user. Raises EngineTrouble when it can't be started."""
        with speaking(f"run {argv[0]} in the container {self._request.name}"):
            started = self._client.exec_create(self._id, list(argv))
            output = self._client.exec_start(started["Id"])
            code = self._client.exec_inspect(started["Id"])["ExitCode"]
        text = str(self._masked(output.decode("utf-8", "backslashreplace")))
        # 126 and 127 are the engine's own words for a program that can't be started; its reason is in the output.
        if code in (126, 127) or code is None:
            raise EngineTrouble(f"{argv[0]} could not be run in the container.", why=tail(text))
        return Executed(exit_code=int(code), output=text)

    def remove(self) -> None:
        """Kill it if it runs, and forget it, with the volumes that it alone had. Never raises for one that is gone."""
        remove_container(self._client, self._id)

    def _wait_for_end(self, timeout_s: float) -> ContainerState:
        give_up = time.monotonic() + timeout_s
        while (state := self.state()).running and time.monotonic() < give_up:
            time.sleep(_POLL_S)
        return state

    def _signal(self, name: str) -> None:
        with speaking(f"send {name} to the container {self._request.name}"):
            try:
                self._client.kill(self._id, name)
            except APIError as error:
                # It has ended by itself in the meantime.
                if status_of(error) != _CONFLICT and "is not running" not in explanation(error):
                    raise
            self._resume()

    def _resume(self) -> None:
        """A paused container gets its signal when it runs on.

        The engine resumes it by itself for some signals, and describes it as paused for a moment longer; who resumes it
        then is refused, by the engine ("is not paused") or by its runtime ("cannot resume a running process").
        """
        for _ in range(_FREEZES):
            if not self._inspect()["State"].get("Paused"):
                return
            try:
                self._client.unpause(self._id)
                return
            except APIError as error:
                running = ("is not paused", "cannot resume a running")
                if status_of(error) != _CONFLICT and not any(said in explanation(error) for said in running):
                    raise
            time.sleep(_POLL_S)
        raise EngineTrouble(f"The container {self._request.name} is still paused after its signal.")

    def _inspect(self) -> dict[str, Any]:
        with speaking(f"describe the container {self._request.name}"):
            answer: dict[str, Any] = self._client.inspect_container(self._id)
            return answer

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            for secret in filter(None, self._request.secrets.values()):
                value = value.replace(secret, MASK)
            return value
        if isinstance(value, dict):
            return {key: self._masked(item) for key, item in value.items()}
        return [self._masked(item) for item in value] if isinstance(value, list) else value


def remove_container(client: docker.APIClient, identity: str) -> bool:
    """Remove a container by force; false when it was gone already, or is being removed by somebody else."""
    with speaking("remove a container"):
        try:
            client.remove_container(identity, force=True, v=True)
        except NotFound:
            return False
        except APIError as error:
            if status_of(error) != _CONFLICT:
                raise
            return False
    return True


def _state(answer: dict[str, Any]) -> ContainerState:
    state = answer["State"]
    return ContainerState(
        status=str(state["Status"]),
        exit_code=int(state["ExitCode"]),
        out_of_memory=bool(state.get("OOMKilled")),
        health=str((state.get("Health") or {}).get("Status", "")),
    )
