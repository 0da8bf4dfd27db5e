"""Whether a command of an image could be started, told from its files: found on the path, executable, its interpreter
there too.

Rules: execve(2) for scripts; the ELF specification, program header PT_INTERP, for programs; environ(7) for PATH.
"""

from __future__ import annotations

import struct

from pipeline.core.image_tree import ImageTree, Node, NodeKind

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What engines set where the image sets none (Docker's and containerd's default)."""
_EXECUTABLE = 0o111
_MOST_SCRIPTS = 4
"""Scripts whose interpreter is a script, one after another, that Linux follows."""
_PT_INTERP = 3


def unstartable(command: str, tree: ImageTree, path: str, folder: str) -> str:
    """Why the command can't be started, as the end of a sentence; empty when it could be.

    ``path`` is the image's PATH, ``folder`` its working folder.
    """
    return _fault(command, tree, path or DEFAULT_PATH, folder, _MOST_SCRIPTS)


def _fault(command: str, tree: ImageTree, path: str, folder: str, scripts: int) -> str:
    node = _found(command, tree, path, folder)
    if node is None:
        return f"{command} is not there" if "/" in command else f"{command} is in no folder of {path}"
    if node.kind is not NodeKind.FILE or not node.mode & _EXECUTABLE:
        return f"{node.shown} is no file that can be executed"
    if node.head.startswith(b"#!"):
        return _script_fault(node, tree, path, folder, scripts)
    if not node.head.startswith(b"\x7fELF"):
        return f"{node.shown} is neither a program nor a script"
    loader = interpreter(node.head)
    return f"{node.shown} needs {loader}, which is not there" if loader and tree.at(loader) is None else ""


def _script_fault(node: Node, tree: ImageTree, path: str, folder: str, scripts: int) -> str:
    words = node.head[2:].partition(b"\n")[0].decode("utf-8", "replace").split()
    if not words or not scripts:
        return f"{node.shown} names no interpreter that can be started"
    needed = words[:1]
    if words[0].rpartition("/")[2] == "env" and len(words) > 1 and not words[1].startswith("-"):
        needed = words[:2]
    faults = (_fault(word, tree, path, folder, scripts - 1) for word in needed)
    inner = next(filter(None, faults), "")
    return f"{node.shown} is a script, and {inner}" if inner else ""


def _found(command: str, tree: ImageTree, path: str, folder: str) -> Node | None:
    if "/" in command:
        return tree.at(command if command.startswith("/") else f"{folder}/{command}")
    nodes = (tree.at(f"{place}/{command}") for place in path.split(":") if place)
    return next((node for node in nodes if node is not None), None)


def interpreter(head: bytes) -> str:
    """The loader that an ELF program names; empty when it names none, or not in its first bytes."""
    try:
        wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
        start = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", head, 0x20 if wide else 0x1C)[0]
        size, count = struct.unpack_from(f"{order}HH", head, 0x36 if wide else 0x2A)
        for number in range(count):
            at = start + number * size
            if struct.unpack_from(f"{order}I", head, at)[0] == _PT_INTERP:
                word = "Q" if wide else "I"
                offset = struct.unpack_from(f"{order}{word}", head, at + (8 if wide else 4))[0]
                length = struct.unpack_from(f"{order}{word}", head, at + (0x20 if wide else 0x10))[0]
                return head[offset : offset + length].rstrip(b"\0").decode("utf-8", "replace")
    except (struct.error, IndexError):
        # Cut short: nothing is known of its loader, and that of a real program lies in its first bytes.
        return ""
    return ""
