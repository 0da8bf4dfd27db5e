"""What an image must be before anybody starts it, judged from its configuration and the files of its layers.

The rules are in :mod:`pipeline.core.image_rules`. What they find are findings like any other: each at the instruction
of the Dockerfile (or the line of the lock) that answers for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.component import Component, ComponentKind
from pipeline.core.containers import ContainerEngine, Image
from pipeline.core.dockerfile_lines import parse_recipe
from pipeline.core.evidence import Control, listed
from pipeline.core.expectations import Expectations, Seen, expectation_hits
from pipeline.core.finding import Finding, weighed
from pipeline.core.image_controls import CHECK, expectation_control, hardening_controls, hardening_hits
from pipeline.core.image_file_rules import is_read
from pipeline.core.image_rules import HARDENING, Hit
from pipeline.core.image_tree import ImageTree
from pipeline.core.lock import Pin
from pipeline.core.stage import Metric, NotChecked
from pipeline.images.contents import ImageContents
from pipeline.images.layers import history, read_tree
from pipeline.stages.context import Context
from pipeline.stages.image_files import is_file_list, with_files
from pipeline.stages.image_judgement import Judgement, found_notes, keep, licence_note
from pipeline.stages.image_licences import licence_hits
from pipeline.stages.image_packages import Compared, Packages, compare, is_record
from pipeline.stages.image_places import Place
from pipeline.stages.image_secrets import Searchable, Searched, search
from pipeline.stages.image_vulnerabilities import (
    Known,
    debian_vulnerabilities,
    expected,
    placed,
    python_vulnerabilities,
)

_OF_STRANGERS = ("IMG-TESTS", "IMG-ALTERED")
_OF_PACKAGES = ("IMG-PACKAGE-MISSING", "IMG-PACKAGE-EXTRA", "IMG-PACKAGE-ALTERED")
_OF_SECRETS = ("IMG-LAYER-SECRET", "IMG-BUILD-SECRET")
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """What an image holds beyond what it should: test files of the project, files unlike the snapshot's, packages
    beside the lock.
    """

    tests: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    other_versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """An image and what is known of it: its docker-archive, its records, the locked packages of its platform, the
    wheels that it was given, and how many of its layers are its base's. ``may_also_hold`` as in image_parts.Parts.
    """

    image: Image
    archive: Path
    contents: ImageContents
    components: tuple[Component, ...]
    pins: tuple[Pin, ...] = ()
    wheels: tuple[Path, ...] = ()
    may_also_hold: frozenset[str] | None = frozenset()
    strangers: Strangers = field(default_factory=Strangers)
    base_layers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What each of the checks saw, before it becomes findings."""

    tree: ImageTree
    text: str
    compared: Compared
    searched: Searched
    known: Known
    unexpected: tuple[Hit, ...]
    kept_to: frozenset[str]


def judge(context: Context, subject: Inspected) -> Judgement:
    """Hold an image against every rule. What could not be told is a doubt, and hides nothing that was found."""
    build, seen = context.settings.build, _looked_at(context, subject)
    findings = weighed(_findings(context, subject, seen), fail_on=build.fail_on)
    rules = (*HARDENING, *_OF_STRANGERS, *_OF_PACKAGES, *(("IMG-LICENCE",) if build.licences else ()))
    judged = Judgement(
        findings=findings,
        expected=_expected(context, subject, seen.compared) | _named((*rules, *_OF_SECRETS)),
        checked=frozenset(f"layer {digest}" for digest in seen.tree.diff_ids)
        | {f"expectation {name}" for name in seen.kept_to}
        | seen.known.checked
        | _named((*rules, *(_OF_SECRETS if seen.searched.finished else ()))),
        controls=(*controls(), *seen.searched.controls, *seen.known.controls),
        not_checked=(*seen.searched.not_checked, *seen.known.not_checked, *_left_open(context, seen.compared)),
        doubts=(*seen.searched.doubts, *seen.known.doubts),
        notes=(*found_notes(findings), *seen.known.notes, licence_note(subject.components)),
        metrics=_metrics(findings, seen),
        details={"expectations": dict(build.expect.told)} if build.expect else {},
        tools=(*seen.searched.tools, *seen.known.tools),
        components=with_files(subject.components, seen.compared.listings, seen.tree),
    )
    keep(context, judged)
    return judged


def _looked_at(context: Context, subject: Inspected) -> _Seen:
    image, expect = subject.image, context.settings.build.expect
    with subject.archive.open("rb") as stream:
        tree = read_tree(stream, lambda path: _is_read(path, expect))
        steps = history(stream)
    own = frozenset(entry.digest for entry in context.snapshot.entries)
    packages = Packages(
        found=subject.contents.python_records(),
        pins=subject.pins,
        wheels=subject.wheels,
        may_also_hold=subject.may_also_hold,
        own=own,
    )
    compared = compare(packages, tree)
    searchable = Searchable(
        image=image,
        tree=tree,
        archive=subject.archive,
        history=steps,
        known=frozenset(tree.nodes[path].sha256 for path in compared.vouched),
        base_layers=subject.base_layers,
    )
    release = subject.contents.release().get("VERSION_ID", "")
    unexpected, kept_to = expectation_hits(
        expect, Seen(user=image.user, configuration=image.configuration, labels=image.labels, tree=tree)
    )
    return _Seen(
        tree=tree,
        text=_text(context, context.settings.build.dockerfile),
        compared=compared,
        searched=search(context, searchable),
        known=python_vulnerabilities(context, compared.unlocked)
        | debian_vulnerabilities(context, subject.components, release),
        unexpected=unexpected,
        kept_to=kept_to,
    )


def _findings(context: Context, subject: Inspected, seen: _Seen) -> Iterable[Finding]:
    build, image = context.settings.build, subject.image
    lines = {pin.name: pin.line for pin in reversed(subject.pins)}
    place = Place(
        recipe=parse_recipe(seen.text),
        dockerfile=build.dockerfile,
        lock=context.settings.audit.lock,
        base_layers=subject.base_layers,
        layers=len(seen.tree.diff_ids),
    )
    hits = (
        *hardening_hits(image.user, image.configuration, seen.text, seen.tree),
        *_stranger_hits(subject.strangers, seen.tree),
        *seen.compared.hits,
        *seen.searched.hits,
        *(licence_hits(subject.components, build.licences, build.licence_of, lines) if build.licences else ()),
        *seen.unexpected,
    )
    yield from map(place.finding, hits)
    yield from (placed(finding, place.dockerfile, place.recipe.from_line) for finding in seen.known.findings)


def layers_of_base(image: Image, engine: ContainerEngine, names: Iterable[str]) -> int:
    """How many of the image's lowest layers are those of one of the images of these names, which the engine has."""
    known = (engine.image(name) for name in names)
    counts = (len(base.diff_ids) for base in known if base and image.diff_ids[: len(base.diff_ids)] == base.diff_ids)
    return max(counts, default=0)


def controls() -> tuple[Control, ...]:
    """Planted images, which the rules must object to: of those rules that need nothing but an image in memory."""
    allowed, component = ("MIT",), Component(kind=ComponentKind.PYTHON, name="planted", version="1", licences=("0BSD",))
    pin = Pin(name="planted", version="1", hashes=(), line=1)
    missing = compare(Packages(found=(), pins=(pin,), wheels=(), may_also_hold=None), ImageTree())
    return (
        *hardening_controls(),
        expectation_control(),
        Control(
            tool=CHECK,
            planted="licence that is not allowed",
            caught=len(licence_hits([component], allowed, {}, {})) == 1,
        ),
        Control(
            tool=CHECK,
            planted="locked package that is not in the image",
            caught=[hit.rule for hit in missing.hits] == ["IMG-PACKAGE-MISSING"],
        ),
    )  # fmt: skip


def _is_read(path: str, expect: Expectations) -> bool:
    return is_read(path) or is_record(path) or is_file_list(path) or expect.reads(path)


def _named(rules: Iterable[str]) -> frozenset[str]:
    return frozenset(f"check {rule}" for rule in rules)


def _expected(context: Context, subject: Inspected, compared: Compared) -> frozenset[str]:
    """What must be checked besides the rules: known without the checks, from the engine and the settings."""
    build = context.settings.build
    return (
        frozenset(f"layer {digest}" for digest in subject.image.diff_ids)
        | {f"expectation {name}" for name in build.expect.names}
        | expected(compared.unlocked, subject.components, debian=bool(build.debian_advisories))
    )


def _stranger_hits(strangers: Strangers, tree: ImageTree) -> Iterable[Hit]:
    for rule, paths, what in (
        ("IMG-TESTS", strangers.tests, "is a test of the project, and lies in the image"),
        ("IMG-ALTERED", strangers.altered, "is in the image with another content than in the snapshot"),
    ):
        for path in paths:
            node = next((n for n in tree.files if n.shown.endswith(f"/{path}")), None)
            yield Hit(rule=rule, message=f"{path} {what}.", path=node.path if node else path,
                      layer=node.layer if node else len(tree.diff_ids) - 1)  # fmt: skip


def _left_open(context: Context, compared: Compared) -> tuple[NotChecked, ...]:
    audit = context.results.get("audit")
    told = f"which is {audit.status}" if audit is not None else "which is not part of this run"
    reason = f"They are the lock's, and what is known of the lock is the audit stage's to say, {told}."
    found = [NotChecked(what="known vulnerabilities of the locked Python packages in the image", reason=reason)]
    if compared.unlisted:
        what = f"the files of {listed(compared.unlisted, _MOST_NAMED)}"
        found.append(NotChecked(what=what, reason="No list of them with digests is there to compare them with."))
    if not context.settings.build.licences:
        reason = "build.licences names none that are allowed, so all are; the bill of materials shows them."
        found.append(NotChecked(what="licences of the packages in the image", reason=reason))
    return tuple(found)


def _metrics(findings: tuple[Finding, ...], seen: _Seen) -> dict[str, Metric]:
    return {
        "image_findings": len(findings),
        "image_files": sum(1 for _ in seen.tree.files),
        "hidden_files": len(seen.tree.buried),
        "files_searched_for_secrets": seen.searched.files,
        **dict(seen.known.metrics),
    }


def _text(context: Context, path: str) -> str:
    if path not in context.snapshot.by_path:
        return ""
    return (context.tree / path).read_text(encoding="utf-8", errors="replace")
