"""Small Debian packages made of real ar and tar bytes, for the tests of what reads them."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterable

Packed = tuple[tarfile.TarInfo, bytes]


def ar(*members: tuple[str, bytes]) -> bytes:
    """An ar archive, deb(5)'s outermost layer."""
    parts = [b"!<arch>\n"]
    for name, content in members:
        parts.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode())
        parts.append(content + b"\n" * (len(content) % 2))
    return b"".join(parts)


def entry(
    name: str, content: bytes = b"", *, mode: int = 0o644, kind: bytes = tarfile.REGTYPE, target: str = ""
) -> Packed:
    """One member for ``tar``."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.type, info.linkname = len(content), mode, kind, target
    return info, content


def tar(entries: Iterable[Packed]) -> bytes:
    """An uncompressed tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def deb(
    *entries: Packed,
    name: str = "sample",
    md5sums: str = "",
    compression: str = "xz",
    version: bytes = b"2.0\n",
) -> bytes:
    """A whole package with these members."""
    control = f"Package: {name}\nVersion: 1.0-1\nArchitecture: all\nDescription: sample\n".encode()
    files = [entry("./control", control)]
    if md5sums:
        files.append(entry("./md5sums", md5sums.encode()))
    press: Callable[[bytes], bytes] = lzma.compress if compression == "xz" else gzip.compress
    return ar(
        ("debian-binary", version),
        (f"control.tar.{compression}", press(tar(files))),
        (f"data.tar.{compression}", press(tar(entries))),
    )
