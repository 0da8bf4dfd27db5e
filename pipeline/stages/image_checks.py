"""What an image must be before anybody starts it, judged from its configuration and the files of its layers.

After the CIS Docker Benchmark, section 4 ("Container Images and Build File"): a user that is not root, a health check,
no set-id files, no secrets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pipeline.core.containers import Image
from pipeline.core.evidence import Control, listed
from pipeline.core.gate import Gate, ceiling_gate, check_gate
from pipeline.images.contents import ImageContents, ImageFile

_USER = re.compile(r"(?P<user>\d+)(:\d+)?")
_SECRET_NAME = re.compile(
    r"(SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)|(^|_)KEY(_|$)", re.I
)
# The public key with which Python's own images verify their sources.
_PUBLIC_NAMES = frozenset({"GPG_KEY"})
_CREDENTIAL_FILE = re.compile(
    r"(^|/)(\.env(\.(?!example$|sample$|template$|dist$)[^/]*)?|id_(rsa|dsa|ecdsa|ed25519)|\.netrc|\.pypirc"
    r"|\.git-credentials|\.docker/config\.json|\.aws/credentials|\.kube/config)$"
)
_HISTORY_FOLDER = re.compile(r"(^|/)\.(git|hg|svn)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """What an image holds beyond what it should: test files of the project, files unlike the snapshot's, packages
    beside the lock.
    """

    tests: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    other_versions: tuple[str, ...] = ()


def image_gates(image: Image, contents: ImageContents, *, max_size_mb: float | None) -> tuple[Gate, ...]:
    """The gates that hold for any image; ``max_size_mb`` is in 10^6 bytes."""
    secrets = secret_variables(image)
    credentials = credential_files(contents)
    gaining = sorted(file.path for file in contents.files.values() if file.gains_rights)
    gates = (
        check_gate(
            runs_as_numeric_user(image),
            what="user of the image",
            allowed="a number that is not 0",
            found=image.user or "root (none is set)",
        ),
        check_gate(
            has_health_check(image),
            what="health check",
            allowed="one",
            found="one" if has_health_check(image) else "none",
        ),
        _none_of(secrets, "variables of the image that look like secrets"),
        _none_of(credentials, "files and folders of the image that look like credentials or history"),
        _none_of(gaining, "set-user-id and set-group-id files"),
    )
    if max_size_mb is None:
        return gates
    return (*gates, ceiling_gate(image.size_bytes / 1e6, max_size_mb, what="size of the image", unit=" MB", digits=1))


def content_gates(strangers: Strangers) -> tuple[Gate, ...]:
    """The gates on what the project's own part of the image is made of."""
    return (
        _none_of(strangers.tests, "test files in the image"),
        _none_of(strangers.altered, "service files that differ from the snapshot's"),
        _none_of(strangers.other_versions, "Python packages in the image that are not as locked"),
    )


def controls() -> tuple[Control, ...]:
    """The same checks on a sound sample with one fault planted at a time: each must object, and only then."""
    sound = Image(
        id="",
        size_bytes=0,
        layers=(),
        user="65532",
        labels={},
        architecture="",
        configuration={"Healthcheck": {"Test": ["CMD", "true"]}, "Env": []},
    )
    empty = ImageContents(files={}, folders=frozenset(), layer_sizes=())
    plants = {
        "image that runs as root": (replace(sound, user="0"), empty),
        "image without a health check": (replace(sound, configuration={}), empty),
        "password in a variable": (
            replace(sound, configuration={**sound.configuration, "Env": ["DB_PASSWORD=x"]}),
            empty,
        ),
        "credential file": (sound, _with(empty, "app/.env", 0o644)),
        "set-user-id file": (sound, _with(empty, "usr/bin/planted", 0o4755)),
    }
    quiet = _failures(sound, empty) == 0
    return tuple(
        Control(tool="the image check", planted=planted, caught=quiet and _failures(*spoilt) == 1)
        for planted, spoilt in plants.items()
    )


def runs_as_numeric_user(image: Image) -> bool:
    """Whether USER is a number other than 0: a name may be mapped to root by the image's own /etc/passwd."""
    match = _USER.fullmatch(image.user)
    return match is not None and int(match["user"]) != 0


def has_health_check(image: Image) -> bool:
    """Whether HEALTHCHECK is there and not NONE."""
    test = (image.configuration.get("Healthcheck") or {}).get("Test") or []
    return bool(test) and test != ["NONE"]


def secret_variables(image: Image) -> tuple[str, ...]:
    """The names of variables that look like secrets and have a value."""
    pairs = [str(item).partition("=") for item in image.configuration.get("Env") or []]
    return tuple(
        sorted(name for name, _, value in pairs if value and name not in _PUBLIC_NAMES and _SECRET_NAME.search(name))
    )


def credential_files(contents: ImageContents) -> tuple[str, ...]:
    """Files that usually hold credentials, and folders of version control, which hold everything that ever was."""
    files = [path for path in contents.files if _CREDENTIAL_FILE.search(path)]
    return tuple(sorted([*files, *(path for path in contents.folders if _HISTORY_FOLDER.search(path))]))


def _none_of(names: tuple[str, ...] | list[str], what: str) -> Gate:
    found = f"{len(names)} ({listed(names)})" if names else "0"
    return check_gate(not names, what=what, allowed="0", found=found)


def _failures(image: Image, contents: ImageContents) -> int:
    return sum(not gate.passed for gate in image_gates(image, contents, max_size_mb=None))


def _with(contents: ImageContents, path: str, mode: int) -> ImageContents:
    planted = ImageFile(path=path, mode=mode, uid=0, gid=0, size=1, sha256="0" * 64)
    return replace(contents, files={**contents.files, path: planted})
