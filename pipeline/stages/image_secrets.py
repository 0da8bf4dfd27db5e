"""Credentials in the layers of an image, in files that a later layer deletes too, and in its history and variables.

The scanner is that of the ``secrets`` stage. What it need not read is told by digest: files that a verified wheel
vouches for, which are public. What it does not read besides is said in ``not_checked``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.containers import Image
from pipeline.core.evidence import Control
from pipeline.core.image_configuration_rules import environment, secret_variables
from pipeline.core.image_rules import Hit
from pipeline.core.image_tree import ImageTree, Node
from pipeline.core.ports import Request, ToolEnvironment
from pipeline.core.stage import NotChecked, Tool
from pipeline.errors import CouldNotTell
from pipeline.images.layers import extract
from pipeline.stages import secrets
from pipeline.stages.context import Context
from pipeline.tools import secret_scanner

LARGEST = 1 << 20
"""Bytes of a file that is searched; a larger one is data that a program has made."""
MOST = 32 << 20
"""Bytes that are searched in all, the smallest files first."""
_BUILD = "build.env"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What was found; whether the scanner came to its end; ``files`` is how many it read."""

    hits: tuple[Hit, ...] = ()
    controls: tuple[Control, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    doubts: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    files: int = 0
    finished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Searchable:
    """An exported image, and the digests of files that need not be searched again; the lowest layers are its base's."""

    image: Image
    tree: ImageTree
    archive: Path
    history: tuple[str, ...]
    known: frozenset[str]
    base_layers: int


def search(context: Context, subject: Searchable) -> Searched:
    """Run the scanner over what is the image's own. That it could not be run is a doubt, and hides nothing else."""
    try:
        return _searched(context, subject)
    except CouldNotTell as trouble:
        return Searched(doubts=(f"The image's layers were not searched for credentials: {trouble}",))


def _searched(context: Context, subject: Searchable) -> Searched:
    folder = context.scratch / "layers"
    chosen, not_checked = _chosen(subject)
    names = {_name(number, node): node for number, node in enumerate(chosen)}
    texts, binary = _laid_out(subject.archive, folder, names)
    if binary:
        reason = f"They are no texts: {binary} files of the image's own layers, of which no credential can be read."
        not_checked = (*not_checked, NotChecked(what="binary files in the image's layers", reason=reason))
    lines = _build_lines(subject)
    planted = secrets.planted(context.snapshot.digest)
    for name, text in {_BUILD: "".join(f"{text}\n" for text, _, _ in lines), **planted}.items():
        (folder / name).write_text(text, encoding="utf-8")
    tools = context.environment("secrets")
    wanted = (*texts, _BUILD, *planted)
    output = _scanned(context, tools, wanted, folder)
    for value in output.values:
        context.ports.redact.also(value)
    unread = sorted(set(wanted) - output.checked)
    return Searched(
        hits=tuple(_hits(output, names, lines, subject.tree)),
        controls=_controls(output),
        not_checked=(*not_checked, *_kept_quiet(output, names)),
        doubts=(f"The secret scanner did not read {len(unread)} files of the image's layers.",) if unread else (),
        tools=(Tool(name="detect-secrets", version=tools.packages.get("detect-secrets", "unknown")),),
        files=len(texts),
        finished=not unread,
    )


def _controls(output: secret_scanner.Output) -> tuple[Control, ...]:
    """By another name than the tool's, whose own results (and alerts) are those of the secrets stage."""
    found = {(finding.path, finding.rule) for finding in output.findings}
    return tuple(
        Control(tool="the search of the layers", planted=what, caught=(name, rule) in found)
        for name, (what, rule) in secrets.CONTROLS.items()
    )


def _kept_quiet(output: secret_scanner.Output, names: Mapping[str, Node]) -> Iterable[NotChecked]:
    allowed = sorted({names[item.path].shown for item in output.allowed if item.path in names})
    return (NotChecked(what=path, reason="A comment in it keeps the secret scanner quiet.") for path in allowed)


def _chosen(subject: Searchable) -> tuple[list[Node], tuple[NotChecked, ...]]:
    """The files to search, the smallest first; each content once, by the name that it has first."""
    of_base, once = 0, dict[str, Node]()
    for node in subject.tree.every_file:
        if node.layer < subject.base_layers:
            of_base += 1
        elif node.size and node.sha256 not in subject.known and not node.path.endswith(".pyc"):
            once.setdefault(node.sha256, node)
    chosen: list[Node] = []
    left_out: list[Node] = []
    total = 0
    for node in sorted(once.values(), key=lambda node: (node.size, node.layer, node.path)):
        total += node.size
        (chosen if node.size <= LARGEST and total <= MOST else left_out).append(node)
    told = [
        NotChecked(
            what=f"{node.shown} in layer {node.layer}",
            reason=f"It has {node.size} bytes, too many to search for credentials.",
        )
        for node in left_out
    ]  # fmt: skip
    if of_base:
        reason = f"They are the base image's: {of_base} files, which were not searched for credentials."
        told.append(NotChecked(what="the texts of the base image's layers", reason=reason))
    if any(node.path.endswith(".pyc") and node.layer >= subject.base_layers for node in subject.tree.every_file):
        reason = "It was not searched for credentials; the sources that it is made of were."
        told.append(NotChecked(what="Python bytecode in the image's layers", reason=reason))
    return chosen, tuple(told)


def _name(number: int, node: Node) -> str:
    """A name that no path in an image can lead astray; its last part is the file's, since the scanner looks at it."""
    return f"{node.layer}/{number}/{_UNSAFE.sub('_', node.path.rpartition('/')[2])[-100:]}"


def _laid_out(archive: Path, folder: Path, names: Mapping[str, Node]) -> tuple[list[str], int]:
    """Write the files below ``folder``: the names of those that are texts, and the number of the others."""
    by_key = {(node.layer, node.path): name for name, node in names.items()}
    folder.mkdir()
    with archive.open("rb") as stream:
        extract(stream, by_key.keys(), lambda layer, path: folder / by_key[layer, path])
    texts = []
    for name in names:
        with (folder / name).open("rb") as file:
            head = file.read(8192)
        if b"\0" not in head or head.startswith(_MARKS):
            texts.append(name)
    return texts, len(names) - len(texts)


def _build_lines(subject: Searchable) -> list[tuple[str, str, str]]:
    """What the image says of itself, a line each: the text, the instruction, and the name that it gives."""
    # One that is found by its name already need not be found again by its value.
    by_name = secret_variables(subject.image.configuration)
    variables = environment(subject.image.configuration)
    return [
        *((_line(text), "RUN", "") for text in subject.history),
        *((_line(f"{name}={value}"), "LABEL", name) for name, value in sorted(subject.image.labels.items())),
        *((_line(f"{n}={v}"), "ENV", n) for n, v in sorted(variables.items()) if n not in by_name),
    ]


def _line(text: str) -> str:
    return " ".join(text.split())


def _hits(
    output: secret_scanner.Output, names: Mapping[str, Node], lines: list[tuple[str, str, str]], tree: ImageTree
) -> Iterable[Hit]:
    for finding in output.findings:
        kind = finding.rule.replace("-", " ")
        if finding.path in names:
            node = names[finding.path]
            visible = tree.nodes.get(node.path)
            hidden = "" if visible is not None and visible.sha256 == node.sha256 else ", which a later layer hides"
            message = f"{node.shown}{hidden}, holds what looks like a credential ({kind}, line {finding.line})."
            if not hidden:
                message = message.replace(", holds", " holds", 1)
            yield Hit(rule="IMG-LAYER-SECRET", message=message, path=node.path, layer=node.layer)
        elif finding.path == _BUILD and 0 < finding.line <= len(lines):
            _, keyword, about = lines[finding.line - 1]
            where = {"RUN": "history", "LABEL": f"label {about}", "ENV": f"variable {about}"}[keyword]
            message = f"The image's {where} holds what looks like a credential ({kind})."
            yield Hit(rule="IMG-BUILD-SECRET", message=message, keyword=keyword, about=about)


def _scanned(context: Context, tools: ToolEnvironment, names: tuple[str, ...], folder: Path) -> secret_scanner.Output:
    request = Request(
        argv=secret_scanner.command(str(tools.python)), cwd=folder, timeout_s=context.settings.secrets.timeout_s,
        stdin=secret_scanner.given(names), title="detect-secrets",
    )  # fmt: skip
    return secret_scanner.parse(context.run(request))
