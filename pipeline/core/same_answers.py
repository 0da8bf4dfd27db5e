"""Whether a service answers as it did before, but for what changes from one answer to the next anyway."""

from __future__ import annotations

import json
from typing import Any

from pipeline.core.wire import Reply

_MISSING = object()


def unlike(first: Reply, second: Reply, after: Reply) -> str:
    """How ``after`` differs from ``first`` where ``second``, asked right after it, did not; empty when it does not.

    Compared are the status and the body: as JSON, value by value, if it is that, else as text.
    """
    if not first.status or second.status != first.status:
        return f"it had no steady answer before: status {first.status or 'none'}, then {second.status or 'none'}"
    if after.status != first.status:
        return f"status {after.status or 'none'} instead of {first.status}"
    return _unlike(_value(first.body), _value(second.body), _value(after.body), "the body")


def _unlike(first: Any, second: Any, after: Any, place: str) -> str:
    if isinstance(first, dict) and isinstance(second, dict):
        if not isinstance(after, dict):
            return f"{place} is no object any more"
        for name in sorted(first.keys() | after.keys()):
            old, repeated, new = (part.get(name, _MISSING) for part in (first, second, after))
            if found := _unlike(old, repeated, new, f"{place}'s {name}"):
                return found
        return ""
    if first != second:
        return "" if type(after) is type(first) else f"{place} is of another kind"
    return "" if after == first else f"{place} is another"


def _value(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body
