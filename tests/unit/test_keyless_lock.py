"""The lock with the extra for keyless signatures: what noxw installs instead of the package's own."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.lock import parse_lock

LOCKS = Path(__file__).parents[2] / "pipeline" / "locks"


def test_it_has_all_that_the_package_needs_in_the_same_versions_and_sigstore() -> None:
    """``./noxw -s locks`` makes both; renew them together."""
    own, extended = (
        {(pin.name, pin.version) for pin in parse_lock((LOCKS / name).read_text(encoding="utf-8"), name)}
        for name in ("runtime.txt", "keyless.txt")
    )
    assert own < extended
    assert "sigstore" in {name for name, _ in extended - own}
