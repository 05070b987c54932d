# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be replaced in a YAML text so that one of its mappings becomes another one, and nothing else moves.

It need not know every way to write YAML: `documents` reads the result again, and refuses one that is not what was wanted.
"""

from __future__ import annotations

import json
import re
import typing as t

from .emit import block, flow, key_text, scalar
from .errors import SealingError

try:
    import yaml
except ImportError:  # ansible-test imports this file without its libraries
    yaml = None  # type: ignore[assignment]

Obj = dict[str, t.Any]
_BLANK_END = re.compile(r"(?:\r?\n)+\Z")


class Splice(t.NamedTuple):
    """text[start:end] becomes new."""

    start: int
    end: int
    new: str


def refused(cause: str, step: str = "Correct the file") -> SealingError:
    """The error of an edit; whoever knows the file's name puts it in."""
    return SealingError("File to be edited", cause, step, reason="file")


def same(one: t.Any, other: t.Any) -> bool:
    """Equal as JSON: 1 is not true, order of keys does not matter."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def applied(text: str, splices: list[Splice]) -> str:
    result, end = [], 0
    for splice in sorted(
        splices, key=lambda splice: (splice.start, splice.end)
    ):  # stable: a value before what follows it
        result += [text[end : splice.start], splice.new]
        end = splice.end
    return "".join([*result, text[end:]])


class Editor:
    """Finds the splices that turn one mapping of a text into another."""

    def __init__(self, text: str) -> None:
        self.text = text
        first = text.find("\n")
        self.newline = "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"

    def root(self, node: t.Any, current: Obj, wanted: Obj) -> list[Splice]:
        """The splices for a whole document."""
        if current and wanted:
            return self.mapping(node, current, wanted)
        return [Splice(node.start_mark.index, self._end(node), self._lines(block(wanted, 0) if wanted else "{}"))]

    def mapping(self, node: t.Any, current: Obj, wanted: Obj) -> list[Splice]:
        """The splices for one mapping that stays one and has entries."""
        pairs = [(key, value) for key, value in node.value if key.value in current or key.tag.endswith(":merge")]
        kept = [index for index, (key, _value) in enumerate(pairs) if key.value in wanted or key.tag.endswith(":merge")]
        own = {key.value for key, _value in pairs}
        new = [key for key in wanted if key not in own and (key not in current or not same(wanted[key], current[key]))]
        splices = []
        for index in kept:
            key, value = pairs[index]
            if not key.tag.endswith(":merge") and not same(current[key.value], wanted[key.value]):
                limit = pairs[index + 1][0].start_mark.index if index + 1 < len(pairs) else node.end_mark.index
                splices += self._value(key, value, limit, current[key.value], wanted[key.value], bool(node.flow_style))
        work = self._flow if node.flow_style else self._block
        return splices + work(pairs, kept, {key: wanted[key] for key in new})

    def _value(
        self, key: t.Any, node: t.Any, limit: int, current: t.Any, wanted: t.Any, inside_flow: bool
    ) -> list[Splice]:
        start = node.start_mark.index
        if start < key.end_mark.index or start > limit:
            raise refused(
                f"line {key.start_mark.line + 1}: {key.value} is an alias of another value",
                "Write the value itself there",
            )
        if isinstance(current, dict) and current and isinstance(wanted, dict) and wanted:
            return self.mapping(node, current, wanted)
        end = self._end(node)
        if inside_flow:
            return [Splice(start, end, ("" if self.text[start - 1 : start] in " \n" else " ") + flow(wanted))]
        many = isinstance(wanted, (dict, list)) and bool(wanted)
        lines = "\n" + block(wanted, key.start_mark.column + 2) if many else ""
        below = node.start_mark.line > key.end_mark.line
        if below:  # it stands on lines of its own, below its key: they go
            colon = self.text.index(":", key.end_mark.index) + 1
            rest = Splice(self._line_end(colon), end, self._lines(lines))
            return [rest] if many else [Splice(colon, colon, " " + scalar(wanted, None)), rest]
        if many:  # what stands beside the key goes, a comment there stays, and the new lines come below
            place = max(self._line_end(end), end)
            return [Splice(len(self.text[:start].rstrip(" ")), end, ""), Splice(place, place, self._lines(lines))]
        return [self._scalar(key, node, end, wanted)]

    def _scalar(self, key: t.Any, node: t.Any, end: int, wanted: t.Any) -> Splice:
        """What stands beside a key becomes a value without lines of its own, or a text of several lines."""
        start = node.start_mark.index
        style = getattr(node, "style", None) or ""
        gap = "" if start and self.text[start - 1] in " \n" else " "
        if style not in ("|", ">"):
            return Splice(start, end, gap + scalar(wanted, None, style))
        # a block again where its lines have an end; the comment beside its sign stays
        comment = re.match(r"[^\r\n]*?([ ]+#[^\r\n]*|)(?=\r?\n)", self.text[start:end])
        literal = self.text.startswith(("\n", "\r\n"), end)
        sign, _break, lines = scalar(wanted, key.start_mark.column + 2 if literal else None).partition("\n")
        new = sign + (comment.group(1) if comment else "") + ("\n" + lines if lines else "")
        return Splice(start, end, self._lines(gap + new))

    def _lines(self, new: str) -> str:
        return new.replace("\n", self.newline)

    def _end(self, node: t.Any) -> int:
        """Where the text of a node ends. The end mark of a block includes what follows it, comments too."""
        end = int(node.end_mark.index)
        if isinstance(node, yaml.ScalarNode):
            if node.style not in ("|", ">"):
                return end
            header = self.text[node.start_mark.index : end].split("\n", 1)[0]
            found = re.compile(r"\r?\n\Z" if "+" in header else _BLANK_END.pattern).search(
                self.text, node.start_mark.index, end
            )
            return found.start() if found else end
        if node.flow_style:
            return end
        if not node.value:
            return int(node.start_mark.index)
        last = node.value[-1]
        if isinstance(last, tuple):
            key, value = last
            inside = value.start_mark.index >= key.end_mark.index
            return self._end(value) if inside else self._line_end(key.end_mark.index)
        return self._end(last)

    def _line_end(self, place: int) -> int:
        """Index of the line break at or after a place, or of the end."""
        found = self.text.find("\n", place)
        if found < 0:
            return len(self.text)
        return found - 1 if found and self.text[found - 1] == "\r" and found > place else found

    def _after_line(self, place: int) -> int:
        found = self.text.find("\n", place)
        return len(self.text) if found < 0 else found + 1

    def _entry_end(self, pair: tuple[t.Any, t.Any]) -> int:
        key, value = pair
        inside = value.start_mark.index >= key.end_mark.index
        return max(self._end(value), key.end_mark.index) if inside else self._line_end(key.end_mark.index)

    # -- block style: one entry, one line or more ------------------------------------------------

    def _block(self, pairs: list[t.Any], kept: list[int], new: Obj) -> list[Splice]:
        splices = []
        indent = int(pairs[0][0].start_mark.column)
        for index, (key, _value) in enumerate(pairs):
            if index in kept:
                continue
            begin = key.start_mark.index - key.start_mark.column
            if self.text[begin : key.start_mark.index].strip(" "):
                cause = f"line {key.start_mark.line + 1}: {key.value} begins in the middle of a line"
                raise refused(cause, "Begin a line with it")
            splices.append(Splice(begin, self._after_line(self._entry_end(pairs[index])), ""))
        if new:
            entries = [block({key: value}, indent) for key, value in new.items()]
            if kept:
                place = self._line_end(self._entry_end(pairs[kept[-1]]))
                splices.append(Splice(place, place, self._lines("".join("\n" + entry for entry in entries))))
            else:
                key = pairs[0][0]
                place = key.start_mark.index - key.start_mark.column
                splices.append(Splice(place, place, self._lines("".join(entry + "\n" for entry in entries))))
        return splices

    # -- flow style, JSON included ----------------------------------------------------------------

    def _flow(self, pairs: list[t.Any], kept: list[int], new: Obj) -> list[Splice]:
        entries = [f"{key_text(key, quoted=True)}: {flow(value)}" for key, value in new.items()]
        if not kept:
            first, last = pairs[0][0].start_mark.index, self._entry_end(pairs[-1])
            return [Splice(first, last, ", ".join(entries))]
        splices = []
        if kept[0]:
            splices.append(Splice(pairs[0][0].start_mark.index, pairs[kept[0]][0].start_mark.index, ""))
        splices += [
            Splice(self._entry_end(pairs[index - 1]), self._entry_end(pairs[index]), "")
            for index in range(kept[0] + 1, len(pairs))
            if index not in kept
        ]
        if entries:
            key = pairs[kept[-1]][0]
            place = self._entry_end(pairs[kept[-1]])
            begin = key.start_mark.index - key.start_mark.column
            own_line = not self.text[begin : key.start_mark.index].strip(" ")
            gap = self.newline + " " * key.start_mark.column if own_line else " "
            splices.append(Splice(place, place, "".join(f",{gap}{entry}" for entry in entries)))
        return splices
