# /// script
# requires-python = ">=3.11"
# dependencies = ["nox>=2026.10.20", "docker>=7.1", "lxml>=5.3", "msgspec>=0.19", "packaging>=24.2", "requests>=2.32", "uv>=0.9"]
# ///
"""The pipeline of the echo service, one session a stage; plus the project's own tests (selftest) and the renewal of locks."""

import sys
from pathlib import Path

import nox

# A user's own Nox knows nothing of this checkout's package; the block above brings what the package needs.
sys.path.insert(0, str(Path(__file__).parent))

from pipeline import nox_sessions  # noqa: E402 - after the path is set

nox.options.error_on_missing_interpreters = True

nox_sessions.register()
