"""Which image was released last from this checkout, and to where: one small file below the state folder.

It is written only after every tag has moved and been read back, so a push that was cut leaves the earlier release
in force.
"""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.core.oci_manifest import is_digest
from pipeline.core.ports import Clock
from pipeline.errors import StorageTrouble
from pipeline.execution.files import write_atomically


class ReleaseFile:
    """Fulfils :class:`pipeline.core.releases.Releases` with a JSON file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def last(self, place: str) -> str | None:
        """The manifest digest that was released last to ``place``, or none.

        Raises:
            StorageTrouble: the file is damaged. It is written atomically, so somebody else did that.
        """
        record = self._read().get(place)
        return record["digest"] if record else None

    def every(self) -> frozenset[str]:
        """The digests of the current releases, of whatever place. Raises StorageTrouble as :meth:`last` does."""
        return frozenset(record["digest"] for record in self._read().values())

    def record(self, place: str, digest: str) -> None:
        """From now on ``digest`` is the current release in ``place``.

        Raises:
            StorageTrouble: the file can't be written, or is damaged.
        """
        releases = self._read()
        releases[place] = {"digest": digest, "released": self._clock.now().isoformat(timespec="seconds")}
        write_atomically(self._path, json.dumps(releases, indent=2, sort_keys=True) + "\n")

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            sound = isinstance(found, dict) and all(is_digest(record["digest"]) for record in found.values())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError):
            sound = False
        if not sound:
            raise StorageTrouble(
                f"The record of releases, {self._path.name}, can't be read.",
                advice=f"Remove {self._path}: the next canary is then judged as a first release.",
            )
        releases: dict[str, dict[str, str]] = found
        return releases
