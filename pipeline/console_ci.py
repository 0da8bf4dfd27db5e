"""What a CI system's log understands: a foldable group for each stage, and annotations.

Sources: https://docs.github.com/actions/reference/workflow-commands-for-github-actions and
https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections. GitHub's groups can't be nested, and a failure
within a closed one is not seen, so what a stage came to stands behind its group.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pipeline.core.safe_text import for_log

_NAME = re.compile(r"[^A-Za-z0-9_.-]")
# The three commands that annotate; a colon or a comma within a property is escaped (@actions/core, escapeProperty).
_ANNOTATION = re.compile(r"::(?:error|warning|notice)(?: [A-Za-z]+=[^:,]*(?:,[A-Za-z]+=[^:,]*)*)?::.+")


class Groups(Protocol):
    """How a CI system folds lines; the title is one line of safe text."""

    @property
    def annotates(self) -> bool:
        """Whether the system reads GitHub's annotations."""
        ...

    def opened(self, name: str, title: str) -> str:
        """The line that opens a group."""
        ...

    def closed(self, name: str) -> str:
        """The line that closes it."""
        ...


@dataclass(frozen=True, slots=True)
class GitHubGroups:
    """GitHub Actions."""

    annotates: bool = True

    def opened(self, name: str, title: str) -> str:
        """The line that opens a group."""
        del name
        return f"::group::{title.replace('%', '%25')}"

    def closed(self, name: str) -> str:
        """The line that closes it."""
        del name
        return "::endgroup::"


@dataclass(frozen=True, slots=True)
class GitLabGroups:
    """GitLab CI: its sections have a name, and the times at which they begin and end (in seconds since 1970)."""

    annotates: bool = False

    def opened(self, name: str, title: str) -> str:
        """The line that opens a section, folded."""
        return f"\x1b[0Ksection_start:{time.time():.0f}:{_section(name)}[collapsed=true]\r\x1b[0K{title}"

    def closed(self, name: str) -> str:
        """The line that closes it."""
        return f"\x1b[0Ksection_end:{time.time():.0f}:{_section(name)}\r\x1b[0K"


def groups_of(environ: Mapping[str, str]) -> Groups | None:
    """The groups of the CI system that this process runs in, if it has any."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return GitHubGroups()
    return GitLabGroups() if environ.get("GITLAB_CI") == "true" else None


def is_annotation(line: str) -> bool:
    """Whether the line is one workflow command of GitHub that annotates, and does nothing else."""
    # Behind its own first character nothing in it may be a command either, nor anything that can't be seen.
    return _ANNOTATION.fullmatch(line) is not None and for_log(f".{line}") == f".{line}"


def _section(name: str) -> str:
    """Letters, numbers, and the characters _, . and - are what a section's name may have."""
    return f"pipeline_{_NAME.sub('_', name)}"
