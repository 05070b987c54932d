# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Artifacts are placed whole, by checksum, and proved unchanged without a request."""

from __future__ import annotations

import hashlib
import io
import tarfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.node import artifacts
from ansible_collections.enclii.platform.plugins.module_utils.node.artifacts import ArtifactError


class Mirror:
    """Published files by address, and what was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[str] = []

    def __call__(self, url: str) -> t.Any:
        self.asked.append(url)
        if url not in self.files:
            raise ArtifactError(f"{url}: HTTP 404")
        return io.BytesIO(self.files[url])


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def archive(members: dict[str, tuple[bytes, int]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, (data, mode) in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


PROGRAM = b"#!program\n" * 1000
BUNDLE = archive({"bin/containerd": (b"daemon", 0o755), "bin/ctr": (b"client", 0o755), "README.md": (b"text", 0o644)})


@pytest.fixture
def mirror() -> Mirror:
    return Mirror(
        {
            "http://m/kubelet": PROGRAM,
            "http://m/kubelet.sha256": sha256(PROGRAM).encode() + b"\n",
            "http://m/c.tar.gz": BUNDLE,
            "http://m/c.tar.gz.sha256sum": f"{'0' * 64}  other.tar.gz\n{sha256(BUNDLE)}  c.tar.gz\n".encode(),
        }
    )


def wanted(folder: Path) -> list[dict[str, t.Any]]:
    return [
        {
            "name": "kubelet",
            "url": "http://m/kubelet",
            "sha256": "",
            "sha256_url": "http://m/kubelet.sha256",
            "dest": str(folder / "bin" / "kubelet"),
            "archive": False,
        },
        {
            # Named like one of its members, which is unpacked beside the download.
            "name": "containerd",
            "url": "http://m/c.tar.gz",
            "sha256": "",
            "sha256_url": "http://m/c.tar.gz.sha256sum",
            "dest": str(folder / "bin"),
            "archive": True,
        },
    ]


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("a" * 64 + "\n", "a" * 64),
        ("A" * 64, "a" * 64),
        (f"{'a' * 64}  f.tgz\n", "a" * 64),
        (f"{'a' * 64} *f.tgz\n", "a" * 64),
        (f"{'a' * 64}  ./out/f.tgz\n", "a" * 64),
        (f"{'a' * 64}  other\n{'b' * 64}  f.tgz\n", "b" * 64),
        (f"{'a' * 64}  other\n", ""),
        ("<html>404</html>", ""),
        ("", ""),
    ],
)
def test_published_digest(text: str, digest: str) -> None:
    assert artifacts.published_digest(text, "f.tgz") == digest


def test_install_places_programs_and_a_second_run_asks_for_nothing(tmp_path: Path, mirror: Mirror) -> None:
    ledger = tmp_path / "state" / "ledger.json"
    assert artifacts.install(wanted(tmp_path), ledger, mirror) == ["containerd", "kubelet"]
    assert sorted(path.name for path in (tmp_path / "bin").iterdir()) == ["containerd", "ctr", "kubelet"]
    assert (tmp_path / "bin" / "kubelet").read_bytes() == PROGRAM
    assert (tmp_path / "bin" / "containerd").read_bytes() == b"daemon"
    assert all(path.stat().st_mode & 0o777 == 0o755 for path in (tmp_path / "bin").iterdir())
    asked = len(mirror.asked)
    assert artifacts.install(wanted(tmp_path), ledger, mirror) == []
    assert len(mirror.asked) == asked


def test_a_changed_or_missing_file_is_put_right(tmp_path: Path, mirror: Mirror) -> None:
    ledger = tmp_path / "ledger.json"
    artifacts.install(wanted(tmp_path), ledger, mirror)
    (tmp_path / "bin" / "kubelet").write_bytes(b"tampered")
    (tmp_path / "bin" / "ctr").unlink()
    assert artifacts.install(wanted(tmp_path), ledger, mirror) == ["containerd", "kubelet"]
    assert (tmp_path / "bin" / "kubelet").read_bytes() == PROGRAM


def test_another_address_or_another_pin_is_another_artifact(tmp_path: Path, mirror: Mirror) -> None:
    ledger = tmp_path / "ledger.json"
    kubelet = wanted(tmp_path)[0]
    artifacts.install([kubelet], ledger, mirror)
    have = artifacts.load(ledger)
    assert artifacts.installed(kubelet, have)
    assert artifacts.installed({**kubelet, "sha256": sha256(PROGRAM).upper()}, have)
    assert not artifacts.installed({**kubelet, "url": "http://m/v2/kubelet"}, have)
    assert not artifacts.installed({**kubelet, "sha256": "1" * 64}, have)


def test_a_wrong_file_is_not_installed_and_the_others_are(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files["http://m/kubelet"] = b"something else"
    ledger = tmp_path / "ledger.json"
    with pytest.raises(ArtifactError, match=r"kubelet: http://m/kubelet has SHA-256 [0-9a-f]{64}, published is"):
        artifacts.install(wanted(tmp_path), ledger, mirror)
    assert sorted(path.name for path in (tmp_path / "bin").iterdir()) == ["containerd", "ctr"]
    mirror.files["http://m/kubelet"] = PROGRAM
    assert artifacts.install(wanted(tmp_path), ledger, mirror) == ["kubelet"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sha256_url": ""}, "neither a checksum nor an address"),
        ({"sha256_url": "http://m/c.tar.gz"}, "holds no SHA-256 of it"),
        ({"url": "http://m/gone"}, "HTTP 404"),
        ({"archive": True}, "the archive cannot be read"),
        ({"dest": "/proc/nowhere/kubelet"}, "/proc/nowhere/kubelet"),
    ],
)
def test_errors_name_the_artifact_and_the_cause(tmp_path: Path, mirror: Mirror, change: dict, says: str) -> None:
    kubelet = {**wanted(tmp_path)[0], **change}
    with pytest.raises(ArtifactError, match=says):
        artifacts.install([kubelet], tmp_path / "ledger.json", mirror)


def test_an_archive_without_programs_is_an_error(tmp_path: Path, mirror: Mirror) -> None:
    packed = archive({"README.md": (b"text", 0o644)})
    mirror.files["http://m/c.tar.gz"] = packed
    item = {**wanted(tmp_path)[1], "sha256": sha256(packed)}
    with pytest.raises(ArtifactError, match="no executable file"):
        artifacts.install([item], tmp_path / "ledger.json", mirror)


def test_members_cannot_leave_their_directory(tmp_path: Path, mirror: Mirror) -> None:
    packed = archive({"../../outside": (b"x", 0o755)})
    mirror.files["http://m/c.tar.gz"] = packed
    item = {**wanted(tmp_path)[1], "sha256": sha256(packed)}
    artifacts.install([item], tmp_path / "ledger.json", mirror)
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["outside"]


def test_remove_takes_exactly_what_was_installed(tmp_path: Path, mirror: Mirror) -> None:
    ledger = tmp_path / "ledger.json"
    artifacts.install(wanted(tmp_path), ledger, mirror)
    (tmp_path / "bin" / "mine").write_text("not the role's")
    assert len(artifacts.remove(ledger)) == 3
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["mine"]
    assert artifacts.remove(ledger) == []


def test_a_ledger_cut_short_means_installing_again(tmp_path: Path, mirror: Mirror) -> None:
    ledger = tmp_path / "ledger.json"
    artifacts.install(wanted(tmp_path), ledger, mirror)
    ledger.write_text(ledger.read_text()[:40])
    assert artifacts.install(wanted(tmp_path), ledger, mirror) == ["containerd", "kubelet"]
