"""``secrets``: no credential in any file of the snapshot, tracked or new."""

from __future__ import annotations

import base64
import hashlib
import os
import posixpath
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Severity, weighed
from pipeline.core.gate import findings_gate
from pipeline.core.ports import Request, ToolEnvironment
from pipeline.core.snapshot import Kind, Snapshot
from pipeline.core.stage import Examination, NotChecked
from pipeline.core.suppression_gate import Most, gated
from pipeline.core.suppressions import SuppressionKind, allowed_secrets
from pipeline.stages import revealing
from pipeline.stages.context import Context
from pipeline.stages.restraints import nothing_to_check, with_expectation
from pipeline.stages.secrets_declared import DeclaredSecrets
from pipeline.stages.source_files import apply_exclusions
from pipeline.tools import secret_scanner

UNIT = "files"
CONTROLS = {
    "planted_key.txt": ("AWS access key", "aws-access-key"),
    "planted.env": ("password in a setting", "secret-keyword"),
}
"""The planted files: what each holds, and the rule that must catch it."""


@dataclass(frozen=True, slots=True)
class SecretsStage(DeclaredSecrets):
    """Unit of work: files of any kind. Expected: those of the snapshot. Checked: those that were read to their end."""

    def reveal(self, context: Context) -> tuple[str, ...]:
        """The credentials in the snapshot's files, to be masked in whatever any stage shows of them."""
        files, _ = apply_exclusions(context.snapshot.files(), context.settings.secrets.exclude)
        if not files:
            return ()
        context.ports.progress.say("looking for credentials that no report may show")
        tools = context.environment("secrets")

        def search(names: tuple[str, ...]) -> secret_scanner.Output:
            output = _scan(context, tools, names, context.tree)
            if names == files:
                self.searched[context.snapshot.digest, files] = output
            return output

        return revealing.values_in(context, files, revealing.identity(tools.root.name), search).values

    def run(self, context: Context) -> Examination:
        """Run the detectors over the snapshot's files, and over planted credentials."""
        files, left_out = apply_exclusions(context.snapshot.files(), context.settings.secrets.exclude)
        if not files:
            excluded = bool(context.snapshot.files())
            return nothing_to_check(context, "secrets", UNIT, left_out=left_out, excluded=excluded)
        tools = context.environment("secrets")
        output = self.searched.get((context.snapshot.digest, files)) or _scan(context, tools, files, context.tree)
        for value in output.values:
            context.ports.redact.also(value)
        context.keep("secrets.json", output.kept)
        controls = _controls(context, tools)
        not_checked = (*left_out, *elsewhere(context.snapshot, context.tree))
        examined = restrained(context, assess(files, output, controls, not_checked), output)
        return context.with_tools(examined, tools, "detect-secrets")


def assess(
    files: tuple[str, ...],
    output: secret_scanner.Output,
    controls: tuple[Control, ...],
    not_checked: tuple[NotChecked, ...] = (),
) -> Examination:
    """What the scanner's output amounts to. Every finding counts: a credential has no harmless degree."""
    findings = weighed(output.findings, fail_on=Severity.HIGH)
    return Examination(
        evidence=Evidence.of(UNIT, expected=files, checked=output.checked, controls=controls),
        gates=(findings_gate(findings, what="credentials", fail_on=Severity.HIGH),),
        findings=findings,
        metrics={"files": len(files), "detectors": output.detectors, "allowlisted": len(output.allowed)},
        doubts=output.doubts,
        not_checked=(*not_checked, *output.not_checked),
    )


def restrained(context: Context, examined: Examination, output: secret_scanner.Output) -> Examination:
    """The examination with the gates on allow-list comments. What the scanner obeyed and our own reading does not find
    is a doubt.
    """
    found = tuple(
        item
        for path in sorted(output.checked)
        for item in allowed_secrets(path, secret_scanner.text_of((context.tree / path).read_bytes()))
    )
    most = context.settings.secrets.max_allowlisted
    kind, what = SuppressionKind.ALLOWLIST, "allow-listed secrets"
    limits = (Most(kind=kind, what=what, key="secrets.max_allowlisted", most=most),)
    examined = gated(
        examined, found, limits, reasons=context.settings.project.suppressions_need_reasons, unused=output.unused
    )
    unread = {(item.path, item.line) for item in output.allowed} - {(item.path, item.line) for item in found}
    doubts = tuple(
        f"The secret scanner obeyed a comment that our own reading does not find: {path}:{line}."
        for path, line in sorted(unread)
    )
    return with_expectation(context, "secrets", replace(examined, doubts=(*examined.doubts, *doubts)))


def elsewhere(snapshot: Snapshot, tree: Path) -> tuple[NotChecked, ...]:
    """Links whose target is not in the snapshot, and submodules: what they lead to is not part of what was searched."""
    found = []
    for entry in snapshot.entries:
        if entry.kind is Kind.SUBMODULE:
            found.append(NotChecked(what=entry.path, reason="A git submodule: its files belong to another repository."))
        elif entry.kind is Kind.LINK and not _covered(snapshot, entry.path, os.readlink(tree / entry.path)):
            found.append(NotChecked(what=entry.path, reason="A symbolic link to what is not part of the snapshot."))
    return tuple(found)


def planted(seed: str) -> dict[str, str]:
    """The planted files, made from ``seed``: a credential that is written out here would be a finding itself."""
    letters = base64.b32encode(hashlib.sha256(seed.encode()).digest()).decode()
    contents = (f"{'AK' + 'IA'}{letters[:16]}\n", f"DB_PASSWORD={letters[16:28].lower()}-1\n")
    return dict(zip(CONTROLS, contents, strict=True))


def _covered(snapshot: Snapshot, path: str, target: str) -> bool:
    resolved = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return resolved in snapshot.by_path or snapshot.has_folder(resolved)


def _scan(context: Context, tools: ToolEnvironment, files: tuple[str, ...], folder: Path) -> secret_scanner.Output:
    request = Request(
        argv=secret_scanner.command(str(tools.python)),
        cwd=folder,
        timeout_s=context.settings.secrets.timeout_s,
        stdin=secret_scanner.given(files),
        title="detect-secrets",
    )
    return secret_scanner.parse(context.run(request))


def _controls(context: Context, tools: ToolEnvironment) -> tuple[Control, ...]:
    folder = context.scratch / "planted"
    folder.mkdir()
    for name, text in planted(context.snapshot.digest).items():
        (folder / name).write_text(text, encoding="utf-8")
    found = {(finding.path, finding.rule) for finding in _scan(context, tools, tuple(CONTROLS), folder).findings}
    return tuple(
        Control(tool="detect-secrets", planted=what, caught=(name, rule) in found)
        for name, (what, rule) in CONTROLS.items()
    )
