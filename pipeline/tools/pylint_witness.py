"""The plugin of ours with which pylint runs, as the text of a module: pylint's process has nothing of this package.

It writes down each file that pylint really walks. Besides, it lets a run over some of the files end like a run over all
of them: what pylint said of the others in an earlier run is handed to it before the checkers that compare files come to
their end, so that these see all files, and score, exit code and output are pylint's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pipeline.tools.pylint_control import CONTROL_PART

RECORD_VARIABLE = "PIPELINE_PYLINT_RECORD"
KEPT_VARIABLE = "PIPELINE_PYLINT_KEPT"
FRESH_VARIABLE = "PIPELINE_PYLINT_FRESH"
WITNESS = "pipeline_pylint_witness"


def kept_document(order: Sequence[str], kept: Mapping[str, str]) -> str:
    """What the plugin reads: all files in their order, and what was said of those that are not linted again."""
    return json.dumps({"order": list(order), "kept": {path: json.loads(text) for path, text in kept.items()}})


def fresh_records(document: str) -> dict[str, str]:
    """What the plugin wrote: for each file of which it may be kept, what pylint said of it."""
    return {path: json.dumps(record) for path, record in json.loads(document).items()}


_NAMES = f'RECORD, KEPT, FRESH = "{RECORD_VARIABLE}", "{KEPT_VARIABLE}", "{FRESH_VARIABLE}"\n'
_HEAD = '''"""Writes down each module that pylint walks, and puts runs together (a plugin of the pipeline)."""
import atexit
import collections
import contextlib
import io
import json
import os
import sys

from pylint.checkers import BaseChecker
from pylint.checkers.symilar import LineSet, hash_lineset, stripped_lines
from pylint.constants import MSG_TYPES, MSG_TYPES_STATUS
from pylint.interfaces import CONFIDENCE_MAP
from pylint.lint import Run
from pylint.message import Message
from pylint.typing import MessageLocationTuple
from pylint.utils import decoding_stream

# pylint and its own checkers are loaded by now, with bytecode that lasts. What comes may be the project's, in whose
# tree nothing may be left, and which must not stand in for a module of pylint's.
sys.dont_write_bytecode = True
sys.path.insert(0, ".")

'''
_BODY = r'''FIELDS = (
    "msg_id", "symbol", "msg", "abspath", "path", "module", "obj", "line", "column", "end_line", "end_column",
)

# pylint keeps the files of a similarity in a set and shows the lines of the last of them. By its own hash, which is the
# place in memory, two runs over the same files show now the one's and now the other's lines.
LineSet.__hash__ = lambda lines: hash(lines.name)


class Witness(BaseChecker):
    """Sees every module that is checked, and no module that is skipped.

    pylint orders its own checkers before those of plugins and closes them in the reverse order, so that this one leaves
    each module after the others, and is closed before them.
    """

    name = "pipeline-witness"
    msgs = {"I9901": ("witness", "pipeline-witness", "Never issued.")}

    def open(self):
        """The run begins."""
        self.here = os.getcwd() + os.sep
        self.walked, self.line_sets, self.marks = {}, {}, []
        self.similar, self.imports = self._used("similarities", "R0801"), self._used("imports", "R0401")
        if self.similar is not None:
            self.similar._iter_sims = self._similarities
        if KEPT in os.environ:
            self._listen(self.linter.reporter)

    def _listen(self, reporter):
        """Note of which file what is reported is."""
        told = reporter.on_set_current_module

        def on_set_current_module(module, filepath):
            self.marks.append((len(reporter.messages), filepath or ""))
            told(module, filepath)

        reporter.on_set_current_module = on_set_current_module

    def leave_module(self, node):
        """The walk over the module has come to its end."""
        if RECORD not in os.environ:
            return
        with open(os.environ[RECORD], "a", encoding="utf-8", errors="surrogateescape") as record:
            record.write((node.file or "") + "\n")
        if KEPT not in os.environ or not node.file or not self.marks:
            return
        path = self._short(os.path.abspath(node.file))
        self.walked[path] = {
            "module": self.linter.current_name, "name": node.name, "place": self._short(self.marks[-1][1]),
            "file": self._short(node.file), "encoding": node.file_encoding, "statements": _statements(node),
        }
        if self.similar is not None and self.similar.linesets:
            lines = self.line_sets[path] = self.similar.linesets[-1]
            enabled = self.linter._is_one_message_enabled
            self.walked[path]["disabled"] = [n for n in range(1, len(lines) + 1) if not enabled("R0801", n)]
            self.walked[path]["lines"] = [int(line.line_number) for line in lines.stripped_lines]
            self.walked[path].update(length=len(lines), runs=self._runs(lines))

    def close(self):
        """All files have been linted, and no checker that compares them has come to its end."""
        if KEPT not in os.environ:
            return
        with open(os.environ[KEPT], encoding="ascii") as file:
            given = json.load(file)
        order, kept = given["order"], given["kept"]
        with open(os.environ[FRESH], "w", encoding="ascii") as file:
            json.dump(self._fresh([record["name"] for record in kept.values()]), file)
        for record in kept.values():
            self._count(record)
        if self.imports is not None:
            self._join_imports(order, kept)
        if self.similar is not None:
            self._join_lines(order, kept)
        places = {name: number for number, name in enumerate(order)}
        self.linter.reporter.messages.sort(key=lambda message: places.get(self._short(message.abspath), -1))
        last = next((path for path in reversed(order) if path in kept or path in self.walked), None)
        if last in kept:
            # What is said of several files is said at the last of them.
            self.linter.set_current_module(kept[last]["module"], self._long(kept[last]["place"]))
            self.linter.current_file = self._long(kept[last]["file"])

    def _fresh(self, others):
        """What may be kept of each file; nothing when statements are counted in another way than pylint's own."""
        if sum(record["statements"] for record in self.walked.values()) != self.linter.stats.statement:
            return {}
        names = collections.Counter([*others, *(record["name"] for record in self.walked.values())])
        messages = collections.defaultdict(list)
        reported = self.linter.reporter.messages
        ends = [*(index for index, _ in self.marks[1:]), len(reported)]
        for (start, filepath), end in zip(self.marks, ends):
            messages[self._short(os.path.abspath(filepath))] += reported[start:end]
        found = {}
        for path, record in self.walked.items():
            said = messages[path]
            lines = self.similar is None or "lines" in record
            here = any(self.here in message.msg or message.msg_id[0] == "F" for message in said)
            # Two modules of one name are one to pylint, and a message that names this place holds for no other one.
            if names[record["name"]] > 1 or not lines or here:
                continue
            record.update(messages=[self._packed(message) for message in said], edges=[], without=[])
            found[path] = record
            if self.imports is not None:
                found[path]["edges"] = sorted(self.imports.import_graph.get(record["name"], ()))
                found[path]["without"] = sorted(self.imports._excluded_edges.get(record["name"], ()))
        return found

    def _count(self, record):
        """As if pylint had said it now."""
        linter = self.linter
        if record["module"] not in linter.stats.by_module:
            linter.stats.init_single_module(record["module"])
        linter.stats.statement += record["statements"]
        for packed in record["messages"]:
            message = self._unpacked(packed)
            letter = message.msg_id[0]
            linter.msg_status |= MSG_TYPES_STATUS[letter]
            linter.stats.increase_single_message_count(MSG_TYPES[letter], 1)
            linter.stats.by_msg[message.symbol] = linter.stats.by_msg.get(message.symbol, 0) + 1
            linter.reporter.handle_message(message)

    def _join_imports(self, order, kept):
        """The graph of all imports, in which pylint then looks for circles.

        Which circles it tells of depends on the order in which it meets them, so there is one order, whichever way the
        graph came about: that of the files, and the alphabet's among what each imports.
        """
        known = {**self.walked, **kept}
        names = list(dict.fromkeys(known[path]["name"] for path in order if path in known))
        joined = []
        for found, key in ((self.imports.import_graph, "edges"), (self.imports._excluded_edges, "without")):
            edges = {name: set(targets) for name, targets in found.items()}
            for record in kept.values():
                if record[key]:
                    edges.setdefault(record["name"], set()).update(record[key])
            together = collections.defaultdict(set)
            for name in [*names, *edges]:
                if name in edges and name not in together:
                    for target in sorted(edges[name]):
                        together[name].add(target)
            joined.append(together)
        self.imports.import_graph, self.imports._excluded_edges = joined

    def _join_lines(self, order, kept):
        """The lines of all files, which pylint then compares with each other.

        A file that has no run of lines in common with any other is not read again: none of its lines matters.
        """
        known = {id(lines) for lines in self.line_sets.values()}
        others = [lines for lines in self.similar.linesets if id(lines) not in known]
        runs = [record["runs"] for record in kept.values()]
        runs += [self._runs(lines) for lines in (*self.line_sets.values(), *others)]
        holders = collections.Counter(value for each in runs for value in each)
        sets = dict(self.line_sets)
        for path, record in kept.items():
            shared = any(holders[value] > 1 for value in record["runs"])
            sets[path] = self._lines(path, record) if shared else _hollow(record)
        self.similar.linesets = [sets[path] for path in order if path in sets] + others

    def _runs(self, lines):
        """The runs of lines, as short as pylint compares them, by what is left of the number that it gives to each.

        Two that have one by accident are compared in full.
        """
        found = hash_lineset(lines, self.similar.namespace.min_similarity_lines).hash_to_index
        return sorted({value & 0xFFFFFFFF for value in found})

    def _lines(self, path, record):
        """The lines that pylint compares, as it found them, made again without a syntax tree."""
        with open(path, "rb") as file:
            try:
                real = decoding_stream(file, record["encoding"]).readlines()
            except UnicodeDecodeError:
                real = []
        space = self.similar.namespace
        disabled, wanted = set(record["disabled"]), set(record["lines"])
        lines = LineSet.__new__(LineSet)
        lines.name, lines._real_lines = record["module"], real
        every = stripped_lines(
            real, space.ignore_comments, space.ignore_docstrings, False, False,
            line_enabled_callback=lambda _, number: number not in disabled,
        )
        lines._stripped_lines = [line for line in every if int(line.line_number) in wanted]
        return lines

    def _similarities(self):
        """The pairs that pylint compares, in its order, without those that have no run of lines in common."""
        least, sets = self.similar.namespace.min_similarity_lines, self.similar.linesets
        hashes = [hash_lineset(lines, least) for lines in sets]
        holders = collections.defaultdict(list)
        for number, hashed in enumerate(hashes):
            for value in hashed.hash_to_index:
                holders[value].append(number)
        partners = collections.defaultdict(set)
        for numbers in holders.values():
            for place, number in enumerate(numbers):
                partners[number].update(numbers[place + 1:])
        for first in sorted(partners):
            for second in sorted(partners[first]):
                yield from self.similar._find_common(sets[first], sets[second], hashes[first], hashes[second])

    def _used(self, name, message):
        """The checker of that name, unless its message is off."""
        if not self.linter.is_message_enabled(message):
            return None
        return next((checker for checker in self.linter.get_checkers() if checker.name == name), None)

    def _packed(self, message):
        packed = {field: getattr(message, field) for field in FIELDS}
        return {**packed, "abspath": self._short(message.abspath), "confidence": message.confidence.name}

    def _unpacked(self, packed):
        location = MessageLocationTuple(self._long(packed["abspath"]), *(packed[field] for field in FIELDS[4:]))
        return Message(
            packed["msg_id"], packed["symbol"], location, packed["msg"], CONFIDENCE_MAP[packed["confidence"]]
        )

    def _short(self, path):
        return path[len(self.here):] if path.startswith(self.here) else path

    def _long(self, path):
        return os.path.join(self.here, path)


def _hollow(record):
    """As many lines, none of which is looked at."""
    lines = LineSet.__new__(LineSet)
    lines.name, lines._real_lines, lines._stripped_lines = record["module"], [""] * record["length"], []
    return lines


def _statements(node):
    """How many statements pylint's walker counts."""
    return int(node.is_statement) + sum(_statements(child) for child in node.get_children())


def register(linter):
    """pylint's entry point for plugins."""
    linter.register_checker(Witness(linter))
    control_afterwards((RECORD, KEPT, FRESH))
'''
WITNESS_SOURCE = _HEAD + _NAMES + CONTROL_PART + _BODY
