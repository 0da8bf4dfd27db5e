"""Which files a declaration means: what it names counts in every way, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.cache_inputs import EVERYTHING, Inputs, LeadsOut, below, declared, exactly, files_of, matcher
from pipeline.core.snapshot import Entry, Kind, Snapshot

PARTS = st.sampled_from(["a", "b.py", "c.toml", "pkg", "x.md", "tool", ".hidden", "ä", "[x]", "a*b"])
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
ENTRIES = st.dictionaries(PATHS, st.tuples(st.sampled_from([Kind.FILE, Kind.EXECUTABLE]), st.text("0123", max_size=3)))


def snapshot(*entries: Entry) -> Snapshot:
    ordered = tuple(sorted(entries, key=lambda entry: entry.path))
    return Snapshot(entries=ordered, commit="c", branch="main", dirty=False, committed="2026-01-01T00:00:00Z")


def file(path: str, digest: str = "1", kind: Kind = Kind.FILE) -> Entry:
    return Entry(path=path, kind=kind, digest=digest)


def found(inputs: Inputs, *entries: Entry, **links: str) -> dict[str, str]:
    return files_of(snapshot(*entries), inputs, lambda path: links[path])


@pytest.mark.parametrize(
    ("pattern", "named", "others"),
    [
        ("*.py", ["a.py", "x/y/a.py", ".py"], ["a.pyc", "a.py/b"]),
        ("/a.py", ["a.py"], ["x/a.py"]),
        ("/src/**/*.py", ["src/a.py", "src/x/y/a.py"], ["a.py", "other/src/a.py", "src/a.md"]),
        ("/src/**", ["src/a", "src/x/a"], ["src", "srcs/a"]),
        (EVERYTHING, ["a", "x/y"], []),
        ("docs/CODEOWNERS", ["docs/CODEOWNERS"], ["x/docs/CODEOWNERS"]),
        ("*pylintrc", ["pylintrc", "x/.pylintrc"], ["pylintrc.txt"]),
        ("/[x]", ["[x]"], ["x"]),
    ],
)
def test_patterns_name_names_and_paths(pattern: str, named: list[str], others: list[str]) -> None:
    is_named = matcher([pattern])
    assert all(map(is_named, named))
    assert not any(map(is_named, others))


def test_no_pattern_names_nothing() -> None:
    assert not matcher(())("")
    assert not matcher(())("a")


def test_below_a_folder_is_the_folder_or_the_file_itself() -> None:
    assert below(("./src/", "noxfile.py"), "*.py") == ("/src", "/src/**/*.py", "/noxfile.py", "/noxfile.py/**/*.py")
    assert below((".",)) == (EVERYTHING,)
    assert below((".",), "*.py") == ("*.py",)
    assert below(("src",)) == ("/src", "/src/**")
    assert exactly(("a/../b.txt", "", "c")) == ("/b.txt", "/c")


@given(ENTRIES, st.lists(PATHS, max_size=3))
@settings(max_examples=40)
def test_exact_paths_name_themselves(entries: dict[str, tuple[Kind, str]], named: list[str]) -> None:
    made = [file(path, digest, kind) for path, (kind, digest) in entries.items()]
    assert set(named) & set(entries) <= set(found(Inputs(files=exactly(named)), *made))


def test_scripts_are_files_without_a_suffix() -> None:
    is_declared = declared(Inputs(files=("*.py",), scripts=True))
    assert is_declared("bin/tool")
    assert is_declared("x.y/tool")
    assert not is_declared("tool.md")
    assert not is_declared(".hidden")


def test_folders_count_where_packages_are_looked_for() -> None:
    entries = (file("a/b/x.md"), Entry(path="sub/mod", kind=Kind.SUBMODULE, digest="1"))
    names = found(Inputs(files=("*.py",), folders=True), *entries)
    assert names == {"a/": "folder", "a/b/": "folder", "sub/": "folder", "sub/mod/": "folder"}


def test_what_a_link_leads_to_counts_whatever_it_is_called() -> None:
    link = Entry(path="pkg", kind=Kind.LINK, digest="t")
    inputs = Inputs(files=("*.py",))
    names = found(inputs, link, file("real/data.json"), file("real/a.py"), file("b.md"), pkg="real")
    assert set(names) == {"pkg", "real/data.json", "real/a.py"}
    names = found(inputs, link, file("real/data.json"), pkg="real/data.json")
    assert set(names) == {"pkg", "real/data.json"}
    assert set(found(inputs, link, file("b.md"), pkg=".")) == {"pkg", "b.md"}
    assert set(found(inputs, link, pkg="nowhere")) == {"pkg"}
    assert not found(replace(inputs, follows_links=False), link)


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", ".."])
def test_a_link_that_leads_out_can_t_be_known(target: str) -> None:
    with pytest.raises(LeadsOut, match="symbolic link pkg leads out"):
        found(Inputs(files=("*.py",)), Entry(path="pkg", kind=Kind.LINK, digest="t"), pkg=target)


@given(ENTRIES, st.data())
@settings(max_examples=80)
def test_every_change_of_a_declared_file_is_a_change_and_no_other_is(
    entries: dict[str, tuple[Kind, str]], data: st.DataObject
) -> None:
    inputs = Inputs(files=("*.py", "/pkg/**"), scripts=True)
    made = {path: file(path, digest, kind) for path, (kind, digest) in entries.items()}
    path = data.draw(PATHS)
    before = found(inputs, *made.values())
    change = data.draw(st.sampled_from(["content", "mode", "link", "gone"]))
    changed = dict(made)
    if change == "gone":
        changed.pop(path, None)
    else:
        old = made.get(path) or file(path, "new")
        kinds = {"mode": Kind.EXECUTABLE if old.kind is Kind.FILE else Kind.FILE, "link": Kind.LINK}
        changed[path] = replace(old, kind=kinds.get(change, old.kind), digest=old.digest + "4")
    after = files_of(snapshot(*changed.values()), replace(inputs, follows_links=False), lambda _: "")
    matters = declared(inputs)(path) and (path in made or change != "gone")
    assert (before != after) is matters
