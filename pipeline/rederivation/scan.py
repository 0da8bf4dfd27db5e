"""``scan`` again, from bandit's own JSON of each batch of files."""

from __future__ import annotations

import json
import re

from pipeline.core.verification_raw import Rederived
from pipeline.errors import ToolTrouble
from pipeline.rederivation.kept import CONTROLS, NOWHERE, Kept, ended
from pipeline.stages import scan
from pipeline.tools import bandit

_FIELDS = ("rule", "tool", "severity", "confidence", "message", "path", "line", "cwe", "fix", "counted")
_BATCH = re.compile(r"bandit-\d+\.json")


def rederived(kept: Kept) -> Rederived:
    """What bandit's outputs amount to."""
    names = sorted(name for name in kept.raw if _BATCH.fullmatch(name))
    if not names:
        raise ToolTrouble("No output of bandit is there.")
    output = bandit.Output()
    for name in names:
        text = kept.text(name)
        output += bandit.parse(ended(1 if json.loads(text)["results"] else 0), text, NOWHERE)
    (control,) = kept.controls
    examined = scan.assess(kept.settings.scan, kept.expected, output, control=control)
    return Rederived(
        examination=examined,
        tools=("bandit",),
        fields=_FIELDS,
        metrics=("files",),
        taken=(kept.whole_checkout, CONTROLS, "Source lines, columns and comments rest on the report's own word too."),
    )
