# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house rules as functions: each takes text or parsed YAML and returns a list of findings, empty when all is well.

tests/unit/test_house_rules*.py runs them over the project, and over bad samples: a rule that finds nothing is seen.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
ROLES = sorted(path for path in (ROOT / "roles").glob("*") if path.is_dir())
MAX_TASK_LINES = 70
MAX_MODULE_CODE_LINES = 150

TASK_LISTS = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")
# Variables of Ansible's own that are no facts; any other ansible_* name is an injected fact, which core drops in 2.24.
ANSIBLE_NAMES = re.compile(
    r"ansible_(facts|check_mode|diff_mode|version|verbosity|config_file|playbook_python|python_interpreter|forks|limit"
    r"|host|port|user|password|connection|private_key_file|ssh_\w+|become\w*|remote_tmp"
    r"|inventory_sources|run_tags|skip_tags|search_path|collection_name|role_names?|role_name"
    r"|parent_role_names|parent_role_paths|dependent_role_names|play_\w+|loop|loop_var|index_var|loop\w*"
    r"|failed_task|failed_result|managed|collections|builtin|local)\b"
)


class Loader(yaml.SafeLoader):
    """SafeLoader that also reads Ansible's tags (!unsafe, !vault) as plain values."""


Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node))


def load(path: Path) -> Any:
    """Parse one YAML file with Ansible's tags."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)  # a SafeLoader


@cache
def committed() -> tuple[str, ...]:
    """Return the files git knows or would add, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return tuple(sorted(name for name in set(listed.stdout.split("\0")) if name and (ROOT / name).is_file()))


@dataclass(frozen=True)
class Task:
    """One task: where it stands, its source lines, and its content."""

    where: str
    source: str
    data: dict[str, Any]


def tasks(text: str, name: str) -> Iterator[Task]:
    """Yield each task of a task file or playbook, also those inside blocks and plays."""
    lines = text.splitlines()
    root = yaml.compose(text, Loader=Loader)
    if isinstance(root, yaml.SequenceNode):
        yield from _tasks(root, lines, name)


def _tasks(sequence: yaml.SequenceNode, lines: list[str], name: str) -> Iterator[Task]:
    for node in sequence.value:
        if not isinstance(node, yaml.MappingNode):
            continue
        nested = {key.value: value for key, value in node.value if key.value in TASK_LISTS}
        for value in nested.values():
            if isinstance(value, yaml.SequenceNode):
                yield from _tasks(value, lines, name)
        start = node.start_mark.line
        end = min((value.start_mark.line for value in nested.values()), default=node.end_mark.line)
        # a comment directly above a task belongs to it
        above = start
        while above > 0 and lines[above - 1].lstrip().startswith("#"):
            above -= 1
        loader = Loader("")
        yield Task(f"{name}:{start + 1}", "\n".join(lines[above:end]), loader.construct_document(node))


def _module(task: Task, name: str) -> Any:
    for key in (f"ansible.builtin.{name}", f"ansible.legacy.{name}", name):
        if key in task.data:
            return task.data[key]
    return None


def task_findings(text: str, name: str) -> list[str]:
    """Return what is wrong with the tasks of one file."""
    out: list[str] = []
    for task in tasks(text, name):
        commented = any(line.lstrip().startswith("#") or " # " in line for line in task.source.splitlines())
        if "ignore_errors" in task.data:
            out.append(f"{task.where}: ignore_errors; say which result is no error with failed_when")
        if task.data.get("failed_when") is False and not commented:
            out.append(f"{task.where}: failed_when: false without a comment that says why nothing here can be an error")
        if task.data.get("changed_when") is False and not commented:
            out.append(f"{task.where}: changed_when: false without a comment that says why this changes nothing")
        out += [
            f"{task.where}: {module}; use a module, or command with argv"
            for module in ("shell", "raw")
            if _module(task, module)
        ]
        command = _module(task, "command")
        if command is not None and not (isinstance(command, dict) and "argv" in command):
            out.append(f"{task.where}: command without argv")
        registered = task.data.get("register")
        if registered and not str(registered).startswith("__"):
            out.append(f"{task.where}: register: {registered} needs the name of an internal variable, __<role>_…")
        facts = _module(task, "set_fact") or {}
        out += [
            f"{task.where}: set_fact {fact} needs the name of an internal variable, __<role>_…"
            for fact in facts
            if fact != "cacheable" and not fact.startswith("__")
        ]
    return out


def fact_findings(text: str, name: str) -> list[str]:
    """Return each use of an injected fact (ansible_os_family instead of ansible_facts['os_family'])."""
    out = []
    for number, line in enumerate(text.splitlines(), 1):
        code = line.split(" #")[0]
        out += [
            f"{name}:{number}: {match[0]} is an injected fact; write ansible_facts[...]"
            for match in re.finditer(r"(?<![\w./-])ansible_\w+", code)
            if not ANSIBLE_NAMES.fullmatch(match[0])
        ]
    return out


def method_findings(text: str, name: str) -> list[str]:
    """Return each `thing.values`, `.keys`, … that is not called: Jinja finds the dict's method, not the key."""
    return [
        f"{name}:{number}: {match[0]} is a dict's method; write ['{match[1]}']"
        for number, line in enumerate(text.splitlines(), 1)
        for match in re.finditer(
            r"[\w\])]\.(values|keys|items|update|pop|get|copy)\b(?!\s*\(|\.\w|:)", line.split(" #")[0]
        )
        if "{{" in line or "|" in line
    ]


def length_findings(text: str, name: str, limit: int = MAX_TASK_LINES) -> list[str]:
    """Return a finding if a task file is longer than the limit."""
    count = len(text.splitlines())
    return [f"{name}: {count} lines; a task file has at most {limit}"] if count > limit else []


def spec_findings(role: str, defaults: dict[str, Any], spec: dict[str, Any]) -> list[str]:
    """Return where a role's defaults and the main entry point of its argument spec disagree."""
    options = spec.get("options") or {}
    out = [
        f"{role}: {key} is in defaults/main.yml and not in meta/argument_specs.yml"
        for key in defaults
        if key not in options
    ]
    for key, option in options.items():
        if not key.startswith((f"{role}_", "enclii_")):
            out.append(f"{role}: {key} has neither the prefix {role}_ nor enclii_")
        if not option.get("description"):
            out.append(f"{role}: {key} has no description")
        if option.get("required"):
            if key in defaults or "default" in option:
                out.append(f"{role}: {key} is required and has a default")
            continue
        if key.startswith("enclii_") and key not in defaults and "default" not in option:
            continue
        if key not in defaults:
            out.append(
                f"{role}: {key} is in meta/argument_specs.yml, is not required, and has no default in defaults/main.yml"
            )
        elif "default" in option:
            if option["default"] != defaults[key]:
                out.append(f"{role}: {key} defaults to {defaults[key]!r} and its spec says {option['default']!r}")
        elif defaults[key] is not None and not (isinstance(defaults[key], str) and "{{" in defaults[key]):
            out.append(f"{role}: {key} defaults to {defaults[key]!r} and its spec says nothing")
    return out


def code_lines(source: str) -> int:
    """Count the lines of code of a Python file: no blank lines, comments, docstrings or documentation strings."""
    tree = ast.parse(source)
    text: set[int] = set()
    for node in ast.walk(tree):
        documentation = (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in ("DOCUMENTATION", "EXAMPLES", "RETURN", "ATTRIBUTES", "OPTIONS")
        )
        docstring = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        if documentation or docstring:
            text |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return sum(
        1
        for number, line in enumerate(source.splitlines(), 1)
        if number not in text and line.strip() and not line.lstrip().startswith("#")
    )


def purity_findings(source: str, name: str) -> list[str]:
    """Return each import of Ansible in a library file."""
    out = []
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        out += [
            f"{name}:{node.lineno}: imports {found}; libraries know nothing of Ansible"
            for found in names
            if found.split(".")[0] == "ansible"
        ]
    return out


def foreign_imports(source: str) -> set[str]:
    """Return the top-level packages a file imports that are neither Python's nor Ansible's nor a collection's."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names - sys.stdlib_module_names - {"ansible", "ansible_collections"}


def header_findings(source: str, name: str) -> list[str]:
    """Return a finding if a Python file lacks the licence header or the annotations import."""
    head = "\n".join(source.splitlines()[:8])
    wanted = ("GNU General Public License v3.0+ (see COPYING", "SPDX-License-Identifier: GPL-3.0-or-later")
    out = [f"{name}: the first lines lack '{line}'" for line in wanted if line not in head]
    if ast.parse(source).body and "from __future__ import annotations" not in source:
        out.append(f"{name}: lacks 'from __future__ import annotations'")
    return out


def place_findings(text: str, name: str) -> list[str]:
    """Return each path or name that is true only where the project was written."""
    # put together here, so that this file does not hold what it forbids
    places = {
        "/" + "work" + "/": "a path of one machine",
        "/opt/" + "wheels": "a path of one machine",
        "." + "library/": "a path of one machine",
    }
    if not name.startswith("tests/"):
        places["../" + "shared"] = "material that is not part of the project"
    out = []
    for number, line in enumerate(text.splitlines(), 1):
        out += [f"{name}:{number}: {place} is {why}" for place, why in places.items() if place in line]
    return out


def slug(heading: str) -> str:
    """Return the anchor GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Return the anchors of a Markdown page."""
    return {slug(match[1]) for match in re.finditer(r"^#+ (.+)$", text, re.MULTILINE)}


def link_findings(text: str, name: str, root: Path = ROOT) -> list[str]:
    """Return each relative link of a Markdown page that leads nowhere."""
    out = []
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for match in re.finditer(r"!?\[[^\]]*\]\(([^()\s]+)\)|<img[^>]*src=\"([^\"]+)\"", prose):
        target = match[1] or match[2]
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        page = (root / name).parent / path if path else root / name
        if not page.exists():
            out.append(f"{name}: link to {target}: there is no such file")
        elif (
            anchor
            and page.suffix == ".md"
            and anchor not in anchors(page.read_text(encoding="utf-8") if path else text)
        ):
            out.append(f"{name}: link to {target}: the page has no such heading")
    return out


def collections_used(text: str) -> set[str]:
    """Return the collections (namespace.name) whose plugins a text uses, but not Ansible's own and ours."""
    found = re.findall(
        r"(?:(?<=[\s'\"(|/])|^)((?:community|kubernetes|containers|enclii)\.[a-z_]+|ansible\.(?:posix|utils|netcommon))(?=\.[a-z_]+)",
        text,
        re.MULTILINE,
    )
    # kubernetes.default is a Service
    return set(found) - {"ansible.builtin", "ansible.legacy", "enclii.platform", "kubernetes.default"}
