"""A package is read as deb(5) says, and anything else is refused with its name."""

from __future__ import annotations

import io
import tarfile

import pytest

from pipeline.errors import FetchTrouble
from pipeline.images.deb import DebReader
from pipeline.images.ustar import Kind
from tests.unit.images.debs import ar, deb, entry


def read(content: bytes) -> dict[str, tuple[Kind, int, bytes]]:
    reader = DebReader(io.BytesIO(content), "sample 1.0-1")
    return {member.entry.path: (member.entry.kind, member.entry.mode, file.read()) for member, file in reader.members()}


@pytest.mark.parametrize("compression", ["xz", "gz"])
def test_control_and_members_are_read(compression: str) -> None:
    content = deb(
        entry("./", kind=tarfile.DIRTYPE, mode=0o755),
        entry("./usr/bin/", kind=tarfile.DIRTYPE, mode=0o755),
        entry("./usr/bin/tool", b"odd", mode=0o4755),
        entry("./usr/bin/alias", kind=tarfile.SYMTYPE, target="tool"),
        compression=compression,
    )
    assert read(content) == {
        "usr/bin": (Kind.FOLDER, 0o755, b""),
        "usr/bin/tool": (Kind.FILE, 0o4755, b"odd"),
        "usr/bin/alias": (Kind.SYMLINK, 0o777, b""),
    }
    control = DebReader(io.BytesIO(content), "sample").control
    assert (control.field("Package"), control.field("version"), control.field("Depends")) == ("sample", "1.0-1", "")


def test_parts_with_an_underscore_are_skipped() -> None:
    parts = deb(entry("./a", b"1"))
    assert parts.count(b"debian-binary") == 1
    with_extra = parts[: 8 + 60 + 4] + ar(("_gpgorigin", b"signature"))[8:] + parts[8 + 60 + 4 :]
    assert read(with_extra) == {"a": (Kind.FILE, 0o644, b"1")}


def test_a_hard_link_names_the_file_that_it_repeats() -> None:
    content = deb(entry("./a", b"1"), entry("./b", kind=tarfile.LNKTYPE, target="./a"))
    members = [member for member, _ in DebReader(io.BytesIO(content), "sample").members()]
    assert [(member.entry.path, member.same_as) for member in members] == [("a", ""), ("b", "a")]


@pytest.mark.parametrize("path", ["/etc/passwd", "../etc/passwd", "./usr/../../x", "usr//x", "./.."])
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(FetchTrouble, match=r"sample 1\.0-1 is not a Debian package.*leads out of the package"):
        read(deb(entry(path, b"1")))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_or_a_pipe_is_refused(kind: bytes) -> None:
    with pytest.raises(FetchTrouble, match="a device, a pipe"):
        read(deb(entry("./dev/sda", kind=kind)))


def cut(content: bytes, end: int) -> bytes:
    return content[:end]


GOOD = deb(entry("./a", b"content" * 1000))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "does not begin like an ar archive"),
        (b"<html>not found</html>", "does not begin like an ar archive"),
        (cut(GOOD, 40), "an ar header is damaged"),
        (cut(GOOD, 100), "control.tar is not where|ends early|damaged"),
        (cut(GOOD, len(GOOD) - 40), "."),
        (GOOD.replace(b"`\n", b"??", 1), "an ar header is damaged"),
        (deb(entry("./a"), version=b"3.0\n"), "its format version"),
        (deb(entry("./a"), compression="zst"), "compressed in a way"),
        (ar(("debian-binary", b"2.0\n"), ("data.tar.xz", b"")), "control.tar is not where"),
        (ar(("debian-binary", b"2.0\n"), ("control.tar.xz", b"garbage")), "."),
        (ar(("debian-binary", b"2.0\n"), ("control.tar", b"\0" * 10240)), "names no package"),
    ],
)
def test_what_is_malformed_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(FetchTrouble, match=reason):
        read(content)
