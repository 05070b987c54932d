# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house rules, held against Python, documents and the built collection."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

import house

ROOT = house.ROOT
MODULES = sorted(path for path in (ROOT / "plugins" / "modules").glob("*.py") if path.name != "__init__.py")
# *_module.py is where a library meets AnsibleModule; everything below is pure
LIBRARIES = sorted(
    path for path in (ROOT / "plugins" / "module_utils").rglob("*.py") if not path.name.endswith("_module.py")
)
SHIPPED_PYTHON = sorted((ROOT / "plugins").rglob("*.py"))
PAGES = [name for name in house.committed() if name.endswith(".md") and not name.startswith("lab/builds/")]
SHIPPED_TOP = {"plugins", "roles", "playbooks", "meta", "docs", "changelogs", "extensions"}
SHIPPED_FILES = {"README.md", "CONTRIBUTING.md", "COPYING", "CHANGELOG.rst", "MANIFEST.json", "FILES.json"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def action_groups() -> dict[str, list[str]]:
    """Group -> short names of its modules."""
    groups = house.load(ROOT / "meta" / "runtime.yml")["action_groups"]
    return {group: [name.removeprefix("enclii.platform.") for name in members] for group, members in groups.items()}


@pytest.fixture(scope="module")
def module_docs() -> dict[str, Any]:
    """The documentation of every module with its fragments merged in, by short name."""
    shown = subprocess.run(
        ["ansible-doc", "--type", "module", "--json", *(f"enclii.platform.{path.stem}" for path in MODULES)],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    return {name.removeprefix("enclii.platform."): page["doc"] for name, page in json.loads(shown.stdout).items()}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_says_what_check_and_diff_do(path: Path, module_docs: dict[str, Any]) -> None:
    attributes = module_docs[path.stem].get("attributes") or {}
    missing = [name for name in ("check_mode", "diff_mode") if not attributes.get(name, {}).get("support")]
    assert missing == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_is_in_its_action_group(path: Path, module_docs: dict[str, Any]) -> None:
    talks_to_kubernetes = "api_key" in module_docs[path.stem]["options"]
    assert (path.stem in action_groups()["kube"]) == talks_to_kubernetes


def test_action_groups_name_only_modules_that_exist() -> None:
    named = {name for members in action_groups().values() for name in members}
    assert named <= {path.stem for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_is_thin(path: Path) -> None:
    assert house.code_lines(path.read_text(encoding="utf-8")) <= house.MAX_MODULE_CODE_LINES


@pytest.mark.parametrize("path", LIBRARIES, ids=relative)
def test_library_knows_nothing_of_ansible(path: Path) -> None:
    assert house.purity_findings(path.read_text(encoding="utf-8"), relative(path)) == []


def test_what_runs_on_machines_needs_only_python() -> None:
    # node_ready runs on the controller, and looks at machines from there
    controller = ("ready.py", "serving.py")
    node = [path for path in (ROOT / "plugins/module_utils/node").rglob("*.py") if path.name not in controller]
    assert node
    assert set().union(*(house.foreign_imports(path.read_text(encoding="utf-8")) for path in node)) == set()


def test_execution_environment_names_what_is_imported() -> None:
    distributions = {"yaml": "pyyaml"}
    imported = set().union(*(house.foreign_imports(path.read_text(encoding="utf-8")) for path in SHIPPED_PYTHON))
    text = (ROOT / "meta" / "ee-requirements.txt").read_text(encoding="utf-8")
    named = {re.split(r"[<>=~!]", line)[0].lower() for line in text.splitlines() if line and not line.startswith("#")}
    assert {distributions.get(name, name) for name in imported} == named


@pytest.mark.parametrize("path", SHIPPED_PYTHON, ids=relative)
def test_licence_header(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    if path.name == "__init__.py" and not source:
        return
    assert house.header_findings(source, relative(path)) == []


def test_nothing_names_the_place_where_it_was_written() -> None:
    # a name like "runner" is a word, one like "build-7f3a" is a machine
    machine = socket.gethostname() if re.search(r"[-\d]", socket.gethostname()) else ""
    findings = []
    for name in house.committed():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        findings += house.place_findings(text, name)
        if len(machine) > 5 and re.search(rf"\b{re.escape(machine)}\b", text):
            findings.append(f"{name}: names this machine")
    assert findings == []


@pytest.mark.parametrize("name", PAGES)
def test_links_of_documents_lead_somewhere(name: str) -> None:
    assert house.link_findings((ROOT / name).read_text(encoding="utf-8"), name) == []


def test_readme_names_every_playbook() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))


def test_index_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([a-z_-]+\.md)\)", (ROOT / "docs" / "index.md").read_text(encoding="utf-8")))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"} == linked


def test_sanity_ignores_nothing() -> None:
    ignored = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "sanity").glob("ignore-*.txt")}
    assert "ignore-2.19.txt" in ignored
    assert [name for name, text in ignored.items() if text] == []
    assert not (ROOT / ".ansible-lint-ignore").exists()


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as Galaxy would get it."""
    directory = tmp_path_factory.mktemp("build")
    built = subprocess.run(
        ["ansible-galaxy", "collection", "build", "--output-path", str(directory)],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return next(directory.glob("enclii-platform-*.tar.gz"))


def test_build_holds_what_it_must_and_nothing_else(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = {member.name for member in archive.getmembers() if member.isfile()}
    wanted = {name for name in house.committed() if name.split("/")[0] in SHIPPED_TOP or name in SHIPPED_FILES}
    made = {"MANIFEST.json", "FILES.json"}
    assert sorted(wanted - names) == []
    assert sorted(names - wanted - made) == []
    assert tarball.stat().st_size < 1024 * 1024


def test_installed_collection_plays_by_its_full_name(tarball: Path, tmp_path: Path) -> None:
    # away from the clone, its ansible.cfg and collections that are installed elsewhere, as on a user's machine
    environment = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "ANSIBLE_INJECT_FACT_VARS": "false"}
    environment.pop("ANSIBLE_CONFIG", None)
    install = ["ansible-galaxy", "collection", "install", str(tarball), "-p", str(tmp_path), "--no-deps", "--offline"]
    installed = subprocess.run(
        [*install, "--force"], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
    )
    assert installed.returncode == 0, installed.stderr
    assert (tmp_path / "ansible_collections" / "enclii" / "platform" / "MANIFEST.json").is_file()
    for namespace in (ROOT / ".collections" / "ansible_collections").iterdir():
        if namespace.name != "enclii":
            (tmp_path / "ansible_collections" / namespace.name).symlink_to(namespace.resolve())
    playbooks = [f"enclii.platform.{path.stem}" for path in sorted((ROOT / "playbooks").glob("*.yml"))]
    assert "enclii.platform.site" in playbooks
    checked = subprocess.run(
        ["ansible-playbook", "--syntax-check", "-i", str(ROOT / "inventories" / "dev"), *playbooks],
        cwd=tmp_path, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


# The rules themselves: each must find what it is there to find.
def test_code_lines_count_code_only() -> None:
    source = (
        'from x import y\n\nDOCUMENTATION = r"""\na\nb\n"""\n\n\ndef f():\n    """Doc."""\n    # why\n    return y\n'
    )
    assert house.code_lines(source) == 3


def test_purity_rule() -> None:
    bad = "from __future__ import annotations\nfrom ansible.module_utils.basic import AnsibleModule\nimport ansible\n"
    assert len(house.purity_findings(bad, "x.py")) == 2
    assert (
        house.purity_findings("from ansible_collections.enclii.platform.plugins.module_utils import x\n", "x.py") == []
    )


def test_import_rule() -> None:
    source = (
        "import os.path\nimport yaml\nfrom kubernetes.client import x\nfrom . import y\nfrom ansible.errors import z\n"
    )
    assert house.foreign_imports(source) == {"yaml", "kubernetes"}


def test_header_rule() -> None:
    assert len(house.header_findings("x = 1\n", "x.py")) == 3


def test_place_rule() -> None:
    bad = "cd /" + "work/x\n" + "see ../" + "shared\n"
    assert len(house.place_findings(bad, "docs/x.md")) == 2
    assert len(house.place_findings(bad, "tests/x.py")) == 1


def test_link_rule(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# One two\n", encoding="utf-8")
    (tmp_path / "x.md").touch()
    text = "[a](a.md#one-two) [b](a.md#three) [c](c.md) [d](https://example.com) [e](#here)\n# Here\n"
    assert len(house.link_findings(text, "x.md", tmp_path)) == 2
