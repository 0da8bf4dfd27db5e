"""``pipeline engine status|start|stop``: the engine that a run would use, and the one that the pipeline has started."""

from __future__ import annotations

from pipeline.engine_opening import standard_provisioner
from pipeline.engines.discovery import find_endpoint
from pipeline.errors import EngineTrouble
from pipeline.workplace import Workplace


def carry_out(action: str, place: Workplace) -> int:
    """Do it and print what there is to say; returns the exit code (3 when no engine answers).

    Raises:
        EngineTrouble: ``start`` found no engine and may not start one; the message has the command that does.
    """
    provisioner = standard_provisioner(place.environ, place.processes, place.console)
    if action == "stop":
        print(provisioner.stop())
        return 0
    if action == "start":
        with place.console.step("engine"):
            engine = place.ports.engine()
        print(f"{engine.name} {engine.version} answers.")
        engine.close()
        return 0
    print(provisioner.status())
    # Looked for as a run would, but nothing is started to find out.
    search = find_endpoint(place.settings.engine.host, place.environ)
    if search.found is None:
        print(f"No engine answers. Tried: {'; '.join(search.tried)}.")
        return EngineTrouble.exit_code
    print(f"A run uses the engine at {search.found.address}.")
    return 0
