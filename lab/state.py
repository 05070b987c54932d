# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a lab: its name and everything that follows from it. Needs nothing but the standard library."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import pathlib

from .core import CLONE

# containerd, kubelet and etcd need a real file system under them: overlayfs does not nest.
VOLUMES = {"containerd": "/var/lib/containerd", "kubelet": "/var/lib/kubelet", "etcd": "/var/lib/etcd"}
# What runs beside the nodes, by the last part of its address.
SERVICES = {"store": 2, "registry": 3, "s3": 4}
S3_PORT, S3_BUCKET, S3_REGION = 7070, "enclii-backups", "us-east-1"
S3_USERS = ("root", "writer", "reader")


@dataclasses.dataclass
class Lab:
    """What is known of one lab; kept in .lab/<name>/lab.json."""

    name: str
    workers: int = 3
    subnet: str = ""
    port: int = 0
    images: dict[str, str] = dataclasses.field(default_factory=dict)
    paths: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def directory(self) -> pathlib.Path:
        return CLONE / ".lab" / self.name

    @property
    def nodes(self) -> dict[str, int]:
        """Node names and their last address part; control plane first."""
        return {"cp-1": 10, **{f"worker-{number}": 10 + number for number in range(1, self.workers + 1)}}

    def address(self, last: int) -> str:
        return str(ipaddress.ip_network(self.subnet)[last])

    @property
    def s3(self) -> pathlib.Path:
        """Where the S3 server keeps what it has."""
        return self.directory / "s3"

    @property
    def s3_ca(self) -> pathlib.Path:
        return self.s3 / "ca.crt"

    @property
    def s3_address(self) -> str:
        return self.address(SERVICES["s3"])

    def s3_user(self, user: str) -> pathlib.Path:
        """Directory of a user's files `key` and `secret`."""
        return self.directory / "s3-users" / user

    def container(self, node: str) -> str:
        return f"{self.name}-{node}"

    def ssh_port(self, node: str) -> int:
        return self.port + self.nodes[node] - 9

    def save(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        target = self.directory / "lab.json"
        target.with_suffix(".part").write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")
        target.with_suffix(".part").rename(target)

    @classmethod
    def load(cls, name: str) -> Lab | None:
        path = CLONE / ".lab" / name / "lab.json"
        return cls(**json.loads(path.read_text())) if path.exists() else None
