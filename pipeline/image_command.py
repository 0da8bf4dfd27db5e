"""``pipeline verify --image`` and ``pipeline promote``: what is signed about an image, judged by a policy."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.attestation.checking import checked
from pipeline.attestation.demands import Demands, read_demands, usual
from pipeline.attestation.reading import held
from pipeline.attestation.trust import Trust
from pipeline.console_plain import tell
from pipeline.core.containers import Holder, Manifest, Registry
from pipeline.core.ports import Redactor
from pipeline.core.safe_text import json_document
from pipeline.core.stage import Status
from pipeline.core.verdict import EXIT_CODES
from pipeline.core.verification import Answer, Statement, confirmed, contradicted, standing
from pipeline.errors import ConfigurationError, RegistryTrouble
from pipeline.execution.oci_layout import OciLayout
from pipeline.execution.redaction import SecretRedactor
from pipeline.image_reference import ImageReference, check_tag, opened, read_reference, settings_without_checkout
from pipeline.settings import STAGE_NAMES
from pipeline.settings_push import Push
from pipeline.signing_opening import Named
from pipeline.signing_opening import believed as whose
from pipeline.workplace import Workplace


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """Whose signature counts, what is demanded, and how registries are reached."""

    push: Push
    signer: Trust
    demands: Demands
    environ: Mapping[str, str]
    redact: Redactor

    @classmethod
    def of(
        cls,
        place: Workplace | None,
        environ: Mapping[str, str],
        redact: Redactor,
        *,
        named: Named | None = None,
        policy: str = "",
    ) -> Believed:
        """From the checkout's settings, where there is one, and from who is ``named`` and ``policy`` before those.

        Raises:
            ConfigurationError: nobody is believed, or a file can't be used.
        """
        push = place.settings.push if place else settings_without_checkout(environ)
        demands = usual(place.settings.project.required if place else STAGE_NAMES)
        file = policy or push.policy
        if file:
            demands = read_demands(_text(file), file, demands)
        counts = whose(push, environ, redact, named)
        return cls(push=push, signer=counts, demands=demands, environ=environ, redact=redact)


def believed(options: argparse.Namespace, place: Callable[[], Workplace]) -> Believed:
    """As the options say. An image can be verified anywhere; where there is a project, its settings count."""
    here = Path.cwd()
    project = any((folder / "pyproject.toml").exists() for folder in (here, *here.parents))
    where = place() if project else None
    redact = where.redact if where else SecretRedactor(os.environ)
    named = Named(key=options.key, identity=options.identity, issuer=options.issuer, trusted_root=options.trusted_root)
    return Believed.of(where, os.environ, redact, named=named, policy=options.policy)


def verify_image(reference: str, trust: Believed, *, as_json: bool) -> int:
    """Say all that can be said of the image; 0 if it may be believed, 1 if not.

    Raises:
        ConfigurationError: the name is none.
        RegistryTrouble: the registry gives no sound answer.
    """
    named = read_reference(reference, trust.push)
    with contextlib.closing(opened(named, trust.push, trust.environ, trust.redact)) as holder:
        _, statements = judged(holder, named, trust)
    status = standing(statements, Status.PASS)
    if as_json:
        document = {
            "image": reference,
            "verdict": status,
            "exit_code": EXIT_CODES[status],
            "conclusion": _conclusion(status),
            "statements": [asdict(statement) for statement in statements],
        }
        sys.stdout.write(json_document(json.dumps(document, indent=2)) + "\n")
    else:
        _print(statements, _conclusion(status))
    return EXIT_CODES[status]


def promote(reference: str, tag: str, trust: Believed) -> int:
    """Give the image another tag, by the same bytes, if it may be believed; 0 if the tag names it then, 1 if refused.

    Raises:
        ConfigurationError: the name or the tag is none, or lies in no registry.
        RegistryTrouble: the registry gives no sound answer, or does not keep the tag.
    """
    check_tag(tag)
    named = read_reference(reference, trust.push)
    with contextlib.closing(opened(named, trust.push, trust.environ, trust.redact)) as holder:
        if isinstance(holder, OciLayout):
            raise ConfigurationError("Only what lies in a registry can be promoted.")
        image, statements = judged(holder, named, trust)
        status = standing(statements, Status.PASS)
        if image is None or status is not Status.PASS:
            _print(statements, f"{_conclusion(status)} It was not promoted.")
            return EXIT_CODES[Status.FAIL]
        _print(statements, _conclusion(status))
        _tagged(holder, tag, image)
    tell(sys.stdout, f"{holder.reference}:{tag} is {image.digest} now.")
    return EXIT_CODES[Status.PASS]


def judged(holder: Holder, named: ImageReference, trust: Believed) -> tuple[Manifest | None, tuple[Statement, ...]]:
    """The image, and what can be said of it."""
    image = holder.manifest(named.reference)
    if image is None:
        return None, (contradicted("image", f"{holder.reference} has no image {named.reference}."),)
    which = confirmed("image", f"{named.reference} in {holder.reference} is {image.digest}.")
    return image, (which, *checked(held(holder, image), trust.signer, trust.demands, datetime.now(UTC)))


def _tagged(registry: Registry, tag: str, image: Manifest) -> None:
    registry.put_manifest(tag, image)
    found = registry.manifest(tag)
    if found is None or found.body != image.body:
        raise RegistryTrouble(f"{registry.reference} does not keep the tag {tag} on {image.digest}.")


def _conclusion(status: Status) -> str:
    return (
        "The image may be believed: everything that is demanded is signed, and says pass."
        if status is Status.PASS
        else "The image is not to be believed."
    )


def _print(statements: tuple[Statement, ...], last: str) -> None:
    """What speaks against the image last, where a reader of a terminal looks first."""
    order = list(Answer)
    width = max(len(answer) for answer in Answer)
    for statement in sorted(statements, key=lambda item: order.index(item.answer)):
        tell(sys.stdout, f"{statement.answer:<{width}}  {statement.about}: {statement.text}")
    tell(sys.stdout, last)


def _text(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The policy {name!r} can't be read.", why=f"{error}.") from error
