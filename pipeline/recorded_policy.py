"""The policy as a report recorded it, read back into settings by the rules that hold for a project's own file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from pipeline.errors import ConfigurationError
from pipeline.settings import POLICY_FREE, SECTIONS, Settings
from pipeline.settings_loading import dotted
from pipeline.settings_values import Given, Refused, checked


def settings_of(policy: Mapping[str, Any]) -> Settings:
    """The settings with these effective values; what a policy does not hold keeps its default.

    Raises:
        ConfigurationError: a value is none that its key could have.
    """
    sections: dict[str, Any] = {}
    for section in ("project", *SECTIONS):
        if section in POLICY_FREE:
            continue
        kind = type(getattr(Settings(), section))
        hints = get_type_hints(kind)
        values: dict[str, Any] = {}
        for item in fields(kind):
            name = dotted(section, item.name)
            # JSON has a word for "not set", which a project's file has not.
            if policy.get(name) is not None:
                try:
                    values[item.name] = checked(Given(policy[name], "the report"), hints[item.name], item)
                except Refused as refusal:
                    raise ConfigurationError(f"The recorded policy's {name} should be {refusal}.") from None
        sections[section] = kind(**values)
    return Settings(**sections)


def digest_of(policy: Mapping[str, Any]) -> str:
    """SHA-256 of the values' canonical JSON, as :func:`pipeline.settings_loading.policy_digest` takes it."""
    text = json.dumps(policy, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
