"""``pipeline engine status|start|stop``: the engine that a run would use, and the one that the pipeline has started."""

from __future__ import annotations

from pipeline.engine_opening import prepare_engine
from pipeline.errors import EngineTrouble
from pipeline.workplace import Workplace


def carry_out(action: str, place: Workplace) -> int:
    """Do it and print what there is to say; returns the exit code (3 when no engine answers).

    Raises:
        EngineTrouble: ``start`` found no engine and may not start one; the message has the command that does.
    """
    provisioner = prepare_engine(place.processes, place.console)
    if action == "stop":
        print(provisioner.stop())
        return 0
    if action == "start":
        engine = place.ports.engine()
        print(f"{engine.name} {engine.version} answers.")
        engine.close()
        return 0
    print(provisioner.status())
    return _found(place)


def _found(place: Workplace) -> int:
    """Which engine a run would use; nothing is started to find out."""
    from pipeline.engine_opening import open_existing  # pylint: disable=import-outside-toplevel

    try:
        engine = open_existing(place.settings.engine, place.environ, place.console)
    except EngineTrouble as trouble:
        print(trouble)
        return trouble.exit_code
    print(f"A run uses {engine.name} {engine.version}.")
    engine.close()
    return 0
