"""The page's templates as Python compiled them, beside the templates as Python keeps its own modules' bytecode.

Compiling them takes longer than all else that a page needs. The same holds for these files as for Python's: they lie in
``__pycache__`` (or below ``sys.pycache_prefix``), none is written where Python writes none, and who may change them may
change the package.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from importlib.metadata import version
from importlib.util import cache_from_source
from pathlib import Path

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

_DIGEST_SIZE = hashlib.sha256().digest_size


class PackageBytecode(BytecodeCache):
    """Of the templates in ``folder``; ``code`` are the files of ours by which their constants are put into words."""

    def __init__(self, folder: Path, code: tuple[Path, ...]) -> None:
        self._folder = folder
        self._around = b"".join((version("jinja2").encode(), *(path.read_bytes() for path in code)))

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """The template's own name."""
        del filename
        return name

    def get_source_checksum(self, source: str) -> str:
        """Of the template, and of whatever else decides what becomes of it; Python's version Jinja2 looks at itself."""
        return hashlib.sha256(source.encode() + self._around).hexdigest()

    def load_bytecode(self, bucket: Bucket) -> None:
        """Nothing where there is none, or where it is not what was written."""
        with contextlib.suppress(OSError):
            content = self._place(bucket).read_bytes()
            digest, code = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
            if hashlib.sha256(code).digest() == digest:
                bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Put it in its place whole, if Python may write such files and the place can be written."""
        if sys.dont_write_bytecode:
            return
        place, code = self._place(bucket), bucket.bytecode_to_string()
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=f"{place.name}.")
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(temporary, place)

    def _place(self, bucket: Bucket) -> Path:
        return Path(cache_from_source(str(self._folder / f"{bucket.key}.py")))
