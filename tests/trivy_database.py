"""A database for trivy with a single advisory, since its own comes from the network.

trivy keeps it as a file of bbolt, a tree of buckets; one of a few entries fits into a single page, which is put
together here. Format: https://github.com/etcd-io/bbolt, internal/common/page.go, meta.go and bucket.go.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PAGE = 4096
_MAGIC, _VERSION = 0xED0CDAED, 2
_LEAF, _META, _FREELIST = 0x02, 0x04, 0x10
_IS_BUCKET = 1
_SOURCE = "pip::GitHub Security Advisory pip"


def write_database(cache: Path, *, package: str, advisory: str, vulnerable: str, patched: str) -> None:
    """Write what trivy looks for below its ``--cache-dir``: one PyPI package with one advisory."""
    about = {"PatchedVersions": [patched], "VulnerableVersions": [vulnerable]}
    buckets = {
        "data-source": {_SOURCE: _json({"ID": "ghsa", "Name": "GitHub Security Advisory pip", "URL": "about:blank"})},
        _SOURCE: {package: {advisory: _json(about)}},
        "vulnerability": {advisory: _json({"Title": "A sample.", "Severity": "HIGH"})},
    }
    dates = {name: "2026-01-01T00:00:00Z" for name in ("UpdatedAt", "DownloadedAt")}
    folder = cache / "db"
    folder.mkdir()
    (folder / "trivy.db").write_bytes(_database(buckets))
    metadata = {"Version": 2, "NextUpdate": "2099-01-01T00:00:00Z", **dates}
    (folder / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _database(buckets: Mapping[str, Any]) -> bytes:
    """Two meta pages, an empty list of free pages, and the root, which is a leaf with everything in it."""
    pages = (_meta(0), _meta(1), _page(2, _FREELIST, 0, b""), _page(3, _LEAF, len(buckets), _leaf(buckets)))
    assert all(len(page) <= _PAGE for page in pages)
    return b"".join(page.ljust(_PAGE, b"\0") for page in pages)


def _page(number: int, kind: int, count: int, content: bytes) -> bytes:
    return struct.pack("<QHHI", number, kind, count, 0) + content


def _meta(number: int) -> bytes:
    """Root in page 3, free pages in page 2, four pages in all; the transaction is the page's number."""
    meta = struct.pack("<IIIIQQQQQ", _MAGIC, _VERSION, _PAGE, 0, 3, 0, 2, 4, number)
    return _page(number, _META, 0, meta + struct.pack("<Q", _fnv1a(meta)))


def _leaf(entries: Mapping[str, Any]) -> bytes:
    """The elements (flags, distance to the key, sizes), then keys and values. A bucket's value is a page of its own."""
    elements, data = b"", b""
    for index, name in enumerate(sorted(entries)):
        key, value, flags = name.encode(), entries[name], 0
        if isinstance(value, Mapping):
            flags, value = _IS_BUCKET, struct.pack("<QQ", 0, 0) + _page(0, _LEAF, len(value), _leaf(value))
        elements += struct.pack("<IIII", flags, 16 * (len(entries) - index) + len(data), len(key), len(value))
        data += key + value
    return elements + data


def _fnv1a(content: bytes) -> int:
    """FNV-1a of 64 bits, with which bbolt checks its meta pages."""
    value = 0xCBF29CE484222325
    for byte in content:
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value
