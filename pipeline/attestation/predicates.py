"""What is said of an image: where it comes from, what it has passed, and that both were looked at.

Sources: SLSA Provenance v1 (https://slsa.dev/spec/v1.0/provenance), SLSA Verification Summary v1
(https://slsa.dev/spec/v1.0/verification_summary), in-toto's Test Result predicate v0.1
(https://github.com/in-toto/attestation, ``spec/predicates/test-result.md``), ResourceDescriptor v1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

BUILD_TYPE = "urn:proven-pipeline:container-build:v1"
"""The parameters and the dependencies of such a build are explained in docs/signing.md."""
LOCAL_BUILDER = "urn:proven-pipeline:local-builder"
"""The builder's id where neither the settings nor a CI system name one."""
POLICY = "urn:proven-pipeline:policy"
PASSED = "PASSED"
BUILD_LEVEL = "SLSA_BUILD_LEVEL_1"
"""Provenance exists and is signed. More needs a builder that the build itself can't reach (SLSA v1.0, "Levels")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Who builds: ``id`` is a URI; ``version`` is this package's release; ``invocation`` names the run.

    ``source`` is the URI of the source repository, or nothing where it is not known.
    """

    id: str
    version: str = ""
    invocation: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """One thing that went into the image, with its digests by algorithm; ``uri`` is often a package URL."""

    name: str
    digest: Mapping[str, str]
    uri: str = ""

    def descriptor(self) -> dict[str, Any]:
        """As a ResourceDescriptor."""
        named = {"name": self.name, "uri": self.uri}
        return {**{key: value for key, value in named.items() if value}, "digest": dict(self.digest)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How an image was made: ``parameters`` from outside, ``internal`` ones, and every input. Times are ISO 8601."""

    parameters: Mapping[str, Any]
    internal: Mapping[str, Any]
    materials: tuple[Material, ...]
    started: str
    finished: str
    byproducts: tuple[Material, ...] = field(default=())


def provenance(making: Making, builder: Builder) -> dict[str, Any]:
    """Where it comes from."""
    metadata = {"invocationId": builder.invocation, "startedOn": making.started, "finishedOn": making.finished}
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": dict(making.parameters),
            "internalParameters": dict(making.internal),
            "resolvedDependencies": [material.descriptor() for material in making.materials],
        },
        "runDetails": {
            "builder": {"id": builder.id, "version": {"proven-pipeline": builder.version}},
            "metadata": {name: value for name, value in metadata.items() if value},
            "byproducts": [material.descriptor() for material in making.byproducts],
        },
    }


def test_result(passed: Sequence[str], configuration: Iterable[Material]) -> dict[str, Any]:
    """What it has passed: the stages by their names. Nothing that did not pass is ever signed."""
    return {
        "result": PASSED,
        "configuration": [material.descriptor() for material in configuration],
        "passedTests": list(passed),
        "warnedTests": [],
        "failedTests": [],
    }


def verification_summary(
    image: str, policy_digest: str, looked_at: Iterable[Material], builder: Builder, when: str
) -> dict[str, Any]:
    """That the pipeline has looked at all of it before the image got a tag; ``image`` is its package URL."""
    return {
        "verifier": {"id": builder.id, "version": {"proven-pipeline": builder.version}},
        "timeVerified": when,
        "resourceUri": image,
        "policy": {"uri": POLICY, "digest": {"sha256": policy_digest}},
        "inputAttestations": [material.descriptor() for material in looked_at],
        "verificationResult": PASSED,
        "verifiedLevels": [BUILD_LEVEL],
        "slsaVersion": "1.0",
    }


def image_url(reference: str, digest: str) -> str:
    """The package URL of an image (purl specification, type ``oci``): ``reference`` is ``host/repository``."""
    name = reference.rpartition("/")[2].lower()
    return f"pkg:oci/{name}@{quote(digest, safe='')}?repository_url={quote(reference, safe='/')}"
