"""``pipeline config``: every effective setting, and where its value comes from."""

from __future__ import annotations

import json
import sys

from pipeline.console_plain import tell
from pipeline.core.masking import masked_value
from pipeline.core.safe_text import json_document
from pipeline.settings_loading import effective
from pipeline.workplace import Workplace


def carry_out(place: Workplace, *, as_json: bool) -> int:
    """Show them, masked; returns 0."""
    values = [(name, masked_value(value, place.redact), source) for name, value, source in effective(place.settings)]
    if as_json:
        document = {name: {"value": value, "source": source} for name, value, source in values}
        print(json_document(json.dumps(document, indent=2)))
        return 0
    width = max(len(name) for name, _, _ in values)
    for name, value, source in values:
        tell(sys.stdout, f"{name:<{width}} = {json.dumps(value, ensure_ascii=False)}  ({source})")
    return 0
