"""A reader for every file of every format, by parsers of others' making: what texts, links and structure they see.

Markdown is read by GitHub's own parser (cmark-gfm), HTML as browsers do (html5lib, which also refuses what is no valid
HTML), OpenMetrics by Prometheus' client.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import html5lib
from lxml import etree
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pipeline.core.run_record import Report
from pipeline.reporters import FORMATS
from tests.hostile import unseen_in

# It has no types.
_CMARK: Any = importlib.import_module("cmarkgfm")
_UNSAFE: int = importlib.import_module("cmarkgfm.cmark").Options.CMARK_OPT_UNSAFE
_families: Callable[[str], Iterable[Any]] = text_string_to_metric_families
_LEADING = frozenset({"href", "src", "action", "formaction", "data", "poster", "srcset", "xlink:href", "cite", "ping"})
_ADDRESSES = frozenset({"uri", "helpUri", "informationUri", "url"})
_MESSAGES = frozenset({"message", "shortDescription", "fullDescription", "help", "description"})
_ACTED_UPON = re.compile(r"(?<!\w)@\w|#\d|(?<!\w)!\d|GH-\d|://|www\.\w|:[a-z]+:|(?<!\w)[$&%~^]\w", re.IGNORECASE)


@dataclass
class Read:
    """What an independent parser sees in a file: its texts, where its links lead, and everything else by name."""

    texts: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    structure: set[str] = field(default_factory=set)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def _json(text: str) -> Read:
    read = Read()
    _values(json.loads(text, object_pairs_hook=_no_duplicates), "", read)
    return read


def _values(value: Any, place: str, read: Read) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            read.structure.add(f"{place}/{name}")
            _values(item, f"{place}/{name}", read)
    elif isinstance(value, list):
        for item in value:
            _values(item, f"{place}[]", read)
    elif isinstance(value, str):
        name = place.rpartition("/")[2]
        if name == "markdown":
            made = _markdown(value)
            read.texts += made.texts
            read.links += made.links
            read.structure |= made.structure
        elif value.startswith("pkg:") or name in _ADDRESSES:
            read.links.append(value)
        else:
            read.texts.append(value)


def _sarif(text: str) -> Read:
    """SARIF 2.1.0, 3.11.5: in a message braces are doubled. A tool's name and a category are made of its words."""
    document = json.loads(text, object_pairs_hook=_no_duplicates)
    read = Read()
    for run in document["runs"]:
        named = (run["tool"]["driver"].pop("name"), run.pop("automationDetails")["id"])
        assert not unseen_in(" ".join(named))
    _values(_single_braces(document), "", read)
    return read


def _single_braces(value: Any, within: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _single_braces(item, name if name != "text" else within) for name, item in value.items()}
    if isinstance(value, list):
        return [_single_braces(item, within) for item in value]
    is_message = isinstance(value, str) and within in _MESSAGES
    return value.replace("{{", "{").replace("}}", "}") if is_message else value


def _xml(text: str) -> Read:
    read = Read()
    root = etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False, huge_tree=False))
    assert "<!DOCTYPE" not in text
    for element in root.iter():
        assert isinstance(element.tag, str), "neither a comment nor a processing instruction"
        read.structure |= {element.tag, *(f"{element.tag}@{name}" for name in map(str, element.attrib))}
        read.texts += [*_values_of(element), element.text or "", element.tail or ""]
    return read


def _values_of(element: Any) -> list[str]:
    return [*element.attrib.values()]


def _elements(root: Any, read: Read) -> None:
    for element in root.iter():
        assert isinstance(element.tag, str), "no comment"
        read.structure |= {element.tag, *(f"{element.tag}@{name}" for name in element.attrib)}
        for name, value in element.attrib.items():
            if name not in ("class", "id"):
                (read.links if name in _LEADING else read.texts).append(value)


def _html(text: str) -> Read:
    read = Read()
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    root = parser.parse(text)
    _elements(root, read)
    for element in [*root.iter("script"), *root.iter("style")]:
        if element.get("type") == "application/json":
            data = _json(element.text)
            read.texts += data.texts
            read.structure |= data.structure
        else:
            # Neither escapes nor texts from outside have any business here.
            read.structure.add(element.text)
        element.text = ""
    for element in root.iter():
        # The line that is meant stands there in three parts.
        whole = "".join(element.itertext()) if element.find("mark") is not None else element.text
        read.texts += [whole or "", element.tail or ""]
    return read


def _markdown(text: str) -> Read:
    """As GitHub makes HTML of it, with raw HTML let through, so that nothing hides behind its filters."""
    read = Read()
    made = _CMARK.github_flavored_markdown_to_html(text, _UNSAFE)
    root = html5lib.parseFragment(made, namespaceHTMLElements=False)
    _elements(root, read)
    for element in root.iter():
        read.texts += [element.text or "", element.tail or ""]
    shown = "\n".join(read.texts)
    assert not _ACTED_UPON.search(shown), _ACTED_UPON.search(shown)
    read.texts = ["".join(root.itertext()).replace("\u200b", "")]
    return read


def _openmetrics(text: str) -> Read:
    read = Read()
    for family in _families(text):
        for sample in family.samples:
            read.structure |= {sample.name, *(f"{sample.name}@{name}" for name in sample.labels)}
            read.texts += sample.labels.values()
    return read


READERS: Mapping[str, tuple[Callable[[str], Read], int]] = {
    "pipeline.json": (_json, 200),
    "pipeline.junit.xml": (_xml, 30),
    "junit/<stage>.xml": (_xml, 1),
    "sarif/<tool>.sarif": (_sarif, 0),
    "sarif-all/<tool>.sarif": (_sarif, 0),
    "gl-code-quality-report.json": (_json, 10),
    "index.html": (_html, 100),
    "summary.md": (_markdown, 30),
    "openvex.json": (_json, 2),
    "sbom/python.cdx.json": (_json, 1),
    "sbom/image.cdx.json": (_json, 1),
    "metrics.prom": (_openmetrics, 2),
}
"""For each place of a file the parser, and of how many different texts of a report something must be seen in it."""


def read_files(report: Report) -> Iterator[tuple[str, str, Read]]:
    """Each file of each format of a report: its place, its text, and what its reader sees."""
    for made in FORMATS.values():
        for path, text in made.files(report).items():
            (place,) = (place for place in made.places if re.fullmatch(re.sub("<[a-z]+>", "[^/]+", place), path))
            yield place, text, READERS[place][0](text)
