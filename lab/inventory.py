# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab as Ansible sees it."""

from __future__ import annotations

from .state import S3_BUCKET, S3_PORT, S3_REGION, SERVICES, Lab


def inventory(lab: Lab) -> dict:
    """The lab as an Ansible inventory."""
    shared = {
        "ansible_user": "root",
        "ansible_host": "127.0.0.1",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(lab.directory / "id_ed25519"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={lab.directory}/known_hosts -o StrictHostKeyChecking=yes",
    }
    hosts = {
        node: {"ansible_port": lab.ssh_port(node), "kubernetes_node_ip": lab.address(last)}
        for node, last in lab.nodes.items()
    }
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    return {
        "_meta": {"hostvars": {**{node: {**shared, **facts} for node, facts in hosts.items()}, "localhost": local}},
        "control_plane": {"hosts": ["cp-1"]},
        "workers": {"hosts": [node for node in hosts if node != "cp-1"]},
        "kubernetes_nodes": {"children": ["control_plane", "workers"]},
        "platform": {"hosts": ["localhost"]},
        "all": {
            "vars": {
                "lab_name": lab.name,
                "lab_dir": str(lab.directory),
                "lab_api_port": lab.port,
                "lab_store_url": f"http://{lab.address(SERVICES['store'])}:8080",
                "lab_registry": f"http://{lab.address(SERVICES['registry'])}:5000",
                "lab_patroni_image": lab.images.get("patroni", ""),
                "lab_toolbox_image": lab.images.get("toolbox", ""),
                "lab_s3": {
                    "address": lab.s3_address,
                    "port": S3_PORT,
                    "bucket": S3_BUCKET,
                    "region": S3_REGION,
                    "ca_cert": str(lab.s3_ca),
                    "writer": str(lab.s3_user("writer")),
                    "reader": str(lab.s3_user("reader")),
                },
                "lab_charts": lab.paths["charts"],
                "lab_bin": lab.paths["bin"],
            }
        },
    }
