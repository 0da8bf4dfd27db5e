"""What an image is held to: the list of rules, each with its severity, its reason, its source, and what to do.

``CIS-DI-…``, ``DKL-DI-…`` and ``DKL-LI-…`` are the ids of dockle (github.com/goodwithtech/dockle, CHECKPOINT.md), so
that whoever knows it finds them again; ``CIS 4.x`` is the point of the CIS Docker Benchmark, section 4 ("Container
Images and Build File"). ``IMG-…`` are our own. How a rule is judged is in ``image_configuration_rules`` and
``image_file_rules``, and for packages, layers and expectations in ``pipeline/stages/image_*.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.finding import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: ``title`` is what is demanded, ``reason`` why, ``source`` where that comes from, ``fix`` what to do."""

    id: str
    severity: Severity
    title: str
    reason: str
    source: str
    fix: str
    cwe: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A rule that an image does not keep. ``message`` is a sentence without anything that changes with each build.

    Where it comes from: ``path`` and ``layer`` in the image, or the ``keyword`` of an instruction (``about`` is a word
    in it), or a ``line`` of the recipe, or one of the ``lock``.
    """

    rule: str
    message: str
    path: str = ""
    layer: int = 0
    keyword: str = ""
    about: str = ""
    line: int = 0
    lock: int = 0
    package: str = ""
    version: str = ""


_HIGH, _MEDIUM, _LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW

_LIST: tuple[tuple[str, Severity, str, str, str, str, tuple[int, ...]], ...] = (
    ("CIS-DI-0001", _HIGH, "The image runs as a numeric user that is not root",
     "Who breaks out of the service is who it runs as; a name may be mapped to root by the image's own /etc/passwd.",
     "CIS 4.1; dockle", "End the Dockerfile with USER and a number that is not 0.", (250,)),
    ("CIS-DI-0006", _MEDIUM, "The image has a health check",
     "Without one an engine takes a process that hangs for one that works.", "CIS 4.6; dockle",
     "Add HEALTHCHECK with a command that asks the service.", ()),
    ("CIS-DI-0007", _LOW, "Package lists are fetched where packages are installed, and not by an instruction alone",
     "A cached list makes later builds install old versions.", "CIS 4.7; dockle",
     "Join update and install in one RUN.", ()),
    ("CIS-DI-0008", _HIGH, "No file changes the user or the group of who starts it",
     "Set-user-id programs are the usual way from a small hole to root.", "CIS 4.8; dockle",
     "Remove the file, or take its bits away with chmod a-s in the stage that makes it.", (250,)),
    ("CIS-DI-0009", _LOW, "Files come by COPY, not by ADD",
     "ADD also fetches from the network and unpacks archives, and nobody sees which.", "CIS 4.9; dockle",
     "Use COPY.", ()),
    ("CIS-DI-0010", _HIGH, "No variable and no file of the image is a credential",
     "Whoever has the image has what is in it, and an image goes to many.", "CIS 4.10; dockle",
     "Take it out, revoke it where it is valid, and give it to the container when it starts.", (798,)),
    ("DKL-DI-0001", _MEDIUM, "There is no sudo", "It is there to become root.", "dockle",
     "Do as root what must be before USER, and remove sudo.", (250,)),
    ("DKL-DI-0002", _HIGH, "No volume lies over /dev, /proc or /sys",
     "Through them a container reaches the kernel of its host.", "dockle", "Take the VOLUME out.", (668,)),
    ("DKL-DI-0003", _LOW, "The distribution is not upgraded by the recipe",
     "What that installs depends on the day, so nobody can build the image again.", "dockle",
     "Take a newer base image.", ()),
    ("DKL-DI-0005", _LOW, "Package managers have left no lists and caches",
     "They are of no use at run time, and tell an attacker what is old.", "dockle",
     "Remove them in the RUN that made them, or work in an earlier stage.", ()),
    ("DKL-DI-0006", _MEDIUM, "Each base image is named by a version or a digest, not by 'latest'",
     "What 'latest' means changes without a change to the recipe.", "dockle; hadolint DL3006, DL3007",
     "Name a version, better a digest.", (1357,)),
    ("DKL-LI-0001", _HIGH, "No account has an empty password", "Anybody can become that user.", "dockle",
     "Lock the account: '*' or '!' in /etc/shadow.", (258,)),
    ("DKL-LI-0002", _MEDIUM, "Each user and each group has a number and a name of its own",
     "Two names with one number are one user to the kernel.", "dockle", "Give one of them another number.", (694,)),
    ("DKL-LI-0003", _LOW, "There are no caches and left-overs of tools",
     "Nothing at run time reads them, and they may hold what was meant for the build.", "dockle; hadolint DL3042",
     "Keep them out with .dockerignore, or switch them off in the build.", ()),
    ("IMG-HISTORY", _HIGH, "There is no version control history",
     "It holds every file that ever was, those that were removed for a reason too.", "own; CIS 4.10",
     "Keep .git out with .dockerignore.", (527,)),
    ("IMG-TESTS", _MEDIUM, "The project's tests are not in the image",
     "They are code that nobody needs at run time, and often hold credentials for tests.", "own",
     "Keep the tests out with .dockerignore.", ()),
    ("IMG-ALTERED", _HIGH, "The service's files are those of the snapshot",
     "What was tested would not be what ships.", "own", "Don't change the service's files in the Dockerfile.", (494,)),
    ("IMG-BYTECODE", _LOW, "All bytecode is for the Python that is in the image",
     "Other versions never read it; it came from somebody's working folder.", "own",
     "Keep __pycache__ out with .dockerignore.", ()),
    ("IMG-SHELL", _LOW, "There is no shell", "It is the first thing that who gets in looks for.",
     "own; distroless", "Take a base without one, like the locked base.", ()),
    ("IMG-PACKAGE-MANAGER", _LOW, "There is no package manager of the distribution",
     "It brings who gets in whatever tool is missing.", "own; distroless",
     "Take a base without one, like the locked base.", ()),
    ("IMG-PIP", _LOW, "There is no installer of Python packages", "It brings in whatever code is missing.",
     "own", "Install in an earlier stage, and copy what was installed.", ()),
    ("IMG-PERL", _LOW, "There is no interpreter of another language",
     "A Python service does not need it, and it is a shell with another name.", "own; distroless",
     "Take a base without one, like the locked base.", ()),
    ("IMG-WRITABLE", _MEDIUM, "Nothing can be written by everybody, but folders with the sticky bit",
     "Whoever gets in as any user could replace it.", "own; CIS Distribution Independent Linux Benchmark 6.1",
     "Take the right to write away from others, or set the sticky bit of a folder.", (732,)),
    ("IMG-LAYER-SECRET", _HIGH, "No layer holds a credential, in a file that a later one deletes neither",
     "A deleted file is still in its layer, and whoever pulls the image has all layers.", "own; CIS 4.10",
     "Never copy it into a stage that ships, and revoke it.", (798,)),
    ("IMG-BUILD-SECRET", _HIGH, "The image's history, labels and variables hold no credential",
     "'docker history' shows build arguments and commands to whoever has the image.", "own; CIS 4.10",
     "Give secrets to a build as files of an earlier stage, and revoke this one.", (798,)),
    ("IMG-PACKAGE-MISSING", _HIGH, "Every locked Python package is in the image at its locked version",
     "What was audited and tested would not be what ships.", "own", "Install from the lock alone.", (1357,)),
    ("IMG-PACKAGE-EXTRA", _HIGH, "No Python package is in the image that is not locked",
     "Nobody has audited it.", "own", "Lock it, or take it out.", (1357,)),
    ("IMG-PACKAGE-ALTERED", _HIGH, "The files of each Python package are those that its wheel lists",
     "Somebody has changed what the lock's hashes vouch for.", "own; PyPA specification, recording installed projects",
     "Install the package anew, and change nothing in it.", (494,)),
    ("IMG-LICENCE", _MEDIUM, "Every package has a licence that build.licences allows",
     "Who ships the image ships the package, under its licence.", "own",
     "Take another package, allow the licence, or state in build.licence_of what was read.", ()),
    ("IMG-EXPECTED", _HIGH, "The image is as build.expect says", "The project itself says what it must be.",
     "own; container-structure-test", "Mend the image, or what is expected of it.", ()),
)  # fmt: skip

RULES: Mapping[str, Rule] = {
    id_: Rule(id=id_, severity=severity, title=title, reason=reason, source=source, fix=fix, cwe=cwe)
    for id_, severity, title, reason, source, fix, cwe in _LIST
}
"""Every rule by its id."""

_OF_OTHERS = ("IMG-TESTS", "IMG-ALTERED", "IMG-LAYER-SECRET", "IMG-BUILD-SECRET", "IMG-PACKAGE-MISSING",
              "IMG-PACKAGE-EXTRA", "IMG-PACKAGE-ALTERED", "IMG-LICENCE", "IMG-EXPECTED")  # fmt: skip
HARDENING = tuple(id_ for id_ in RULES if id_ not in _OF_OTHERS)
"""The rules that need nothing but the image and its recipe."""
