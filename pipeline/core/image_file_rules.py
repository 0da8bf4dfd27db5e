"""The rules that an image's file tree is judged by (see :mod:`pipeline.core.image_rules`)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator

from pipeline.core.image_rules import Hit
from pipeline.core.image_tree import ImageTree, Node, NodeKind

ACCOUNTS = ("etc/passwd", "etc/group", "etc/shadow")
"""The files whose content the rules read."""
_SET_ID = 0o6000
_STICKY = 0o1000
_BY_OTHERS = 0o002
_CREDENTIAL_FILE = re.compile(
    r"(^|/)(\.env(\.(?!example$|sample$|template$|dist$)[^/]*)?|id_(rsa|dsa|ecdsa|ecdsa_sk|ed25519|ed25519_sk)|\.netrc"
    r"|_netrc|\.pypirc|\.npmrc|\.yarnrc|\.git-credentials|\.pgpass|\.my\.cnf|\.htpasswd|\.vault-token"
    r"|\.docker/config\.json|\.dockercfg|\.aws/credentials|\.kube/config|\.config/gcloud/[^/]*credentials[^/]*"
    r"|\.azure/accessTokens\.json|\.terraform\.d/credentials\.tfrc\.json|[^/]+\.(p12|pfx|keystore|jks|kdbx))$"
)
_KEY_FILE = re.compile(r"\.(pem|key|crt|cer)$", re.I)
_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")
_HISTORY_FOLDER = re.compile(r"(^|/)(?P<top>\.(git|hg|svn|bzr))(/|$)")
_LISTS = re.compile(
    r"(?P<top>var/lib/apt/lists|var/cache/apt|var/cache/debconf|var/cache/apk|var/cache/yum|var/cache/dnf"
    r"|var/lib/dpkg/[^/]+-old)(/|$)"
)
# What apt itself leaves when there is nothing.
_EMPTY_LISTS = re.compile(r"(/lock|/partial)$")
_CACHES = re.compile(
    r"(^|/)(?P<top>\.cache|\.pytest_cache|\.mypy_cache|\.ruff_cache|\.hypothesis|\.tox|\.nox|node_modules|\.coverage"
    r"|\.npm|\.DS_Store|\.idea|\.vscode)(/|$)"
)
_BYTECODE = re.compile(r"\.(?P<tag>[a-z]+-?\d+)(\.opt-[12])?\.pyc$")
_PYTHON = re.compile(r"(^|/)(?:usr/|usr/local/)?bin/python3\.(?P<minor>\d+)$")
_PROGRAM = re.compile(r"(^|/)(bin|sbin|libexec)/(?P<name>[^/]+)$")
_SHELLS = frozenset(
    {"sh", "ash", "bash", "dash", "csh", "tcsh", "zsh", "ksh", "mksh", "fish", "rbash", "busybox", "toybox"}
)
_MANAGERS = frozenset(
    {"apt", "apt-get", "aptitude", "dpkg", "apk", "yum", "dnf", "microdnf", "rpm", "zypper", "pacman", "snap", "opkg"}
)
_INSTALLERS = re.compile(r"(pip|pip3|pip3?\.\d+|easy_install(-[\d.]+)?|uv|pipx|poetry|conda)")
_LANGUAGES = re.compile(r"(perl[\d.]*|ruby[\d.]*|node|nodejs|php[\d.]*|lua[\d.]*|tclsh[\d.]*|guile)")
_PIP_MODULE = re.compile(r"(^|/)(?P<name>pip|ensurepip)/__init__\.pyc?$")


def tree_hits(tree: ImageTree) -> Iterator[Hit]:
    """What the files tell that a container sees."""
    for check in (
        _set_id, _credentials, _histories, _lists, _caches, _bytecode, _programs, _writable, _accounts, _passwords,
    ):  # fmt: skip
        yield from check(tree)


def is_read(path: str) -> bool:
    """Whether a rule reads the content of a file at this path."""
    return path in ACCOUNTS or _KEY_FILE.search(path) is not None


def buried_hits(tree: ImageTree) -> Iterator[Hit]:
    """Credential files, and history, in layers below one that hides or deletes them."""
    for node in tree.buried:
        if _CREDENTIAL_FILE.search(node.path):
            message = f"{node.shown} looks like a credential; a later layer hides it, and its layer still has it."
            yield _about(node, "CIS-DI-0010", message)
    for top, node in _tops(tree.buried, _HISTORY_FOLDER).items():
        message = f"/{top} is version control history; a later layer hides it, and its layer still has it."
        yield _about(node, "IMG-HISTORY", message)


def _set_id(tree: ImageTree) -> Iterator[Hit]:
    for node in tree.files:
        if node.mode & _SET_ID:
            yield _about(node, "CIS-DI-0008", f"{node.shown} has the mode {node.mode:04o}: it changes who it runs as.")


def _credentials(tree: ImageTree) -> Iterator[Hit]:
    for node in tree.files:
        if _CREDENTIAL_FILE.search(node.path) or _KEY.search(node.content):
            yield _about(node, "CIS-DI-0010", f"{node.shown} looks like a credential.")


def _histories(tree: ImageTree) -> Iterator[Hit]:
    nodes = [node for _, node in sorted(tree.nodes.items())]
    for top, node in _tops(nodes, _HISTORY_FOLDER).items():
        yield _about(node, "IMG-HISTORY", f"/{top} is version control history.")


def _lists(tree: ImageTree) -> Iterator[Hit]:
    for top, node in _tops(tree.files, _LISTS, but=_EMPTY_LISTS).items():
        yield _about(node, "DKL-DI-0005", f"/{top} holds what a package manager has left.")


def _caches(tree: ImageTree) -> Iterator[Hit]:
    for top, node in _tops(tree.files, _CACHES).items():
        yield _about(node, "DKL-LI-0003", f"/{top} is a cache or a left-over of a tool.")


def _bytecode(tree: ImageTree) -> Iterator[Hit]:
    known = {f"cpython-3{match['minor']}" for path in tree.nodes if (match := _PYTHON.search(path))}
    if not known:
        return
    others: dict[tuple[str, str], Node] = {}
    for node in tree.files:
        match = _BYTECODE.search(node.path)
        if match and match["tag"] not in known:
            others.setdefault((node.path.rpartition("/")[0], match["tag"]), node)
    for (folder, tag), node in others.items():
        yield _about(node, "IMG-BYTECODE", f"/{folder} holds bytecode of {tag}, which is not the image's Python.")


def _programs(tree: ImageTree) -> Iterator[Hit]:
    kinds: tuple[tuple[str, Callable[[str], bool], str], ...] = (
        ("IMG-SHELL", lambda name: name in _SHELLS, "a shell"),
        ("IMG-PACKAGE-MANAGER", lambda name: name in _MANAGERS, "a package manager"),
        ("IMG-PIP", lambda name: _INSTALLERS.fullmatch(name) is not None, "an installer of Python packages"),
        ("IMG-PERL", lambda name: _LANGUAGES.fullmatch(name) is not None, "an interpreter of another language"),
        ("DKL-DI-0001", lambda name: name in ("sudo", "doas", "su"), "a program to become another user"),
    )
    for path, node in sorted(tree.nodes.items()):
        match = _PROGRAM.search(path)
        if node.kind in (NodeKind.FILE, NodeKind.LINK) and match:
            for rule, is_one, what in kinds:
                if is_one(match["name"]):
                    yield _about(node, rule, f"{node.shown} is {what}.")
        elif node.kind is NodeKind.FILE and (module := _PIP_MODULE.search(path)):
            yield _about(node, "IMG-PIP", f"{node.shown} is the module {module['name']}.")


def _writable(tree: ImageTree) -> Iterator[Hit]:
    for _, node in sorted(tree.nodes.items()):
        if node.kind is NodeKind.LINK or not node.mode & _BY_OTHERS:
            continue
        if node.kind is not NodeKind.FOLDER or not node.mode & _STICKY:
            yield _about(node, "IMG-WRITABLE", f"{node.shown} has the mode {node.mode:04o}: everybody can write it.")


def _accounts(tree: ImageTree) -> Iterator[Hit]:
    for path, what in (("etc/passwd", "user"), ("etc/group", "group")):
        node = tree.at(path)
        names, numbers = defaultdict(list), defaultdict(list)
        for fields in _lines(tree, path):
            if len(fields) > 2:
                names[fields[0]].append(fields[2])
                numbers[fields[2]].append(fields[0])
        for number, called in sorted(numbers.items()):
            if len(called) > 1 and node is not None:
                message = f"The {what} number {number} of {node.shown} is that of {' and '.join(sorted(called))}."
                yield _about(node, "DKL-LI-0002", message)
        for name, having in sorted(names.items()):
            if len(having) > 1 and node is not None:
                yield _about(node, "DKL-LI-0002", f"The {what} {name} stands {len(having)} times in {node.shown}.")


def _passwords(tree: ImageTree) -> Iterator[Hit]:
    """shadow(5), passwd(5): an empty field is an empty password."""
    for path in ("etc/shadow", "etc/passwd"):
        node = tree.at(path)
        for fields in _lines(tree, path):
            if len(fields) > 1 and fields[0] and not fields[1] and node is not None:
                yield _about(node, "DKL-LI-0001", f"The user {fields[0]} has an empty password in {node.shown}.")


def _lines(tree: ImageTree, path: str) -> list[list[str]]:
    return [line.split(":") for line in tree.text(path).splitlines() if line.strip() and not line.startswith("#")]


def _tops(nodes: Iterator[Node] | tuple[Node, ...] | list[Node], pattern: re.Pattern[str],
          but: re.Pattern[str] | None = None) -> dict[str, Node]:  # fmt: skip
    """The topmost folder (or file) that the pattern names, each with the first node in it."""
    found: dict[str, Node] = {}
    for node in nodes:
        match = pattern.search(node.path)
        if match and not (but and but.search(node.path)):
            found.setdefault(node.path[: match.end("top")], node)
    return found


def _about(node: Node, rule: str, message: str) -> Hit:
    return Hit(rule=rule, message=message, path=node.path, layer=node.layer)
