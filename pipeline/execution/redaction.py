"""Masking of secrets in everything that is written or printed, before it is.

What counts as one: the value of an environment variable with a secret-like name, the credentials of an address, and
whatever a stage adds (what the secret scanner found, the random key of a container). What of that is masked, and in
which forms, is :mod:`pipeline.core.secret_forms`.

All forms are searched for at once (Aho and Corasick 1975) by ``ahocorasick-rs``, in a time that does not depend on
their number: 50 MB take 1 s with 1,280 forms, where one regular expression of Python takes 25 s with 250 of them.
"""

from __future__ import annotations

import os
import re
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

from ahocorasick_rs import AhoCorasick, MatchKind

from pipeline.core.secret_forms import MASK, SHORTEST, forms, is_ordinary, parts_of, values_of

# Everything up to the last @ before the path: a password may hold one, and a token may stand without a password.
# Bounded, so that no input makes it slow; the literal comes first, since it can be looked for quickly.
_URL = re.compile(r"://(?<=[a-zA-Z0-9+.-]://)[^\s/'\"<>]{1,768}@")
_PARAMETER = re.compile(
    r"(?P<name>[?&;](?:[\w.-]{0,40}(?:token|secret|password|passwd|api_?key|signature)|sig)=)"
    r"(?P<value>[^&;\s\"'<>#]{8,})",
    re.IGNORECASE,
)
# Matching is of UTF-8, which has no surrogates (the names of files may): for it each stands for another character.
_SURROGATE = re.compile("[\ud800-\udfff]")
_STAND_INS = {code: 0x100000 + code for code in range(0xD800, 0xE000)}
# Fewer digits that happen to stand in a digest give nothing away, and an image must still be found by its id.
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_CUT_AT = 200
"""Characters; shorter texts are not cut by anybody, unless an ellipsis says so."""
_ELLIPSIS = re.compile(r"\.{3,}|…+")


class SecretRedactor:
    """A Redactor that knows the secrets of this process's environment and whatever is added later."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._guard = threading.RLock()
        self._names = frozenset(environ)
        self._forms: set[str] = set()
        self._matcher: _Matcher | None = None
        self.variables(environ)

    def variables(self, values: Mapping[str, str]) -> None:
        """From now on mask what these variables hold, by their names."""
        for name, value in values.items():
            # Many such names hold a path to a secret and not the secret; but a base64 text may begin with a slash too.
            if not ("/" in value and os.path.exists(value)):
                for secret in values_of(name, value):
                    self.also(secret)

    def also(self, secret: str) -> None:
        """From now on mask this value too, unless it is short, an ordinary word or the name of a variable."""
        with self._guard:
            for part in parts_of(secret):
                if not is_ordinary(part) and part not in self._names and MASK not in part:
                    self._forms |= forms(part)
                    self._matcher = None

    def __call__(self, text: str) -> str:
        """The text with every known secret masked; where it was cut within one, also what is left of that."""
        if self._forms and len(text) >= SHORTEST:
            text = self._known().masked(text)
        if "://" in text:
            text = _URL.sub(f"://{MASK}@", text)
        return _PARAMETER.sub(_without_value, text) if "=" in text else text

    def _known(self) -> _Matcher:
        with self._guard:
            if self._matcher is None:
                self._matcher = _Matcher(self._forms)
            return self._matcher


class _Matcher:
    """The forms, made ready once."""

    def __init__(self, known: Iterable[str]) -> None:
        searched = sorted(map(_searchable, known))
        self._longest = max(map(len, searched))
        self._whole = AhoCorasick(searched, matchkind=MatchKind.Standard)
        self._beginnings, self._begun = _edges(searched, slice(None, SHORTEST))
        self._ends, self._ended = _edges(searched, slice(-SHORTEST, None))

    def masked(self, text: str) -> str:
        """The text with what is known masked, also where two overlap."""
        plain = _searchable(text)
        places = [(start, end) for _, start, end in self._whole.find_matches_as_indexes(plain, overlapping=True)]
        places += self._rests(plain)
        if places:
            places = list(_outside_of_digests(plain, places))
        pieces, at = [], 0
        for start, end in sorted(places):
            if start >= at:
                pieces += [text[at:start], MASK]
            at = max(at, end)
        return "".join((*pieces, text[at:])) if pieces else text

    def _rests(self, text: str) -> Iterator[tuple[int, int]]:
        """The places of what is left of a secret before and behind an ellipsis, and at the end of a long text."""
        gaps = [match.span() for match in _ELLIPSIS.finditer(text)] if "…" in text or "..." in text else []
        if len(text) >= _CUT_AT:
            gaps.append((len(text), len(text)))
        if not gaps:
            return
        # Most long texts have no gap but their end, so that little is left to be searched once more.
        first = max(gaps[0][0] - self._longest, 0)
        text, gaps = text[first:], [(start - first, end - first) for start, end in gaps]
        for start, end in self._beside(text, gaps):
            yield start + first, end + first

    def _beside(self, text: str, gaps: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        for number, start, end in self._beginnings.find_matches_as_indexes(text, overlapping=True):
            gap = bisect_left(gaps, (end, end))
            if gap < len(gaps) and (until := gaps[gap][0]) - start <= self._longest:
                left = text[start:until]
                if any(form.startswith(left) for form in self._begun[number]):
                    yield start, until
        for number, start, end in self._ends.find_matches_as_indexes(text, overlapping=True):
            gap = bisect_left(gaps, (start, len(text) + 1)) - 1
            if gap >= 0 and end - (since := gaps[gap][1]) <= self._longest:
                left = text[since:end]
                if any(form.endswith(left) for form in self._ended[number]):
                    yield since, end


def _edges(searched: Iterable[str], edge: slice) -> tuple[AhoCorasick, list[list[str]]]:
    """A search for the beginnings or ends of the forms, and for each of them the forms that have it."""
    known: dict[str, list[str]] = {}
    for form in searched:
        known.setdefault(form[edge], []).append(form)
    return AhoCorasick(list(known), matchkind=MatchKind.Standard), list(known.values())


def _outside_of_digests(text: str, places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The places that are not a mere part of a SHA-256 in hexadecimal."""
    digests = [match.span() for match in _DIGEST.finditer(text)]
    for start, end in places:
        before = bisect_left(digests, (start, len(text) + 1)) - 1
        within = before >= 0 and end <= digests[before][1] and (start, end) != digests[before]
        if not within:
            yield start, end


def _searchable(text: str) -> str:
    return text if text.isascii() or not _SURROGATE.search(text) else text.translate(_STAND_INS)


def _without_value(match: re.Match[str]) -> str:
    return match.group() if is_ordinary(match["value"]) else f"{match['name']}{MASK}"
