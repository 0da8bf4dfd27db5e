"""Keys of ``[tool.pipeline.build]`` on how the image is made and how large it may be."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.settings_keys import key


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMaking:
    """What an image is made of, and its size. Sizes are in 10^6 bytes."""

    require_locked_base: bool = key(
        False,
        "whether the build refuses when the archive has lost a locked Debian package, instead of taking the newer one",
    )
    max_size_mb: float | None = key(
        None, "the largest image that passes, in megabytes (10^6 bytes), uncompressed", low=1
    )
    max_compressed_mb: float | None = key(
        None, "the largest image that passes, in megabytes (10^6 bytes), as a registry stores it", low=1
    )
    max_growth_percent: float = key(
        10.0, "how much larger than the last release the image may be, in percent, uncompressed", low=0
    )
