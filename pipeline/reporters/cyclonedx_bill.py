"""A bill of materials in the words of CycloneDX 1.6, by cyclonedx-python-lib, which is imported with this module.

Specification: ECMA-424, https://cyclonedx.org/docs/1.6/json/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import count
from typing import Any
from uuid import UUID

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component as Part
from cyclonedx.model.component import ComponentType, Pedigree
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseAcknowledgement, LicenseExpression
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import is_expression, is_supported_id
from packageurl import PackageURL

from pipeline.core.component import Component, ComponentKind
from pipeline.core.safe_text import cut, json_document
from pipeline.reporters.bill import Bill

_SUBJECT = "subject"
_TOOL = "tool"
_LONGEST_VERSION = 1024
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")
_ARCHIVES = "any one of these archives, says the lock"


# Reports are made again after every stage, and an image of 900 packages takes the library 2 s.
@lru_cache(maxsize=4)
def text(bill: Bill) -> str:
    """The document of an undated bill, without its serial number. Keys are sorted: equal bills have equal bytes."""
    subject = Part(
        name=bill.name,
        version=_version(bill.version),
        type=ComponentType.CONTAINER if bill.is_image else ComponentType.APPLICATION,
        purl=_purl(bill.purl),
        bom_ref=_SUBJECT,
    )
    packages = [component for component in bill.components if component.kind is not ComponentKind.FILE]
    parts = _parts(packages)
    name, _, version = bill.generator.partition(" ")
    phase = LifecyclePhase.POST_BUILD if bill.is_image else LifecyclePhase.PRE_BUILD
    bom = Bom(
        # Taken away below: without one the library takes a random number.
        serial_number=UUID(int=0),
        metadata=BomMetaData(
            timestamp=bill.made,
            tools=ToolRepository(components=_tools(name, version)),
            component=subject,
            lifecycles=[PredefinedLifecycle(phase=phase)],
            properties=[_property(key, value) for key, value in bill.remarks if value],
        ),
        components=parts,
    )
    bom.register_dependency(subject, parts)
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    # A part with an empty list has no dependencies, says the specification; of ours that is not known.
    document["dependencies"] = [entry for entry in document["dependencies"] if "dependsOn" in entry]
    _add_files(document, {part.bom_ref.value: component.files for part, component in zip(parts, packages, strict=True)})
    rest = [item for component in bill.components if component.kind is ComponentKind.FILE for item in component.files]
    if rest:
        document["components"] = [*document.get("components", []), *map(_file, dict.fromkeys(rest))]
    document["serialNumber"] = ""
    return json_document(json.dumps(document, indent=2, sort_keys=True) + "\n")


def _add_files(document: dict[str, Any], files: Mapping[str | None, tuple[str, ...]]) -> None:
    """Put each package's files below it. By hand: for the 1,300 files of a small image the library takes seconds."""
    for part in document.get("components", []):
        if told := files.get(part["bom-ref"]):
            part["components"] = [_file(item) for item in dict.fromkeys(told)]


def _file(told: str) -> dict[str, Any]:
    digest, _, path = told.partition("  ")
    if not path or not _SHA256.fullmatch(f"sha256:{digest}"):
        return {"type": "file", "name": told}
    return {"type": "file", "name": path, "hashes": [{"alg": "SHA-256", "content": digest}]}


def _tools(name: str, version: str) -> list[Part]:
    return [Part(name=name, version=_version(version), type=ComponentType.APPLICATION, bom_ref=_TOOL)] if name else []


def _parts(components: Iterable[Component]) -> list[Part]:
    used = {_SUBJECT, _TOOL}
    return [_part(component, used) for component in components]


def _part(component: Component, used: set[str]) -> Part:
    purl = _purl(component.purl)
    hashes = [match[1] for told in component.hashes if (match := _SHA256.fullmatch(told))]
    system = component.kind is ComponentKind.SYSTEM
    ref = _reference(component.purl or f"{component.kind}:{component.name}@{component.version}", used)
    return Part(
        name=component.name,
        version=_version(component.version),
        type=ComponentType.OPERATING_SYSTEM if system else ComponentType.LIBRARY,
        purl=purl,
        bom_ref=ref,
        licenses=_licences(component),
        hashes=_hashes(hashes) if len(hashes) == 1 else [],
        external_references=_archives(purl, hashes) if len(hashes) > 1 else [],
        supplier=OrganizationalEntity(name=component.supplier) if component.supplier else None,
        pedigree=_pedigree(component, purl, _reference(f"{ref}#source", used)),
        evidence=ComponentEvidence(occurrences=[Occurrence(location=component.place)]) if component.place else None,
        properties=[_property("marker", component.marker)] if component.marker else [],
    )


def _reference(wanted: str, used: set[str]) -> str:
    """A name of its own for a part; for one that another has already, the library would take a random number."""
    names = (f"{wanted}#{number}" for number in count(2))
    name = wanted if wanted not in used else next(name for name in names if name not in used)
    used.add(name)
    return name


def _version(told: str) -> str | None:
    return cut(told, _LONGEST_VERSION) or None


def _hashes(digests: Iterable[str]) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in digests]


def _archives(purl: PackageURL | None, digests: Iterable[str]) -> list[ExternalReference]:
    """A lock names several archives of a release; which of them is the component depends on who installs it."""
    if purl is None:
        return []
    reference = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(purl.to_string()),
        comment=_ARCHIVES,
        hashes=_hashes(digests),
    )
    return [reference]


def _licences(component: Component) -> list[License]:
    """A list of licences that all hold, or one expression: CycloneDX has no list with an expression in it."""
    known = [licence for licence in component.licences if is_supported_id(licence)]
    others = [licence for licence in component.licences if licence not in known]
    names = [name for name in component.licence_names if name]
    declared = LicenseAcknowledgement.DECLARED
    if others and not names and all(map(is_expression, others)):
        together = [*known, *(f"({other})" if len(component.licences) > 1 else other for other in others)]
        return [LicenseExpression(" AND ".join(together), acknowledgement=declared)]
    return [
        *(DisjunctiveLicense(id=licence, acknowledgement=declared) for licence in known),
        *(DisjunctiveLicense(name=name, acknowledgement=declared) for name in [*filter(None, others), *names]),
    ]


def _pedigree(component: Component, purl: PackageURL | None, ref: str) -> Pedigree | None:
    """The source package: what Debian's own advisories name. purl-spec, type deb: "arch=source"."""
    name, _, version = component.source.rpartition(" ")
    if not name:
        return None
    distro = purl.qualifiers.get("distro") if purl is not None and isinstance(purl.qualifiers, dict) else None
    url = (
        PackageURL(
            type=purl.type,
            namespace=purl.namespace,
            name=name,
            version=version,
            qualifiers={"arch": "source", **({"distro": distro} if distro else {})},
        )
        if purl is not None
        else None
    )
    source = Part(name=name, version=_version(version), type=ComponentType.LIBRARY, purl=url, bom_ref=ref)
    return Pedigree(ancestors=[source])


def _purl(told: str) -> PackageURL | None:
    """The package URL as the library knows it; one that is none says nothing."""
    try:
        return PackageURL.from_string(told) if told else None
    except ValueError:
        return None


def _property(name: str, value: str) -> Property:
    # https://cyclonedx.github.io/cyclonedx-property-taxonomy/: a name of one's own begins with whose it is.
    return Property(name=f"proven-pipeline:{name}", value=value)
