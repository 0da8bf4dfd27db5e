"""Every way to skip a test, or to expect its failure, is found in the source with the reason that it gives."""

from __future__ import annotations

import pytest

from pipeline.core.skip_marks import skips_of


def found(source: str) -> list[tuple[str, int, str]]:
    """The marks in a source: kind, line, reason."""
    return [(s.kind, s.line, s.reason) for s in skips_of("test_a.py", source.encode())]


HEAD = "import pytest\nimport unittest\n"


@pytest.mark.parametrize(
    ("line", "kind", "reason"),
    [
        ("@pytest.mark.skip\ndef test_a(): pass", "skip", ""),
        ("@pytest.mark.skip('too slow here')\ndef test_a(): pass", "skip", "too slow here"),
        ("@pytest.mark.skip(reason='too slow')\ndef test_a(): pass", "skip", "too slow"),
        ("@pytest.mark.skipif(True, reason='no network')\ndef test_a(): pass", "skip", "no network"),
        ("@pytest.mark.skipif(True)\ndef test_a(): pass", "skip", ""),
        ("@pytest.mark.xfail(strict=True)\ndef test_a(): pass", "xfail", ""),
        ("@pytest.mark.xfail(True, reason=f'see {1}')\ndef test_a(): pass", "xfail", "f'see {1}'"),
        ("pytestmark = [pytest.mark.skip]", "skip", ""),
        ("ROOT = pytest.param(1, marks=pytest.mark.xfail(reason='a known fault'))", "xfail", "a known fault"),
        ("pytest.skip('no engine', allow_module_level=True)", "skip", "no engine"),
        ("pytest.xfail('not yet')", "xfail", "not yet"),
        ("x = pytest.importorskip('yaml')", "skip", ""),
        ("x = pytest.importorskip('yaml', reason='an optional part')", "skip", "an optional part"),
        ("raise pytest.skip.Exception('not here')", "skip", "not here"),
        ("@unittest.skip('not ready')\nclass T: pass", "skip", "not ready"),
        ("@unittest.skipIf(True, 'on Windows')\nclass T: pass", "skip", "on Windows"),
        ("@unittest.skipUnless(True, reason='on Linux')\nclass T: pass", "skip", "on Linux"),
        ("@unittest.expectedFailure\ndef test_a(): pass", "xfail", ""),
        ("raise unittest.SkipTest('no engine')", "skip", "no engine"),
        ("self.skipTest('no engine')", "skip", "no engine"),
        ("@pytest.mark.skip  # it hangs here\ndef test_a(): pass", "skip", "it hangs here"),
    ],
)
def test_a_mark_or_call_is_found_with_its_reason(line: str, kind: str, reason: str) -> None:
    assert found(f"{HEAD}{line}\n") == [(kind, 3, reason)]


def test_a_comment_right_above_is_a_reason_too() -> None:
    assert found(f"{HEAD}# The kernel of the runner lacks it.\n@pytest.mark.skip\ndef test_a(): pass\n") == [
        ("skip", 4, "The kernel of the runner lacks it")
    ]


@pytest.mark.parametrize(
    "source",
    [
        "from pytest import mark\n@mark.skip\ndef test_a(): pass\n",
        "from pytest import mark as m\n@m.skip\ndef test_a(): pass\n",
        "import pytest as pt\n@pt.mark.skip()\ndef test_a(): pass\n",
        "from pytest import skip as leave\n\nleave('')\n",
        "from unittest import SkipTest\n\nraise SkipTest\n",
    ],
)
def test_other_names_for_it_are_known(source: str) -> None:
    assert [kind for kind, _, _ in found(source)] == ["skip"]


@pytest.mark.parametrize(
    "source",
    [
        "def skip(): pass\nskip()\n",
        "import itertools\nmark = 1\nitertools.skip\n",
        "import pytest\npytest.mark.parametrize('skip', [1])\n",
        "text = 'pytest.mark.skip'\n",
        "def skipTest(): pass\n",
        "import pytest\nmaker().mark.skip\n",
    ],
)
def test_what_only_looks_like_it_is_none(source: str) -> None:
    assert not found(source)


@pytest.mark.parametrize("source", [b"import pytest\npytest.skip(\n", b"skip\0", b"", b"x = 1\n"])
def test_of_what_can_not_be_parsed_or_holds_none_there_are_none(source: bytes) -> None:
    assert not skips_of("a.py", source)
