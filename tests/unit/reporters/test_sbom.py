"""The bills of materials are valid CycloneDX 1.6 whatever they list, say no more than is known, and are repeatable."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.component import Component, ComponentKind
from pipeline.core.run_record import Report
from pipeline.core.stage import NotChecked, StageResult
from pipeline.reporters import cyclonedx_bill, sbom
from tests.samples import COMPONENTS, TEXT, passed, report, results

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)
ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
FLASK = Component(
    kind=ComponentKind.PYTHON,
    name="flask",
    version="3.1.3",
    purl="pkg:pypi/flask@3.1.3",
    hashes=(ONE, TWO),
    place="requirements.txt",
    marker='python_version < "4"',
)
LIBC = Component(
    kind=ComponentKind.DEBIAN,
    name="libc6",
    version="2.41-12",
    purl="pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=debian-13",
    licences=("GPL-2.0-only", "ISC"),
    licence_names=("IBM",),
    hashes=(ONE,),
    supplier="GNU Libc Maintainers",
    source="glibc 2.41-12",
    place="var/lib/dpkg/status",
)
DEBIAN = Component(kind=ComponentKind.SYSTEM, name="debian", version="13")


def audited(*components: Component) -> StageResult:
    """A result of ``audit`` that knows these."""
    return replace(passed("audit"), components=components)


def built(*components: Component, **changes: Any) -> StageResult:
    """A result of ``build`` that knows these."""
    metrics = {"tag": "example.org/team/echo:abc", "image_id": ONE}
    return replace(passed("build"), **{"metrics": metrics, "components": components, **changes})


def bills(made: Report) -> dict[str, dict[str, Any]]:
    """The documents by their place, once they have been held against the schema."""
    texts = sbom.render(made)
    for text in texts.values():
        assert VALIDATOR.validate_str(text) is None
        assert text.isascii()
    return {place: json.loads(text) for place, text in texts.items()}


def anew(made: Report) -> str:
    """The image's bill, and not one that is remembered."""
    cyclonedx_bill.text.cache_clear()
    return sbom.render(made)[sbom.IMAGE]


def the_only(component: Component) -> dict[str, Any]:
    """A component as the image's bill lists it."""
    (part,) = bills(report(built(component)))[sbom.IMAGE]["components"]
    return {key: value for key, value in part.items() if key != "bom-ref"}


def test_a_debian_package_is_told_with_licences_hash_source_and_place() -> None:
    declared = {"acknowledgement": "declared"}
    assert the_only(LIBC) == {
        "type": "library",
        "name": "libc6",
        "version": "2.41-12",
        "purl": LIBC.purl,
        "licenses": [
            {"license": {**declared, "id": "GPL-2.0-only"}},
            {"license": {**declared, "id": "ISC"}},
            {"license": {**declared, "name": "IBM"}},
        ],
        "hashes": [{"alg": "SHA-256", "content": "1" * 64}],
        "supplier": {"name": "GNU Libc Maintainers"},
        "pedigree": {
            "ancestors": [
                {
                    "bom-ref": f"{LIBC.purl}#source",
                    "type": "library",
                    "name": "glibc",
                    "version": "2.41-12",
                    "purl": "pkg:deb/debian/glibc@2.41-12?arch=source&distro=debian-13",
                }
            ]
        },
        "evidence": {"occurrences": [{"location": "var/lib/dpkg/status"}]},
    }


def test_a_locked_package_refers_to_each_archive_that_it_may_be() -> None:
    (part,) = bills(report(audited(FLASK)))[sbom.PYTHON]["components"]
    assert "hashes" not in part
    (reference,) = part["externalReferences"]
    assert (reference["type"], reference["url"]) == ("distribution", FLASK.purl)
    assert [item["content"] for item in reference["hashes"]] == ["1" * 64, "2" * 64]
    assert part["properties"] == [{"name": "proven-pipeline:marker", "value": 'python_version < "4"'}]
    assert "licenses" not in part


def test_a_lock_s_licences_are_those_of_the_same_release_in_the_image() -> None:
    seen = replace(FLASK, licences=("BSD-3-Clause",), hashes=(ONE,))
    other = replace(FLASK, version="3.1.2", purl="pkg:pypi/flask@3.1.2")
    made = bills(report(audited(FLASK, other), built(seen)))
    known = {part["version"]: part.get("licenses") for part in made[sbom.PYTHON]["components"]}
    licence = {"license": {"acknowledgement": "declared", "id": "BSD-3-Clause"}}
    assert known == {"3.1.3": [licence], "3.1.2": None}
    assert made[sbom.IMAGE]["components"][0]["hashes"][0]["content"] == "1" * 64


@pytest.mark.parametrize(
    ("licences", "names", "told"),
    [
        (("MIT OR Apache-2.0",), (), [{"expression": "MIT OR Apache-2.0"}]),
        (("ISC", "MIT OR Apache-2.0"), (), [{"expression": "ISC AND (MIT OR Apache-2.0)"}]),
        (("MIT OR Apache-2.0",), ("own",), [{"license": {"name": "MIT OR Apache-2.0"}}, {"license": {"name": "own"}}]),
        (("what",), (), [{"license": {"name": "what"}}]),
        ((), ("",), []),
        ((), (), []),
    ],
)
def test_an_expression_stands_alone(licences: tuple[str, ...], names: tuple[str, ...], told: list[Any]) -> None:
    """CycloneDX 1.6 has a list of licences, or one expression."""
    shown = the_only(replace(LIBC, licences=licences, licence_names=names)).get("licenses", [])
    for item in shown:
        assert item.get("license", item).pop("acknowledgement") == "declared"
    assert shown == told


def test_the_subject_is_the_image_or_the_application_and_all_parts_hang_on_it() -> None:
    made = bills(report(audited(FLASK), built(DEBIAN, LIBC)))
    application, image = (made[place]["metadata"] for place in sbom.PLACES)
    assert (application["component"]["type"], application["lifecycles"]) == ("application", [{"phase": "pre-build"}])
    assert image["component"] == {
        "bom-ref": "subject",
        "type": "container",
        "name": "example.org/team/echo",
        "version": "abc",
        "purl": f"pkg:docker/example.org/team/echo@{ONE}",
    }
    assert image["lifecycles"] == [{"phase": "post-build"}]
    references = [part["bom-ref"] for part in made[sbom.IMAGE]["components"]]
    assert made[sbom.IMAGE]["dependencies"] == [{"ref": "subject", "dependsOn": sorted(references)}]
    kinds = {part["name"]: part["type"] for part in made[sbom.IMAGE]["components"]}
    assert kinds == {"debian": "operating-system", "libc6": "library"}


def test_the_time_and_the_tool_are_the_run_s() -> None:
    made = report(audited(FLASK))
    made = replace(made, record=replace(made.record, generator="proven-pipeline 0.1.0"))
    metadata = bills(made)[sbom.PYTHON]["metadata"]
    assert metadata["timestamp"] == "2026-01-01T00:00:00+00:00"
    (tool,) = metadata["tools"]["components"]
    assert (tool["name"], tool["version"]) == ("proven-pipeline", "0.1.0")


def test_what_was_not_checked_is_said_in_the_bill_itself() -> None:
    lacking = NotChecked(what="the operating system's packages", reason="The image has no records.")
    told = bills(report(built(FLASK, not_checked=(lacking,))))[sbom.IMAGE]["metadata"]["properties"]
    assert {"name": "proven-pipeline:image-id", "value": ONE} in told
    assert {
        "name": "proven-pipeline:not-checked",
        "value": "the operating system's packages: The image has no records.",
    } in told


def test_without_components_there_is_no_bill() -> None:
    assert not sbom.render(report(audited(), built(), replace(passed("lint"), components=(FLASK,))))


def test_equal_bills_have_equal_bytes_and_other_content_another_serial_number() -> None:
    one, again = (anew(report(built(LIBC, FLASK))) for _ in range(2))
    other = sbom.render(report(built(FLASK)))[sbom.IMAGE]
    assert one == again
    numbers = [json.loads(text)["serialNumber"] for text in (one, other)]
    assert numbers[0] != numbers[1]
    assert all(UUID(number).version == 5 for number in numbers)
    assert json.loads(one)["version"] == 1


def test_two_components_of_one_name_are_both_told() -> None:
    twice = bills(report(built(LIBC, LIBC, replace(LIBC, place="elsewhere"))))[sbom.IMAGE]
    assert len(twice["components"]) == len(twice["dependencies"][0]["dependsOn"]) == 3


@pytest.mark.parametrize("purl", ["subject", "tool", f"{LIBC.purl}#2", f"{LIBC.purl}#source"])
def test_no_component_takes_the_place_of_another_part(purl: str) -> None:
    """Two of one name would be told apart by random numbers."""
    made = report(built(replace(LIBC, purl=purl), LIBC, LIBC))
    made = replace(made, record=replace(made.record, generator="proven-pipeline 0.1.0"))
    text = anew(made)
    assert text == anew(made)
    references = re.findall(r'"bom-ref": (".*")', text)
    assert len(references) == len(set(references)) == 8


def test_a_run_without_bills_does_not_wait_for_the_library() -> None:
    code = (
        "import sys; from pipeline.reporters import FORMATS; from tests.samples import passed, report\n"
        "[item.files(report(passed())) for item in FORMATS.values()]\n"
        "assert not [name for name in sys.modules if name.startswith('cyclonedx')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


HOSTILE = st.lists(COMPONENTS, min_size=1, max_size=5).map(tuple)


@settings(max_examples=40)
@given(HOSTILE, HOSTILE, TEXT, TEXT, results("scan"))
def test_any_text_makes_a_valid_bill_that_names_every_component(
    locked: tuple[Component, ...], found: tuple[Component, ...], tag: str, image_id: str, other: StageResult
) -> None:
    stage = built(*found, metrics={"tag": tag, "image_id": image_id})
    made = report(replace(other, name="audit", components=locked), stage)
    made = replace(made, record=replace(made.record, commit=tag, generator=image_id, policy={"name": tag}))
    documents = bills(made)
    for place, components in ((sbom.PYTHON, locked), (sbom.IMAGE, found)):
        parts = documents[place].get("components", [])
        packages = [component for component in components if component.kind is not ComponentKind.FILE]
        files = {line for c in components if c.kind is ComponentKind.FILE for line in c.files}
        assert len(parts) == len(packages) + len(files)
        assert len({part["bom-ref"] for part in parts if "bom-ref" in part}) == len(packages)


@given(HOSTILE)
def test_no_text_reaches_a_log_or_a_page_as_more_than_text(found: tuple[Component, ...]) -> None:
    text = sbom.render(report(built(*found)))[sbom.IMAGE]
    assert not re.search(r"[<>\x00-\x09\x0b-\x1f\x7f]|##(\[|vso)", text)
    assert not re.search(r"(?m)^\s*(::|section_)", text)


def test_files_stand_below_their_package_and_the_rest_by_itself() -> None:
    digest = "a" * 64
    package = replace(FLASK, files=(f"{digest}  /opt/flask/__init__.py",))
    rest = Component(kind=ComponentKind.FILE, name="files of no package", version="", files=(f"{digest}  /app/a b.py",))
    text = sbom.render(report(built(package, LIBC, rest)))[sbom.IMAGE]
    assert VALIDATOR.validate_str(text) is None
    parts = {part["name"]: part for part in json.loads(text)["components"]}
    hashes = [{"alg": "SHA-256", "content": digest}]
    assert parts["flask"]["components"] == [{"type": "file", "name": "/opt/flask/__init__.py", "hashes": hashes}]
    assert parts["/app/a b.py"] == {"type": "file", "name": "/app/a b.py", "hashes": hashes}
    assert set(parts) == {"flask", "libc6", "/app/a b.py"} and "components" not in parts["libc6"]
