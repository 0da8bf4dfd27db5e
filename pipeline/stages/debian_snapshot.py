"""The snapshot of Debian's advisories that the settings name: whether it is there, and still the one of a result.

Apart from what is done with it, because every run asks this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pipeline.core.stage import Metric
from pipeline.errors import ConfigurationError
from pipeline.settings import Build


def check_there(build: Build) -> None:
    """Raises ConfigurationError when the snapshot of Debian's advisories that the settings name is not there."""
    if build.debian_advisories and not Path(build.debian_advisories).is_file():
        raise ConfigurationError(
            f"build.debian_advisories names {build.debian_advisories!r}, and there is no such file.",
            advice="Give the path of OSV's export zip of Debian, or none.",
        )


def still_that(build: Build, metrics: Mapping[str, Metric]) -> bool:
    """Whether a result with these metrics was made with the snapshot that is there now."""
    known = metrics.get("debian_advisories_sha256")
    if not build.debian_advisories:
        return known is None
    try:
        with Path(build.debian_advisories).open("rb") as file:
            return known == hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        # What can't be read any more does not hold; the new run says what is wrong with it.
        return False
