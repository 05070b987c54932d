# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifest files: read as Kubernetes reads them, edited in place, written whole or not at all.

An edit replaces pieces of the text, found by the marks of YAML's composer. Everything else stays byte for byte, comments and
order included. The result is read again and compared with what was wanted, so that a case nobody thought of is an error and
never a broken file.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import secrets
import stat
import typing as t
from pathlib import Path

from ..kube.manifests import build_value, documents_of, loader_class
from .editor import Editor, Splice, applied, refused, same
from .emit import block
from .errors import SealingError

try:
    import yaml
except ImportError:  # ansible-test imports this file without its libraries
    yaml = None  # type: ignore[assignment]

Obj = dict[str, t.Any]
Steps = tuple[str, ...]


class _Remove:
    def __repr__(self) -> str:
        return "REMOVE"


REMOVE: t.Final = _Remove()
_BOM = "\ufeff"
_MANY = 16  # files from which on one call for the file system is quicker than one for each
_LEFT = re.compile(r"\.([^/]+)\.[0-9a-f]{12}\.tmp")
_OLD = 600.0  # seconds


class Document(t.NamedTuple):
    """One document of a file.

    number: its place in the file, from 1, empty documents counted; where: "x.yaml" or "x.yaml, document 2"; obj: its content
    """

    number: int
    where: str
    obj: Obj


def _refused(source: str, cause: str, step: str = "Correct the file") -> SealingError:
    return SealingError(f"File {source}", cause, step, reason="file")


def load(path: Path) -> str:
    """The text of a file, line endings as they are. Raises SealingError."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise _refused(str(path), error.strerror or "it cannot be read", "Give a readable file") from None
    except UnicodeDecodeError:
        raise _refused(str(path), "it is not UTF-8") from None


def read(text: str, source: str) -> list[Document]:
    """The documents of a YAML or JSON text that are not empty.

    Raises SealingError where it cannot be read or a document is not a mapping; it quotes nothing of the text.
    """
    try:
        values = [value for _line, value in documents_of(text.removeprefix(_BOM))]
    except ValueError as error:
        raise _refused(source, f"it is not YAML: {error}") from None
    found = []
    for number, value in enumerate(values, 1):
        where = source if len(values) == 1 else f"{source}, document {number}"
        if value is not None and not isinstance(value, dict):
            raise _refused(where, "it is not a mapping", "Give Kubernetes objects")
        if value is not None:
            found.append(Document(number, where, value))
    return found


def changed(obj: Obj, changes: t.Sequence[tuple[Steps, t.Any]]) -> Obj:
    """An object after changes: values set, or taken away by REMOVE, at paths. Parents are made where they are missing."""
    result: Obj = json.loads(json.dumps(obj))  # a copy in which nothing is shared, as aliases are
    for path, value in changes:
        place = result
        for number, step in enumerate(path[:-1], 1):
            inner = place.get(step)
            if inner is None:
                if value is REMOVE:
                    break
                inner = place[step] = {}
            if not isinstance(inner, dict):
                raise refused(f"{'.'.join(path[:number])} is not a mapping")
            place = inner
        else:
            if value is REMOVE:
                place.pop(path[-1], None)
            else:
                place[path[-1]] = json.loads(json.dumps(value))
    return result


def edited(text: str, number: int, changes: t.Sequence[tuple[Steps, t.Any]]) -> str:
    """The text with values set, or taken away by REMOVE, at paths in document `number`; everything else stays as it is.

    Raises SealingError where that cannot be done, as with a value that is an alias of another one.
    """
    return edited_all(text, {number: changes})


def edited_all(text: str, changes: t.Mapping[int, t.Sequence[tuple[Steps, t.Any]]]) -> str:
    """As `edited`, in several documents at once. changes: number of a document -> what changes in it."""
    bom, body = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
    roots, values = _compose(body)
    editor, splices, wanted = Editor(body), list[Splice](), list(values)
    for number, several in changes.items():
        if not 1 <= number <= len(roots) or not isinstance(values[number - 1], dict):
            raise refused(f"it has no document {number} to edit")
        new = wanted[number - 1] = changed(values[number - 1], several)
        if not same(new, values[number - 1]):
            splices += editor.root(roots[number - 1], values[number - 1], new)
    if not splices:
        return text
    result = applied(body, splices)
    try:
        told = _compose(result)[1]
    except SealingError:
        told = []
    if not same(told, wanted):
        cause = "its YAML is written in a way that cannot be edited in place"
        raise refused(cause, "Write this part more simply")
    return bom + result


def removed(text: str, number: int) -> str:
    """The text without document `number`; "" where nothing but comments would be left."""
    bom, body = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
    roots, values = _compose(body)
    if not 1 <= number <= len(roots):
        raise refused(f"it has no document {number}")
    rest = [*values[: number - 1], *values[number:]]
    if not any(value is not None for value in rest):
        return ""
    marker = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
    starts = [0 if index == 0 else root.start_mark.index for index, root in enumerate(roots)]
    # From the document's own marker (its comments come after it) to the next one's.
    begins = [0] + [max((m.start() for m in marker.finditer(body, 0, at)), default=at) for at in starts[1:]]
    begin = begins[number - 1]
    end = begins[number] if number < len(begins) else len(body)
    result = body[:begin] + body[end:]
    if not same(_compose(result)[1], rest):
        raise refused(f"document {number} cannot be taken out of it", "Remove it by hand")
    return bom + result


def dump(obj: Obj) -> str:
    """A new document. Keys have a stable order, lines are not folded."""
    return block(obj, 0) + "\n"


def write(path: Path, text: str, mode: int | None = None) -> None:
    """Write a file atomically: whoever reads it, and whatever is killed, there is the old content or the new one.

    mode: permissions; without it those of the file that is replaced, or of a new file. Raises SealingError.
    """
    write_all([(path, text)], mode)


def write_all(files: t.Sequence[tuple[Path, str]], mode: int | None = None) -> None:
    """As `write`, for many files: each is replaced atomically, and the first only when all new contents are on the disk."""
    staged: list[tuple[str, str]] = []
    path = Path()
    try:
        try:
            for path, text in files:
                staged.append(_staged(path, text, mode, synchronise=len(files) < _MANY))
            if len(files) >= _MANY:
                _synchronise_file_systems({os.path.dirname(temporary) for temporary, _target in staged})
            for number, (temporary, target) in enumerate(staged):
                path = files[number][0]
                os.replace(temporary, target)
        except BaseException:
            for temporary, _target in staged:
                if os.path.lexists(temporary):
                    os.unlink(temporary)
            raise
    except OSError as error:
        raise _refused(str(path), error.strerror or "it cannot be written", "Make its directory writable") from None
    by_directory: dict[str, set[str]] = {}
    for _temporary, target in staged:
        by_directory.setdefault(os.path.dirname(target) or ".", set()).add(os.path.basename(target))
    for directory, names in sorted(by_directory.items()):
        _synchronise(directory)
        _sweep(directory, names)


def _sweep(directory: str, names: set[str]) -> None:
    """Take away what a killed run left beside these files. What is young may be another run's that is at work."""
    try:
        with os.scandir(directory) as entries:
            left = [entry for entry in entries if (found := _LEFT.fullmatch(entry.name)) and found.group(1) in names]
        for entry in left:
            target = os.path.join(directory, _LEFT.sub(r"\1", entry.name))
            if os.lstat(target).st_mtime - entry.stat(follow_symlinks=False).st_mtime > _OLD:
                os.unlink(entry.path)
    except OSError:
        return  # it is not ours to clean, or somebody else just did


def _staged(path: Path, text: str, mode: int | None, *, synchronise: bool) -> tuple[str, str]:
    """The new content in a file of its own beside the one it replaces: (its path, the path of that)."""
    target = os.fspath(path)
    try:
        old = os.lstat(target)
        if stat.S_ISLNK(old.st_mode):  # a link stays a link
            target = os.path.realpath(target)
            old = os.stat(target)
    except FileNotFoundError:
        old = None
    directory, name = os.path.split(target)
    temporary = os.path.join(directory, f".{name}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(text.encode())
            handle.flush()
            _keep(handle.fileno(), old, mode)
            if synchronise:
                os.fsync(handle.fileno())
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary, target


def _synchronise_file_systems(directories: set[str]) -> None:
    """All that was written there is on the disk, by one call for each file system: a thousand fsync take more than a second."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):
        os.sync()
        return
    for directory in {os.stat(one).st_dev: one for one in sorted(one or "." for one in directories)}.values():
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if library.syncfs(descriptor):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
        finally:
            os.close(descriptor)


def _keep(descriptor: int, old: os.stat_result | None, mode: int | None) -> None:
    """Permissions and owner of the file that is replaced."""
    if old is not None:
        new = os.fstat(descriptor)
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            with contextlib.suppress(PermissionError):  # who may not give files away owns the new one
                os.fchown(descriptor, old.st_uid, old.st_gid)
    if mode is not None or old is not None:
        os.fchmod(descriptor, mode if mode is not None else t.cast("os.stat_result", old).st_mode & 0o7777)


def _synchronise(directory: str) -> None:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return  # it may be left unreadable; the files themselves are written
    try:
        with contextlib.suppress(OSError):  # some file systems know no fsync of directories
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


# -- the editor -------------------------------------------------------------------------------------


def _compose(text: str) -> tuple[list[t.Any], list[t.Any]]:
    """Nodes and values of all documents."""
    loader = loader_class()(text)
    roots, values = [], []
    try:
        while loader.check_node():
            roots.append(loader.get_node())
            values.append(build_value(roots[-1], {}))
    except (yaml.YAMLError, ValueError):
        raise refused("it is not YAML that can be edited in place") from None
    finally:
        loader.dispose()
    return roots, values
