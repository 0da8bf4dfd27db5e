"""An image by the name that a person gives: which registry, repository, tag or digest; or an OCI layout in a folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.core.ports import Redactor
from pipeline.engines.registry_auth import PASSWORD, USERNAME, find_credentials
from pipeline.engines.registry_client import RegistryClient
from pipeline.engines.registry_transport import Address, RegistryTransport
from pipeline.errors import ConfigurationError
from pipeline.execution.clock import SystemClock
from pipeline.execution.oci_layout import OciLayout
from pipeline.settings_push import Push

_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_NAMED = re.compile(
    r"(?P<host>[^/@\s]*[.:\]][^/@\s]*|localhost)/(?P<repository>[a-z0-9][a-z0-9._/-]*)"
    rf"(:(?P<tag>{_TAG}))?(@(?P<digest>{_DIGEST}))?"
)
_SHORT = re.compile(rf"(?P<reference>{_DIGEST}|{_TAG})")
_LAYOUT = re.compile(rf"oci:(?P<folder>.+?)(:(?P<tag>{_TAG})|@(?P<digest>{_DIGEST}))")
_OURS = re.compile(r"sha256-[0-9a-f]{64}(\.\w+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """``reference`` is a tag or a digest; ``folder`` is an OCI layout, or empty for a registry."""

    reference: str
    host: str = ""
    repository: str = ""
    folder: str = ""


def read_reference(text: str, push: Push) -> ImageReference:
    """What ``text`` names; a tag or a digest alone is one in the repository that the settings push to.

    Raises:
        ConfigurationError: it names no image.
    """
    if match := _LAYOUT.fullmatch(text):
        return ImageReference(folder=match["folder"], reference=match["digest"] or match["tag"])
    if (match := _NAMED.fullmatch(text)) and (reference := match["digest"] or match["tag"]):
        return ImageReference(host=match["host"], repository=match["repository"], reference=reference)
    if (match := _SHORT.fullmatch(text)) and push.registry:
        return ImageReference(host=push.registry, repository=push.repository, reference=match["reference"])
    raise ConfigurationError(
        f"{text!r} does not name an image by a tag or a digest.",
        advice="Write host/repository:tag, host/repository@sha256:…, oci:FOLDER:tag; "
        "or a tag or digest alone, where push.registry is set.",
    )


def check_tag(tag: str) -> None:
    """Raises ConfigurationError for what can't be a tag, or is one that belongs to signatures."""
    if not re.fullmatch(_TAG, tag) or _OURS.fullmatch(tag):
        raise ConfigurationError(
            f"{tag!r} can't be the tag of an image.",
            advice="Use letters, digits and . _ - ; and not the form sha256-…, under which signatures lie.",
        )


def opened(
    named: ImageReference, push: Push, environ: Mapping[str, str], redact: Redactor
) -> RegistryClient | OciLayout:
    """The registry, or the layout, that holds the image.

    The login of the environment is for the registry of the settings, and goes to no other.

    Raises:
        ConfigurationError: there is no such layout.
        RegistryTrouble: a credential helper fails.
    """
    if named.folder:
        return OciLayout(Path(named.folder))
    if named.host != push.registry:
        environ = {name: value for name, value in environ.items() if name not in (USERNAME, PASSWORD)}
    credentials = find_credentials(named.host, environ)
    for secret in credentials.secrets:
        redact.also(secret)
    transport = RegistryTransport(
        Address(host=named.host, insecure=push.insecure, ca_file=push.ca_file),
        credentials,
        clock=SystemClock(),
        timeout_s=push.timeout_s,
        hide=redact.also,
    )
    return RegistryClient(transport, named.repository, rehearsal=False, credentials=credentials.for_engine)


def settings_without_checkout(environ: Mapping[str, str]) -> Push:
    """What counts where there is no pyproject.toml: the environment's word on how a private registry is reached."""
    return replace(
        Push(),
        ca_file=environ.get("PIPELINE_PUSH_CA_FILE", ""),
        insecure=environ.get("PIPELINE_PUSH_INSECURE", "").lower() == "true",
    )
