# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces with walls of their own on the lab, for tests and benches of network_probe."""

from __future__ import annotations

import json
import typing as t

from labrun import LabRun

from ansible_collections.enclii.platform.plugins.module_utils.flows.model import Facts, read_flows
from ansible_collections.enclii.platform.plugins.module_utils.flows.render import policies
from ansible_collections.enclii.platform.plugins.module_utils.kube import front as kube
from ansible_collections.enclii.platform.plugins.module_utils.kube.arguments import CLUSTER_INFO
from ansible_collections.enclii.platform.plugins.module_utils.probing import front
from ansible_collections.enclii.platform.plugins.module_utils.probing.arguments import NETWORK_PROBE

HOME = {"HOME": "/nonexistent"}
MARK = "probe.enclii.dev/run"
LEFT = "pod,configmap,networkpolicy"
Obj = dict[str, t.Any]


def given(lab: LabRun, spec: Obj, **more: t.Any) -> Obj:
    return {**{name: option.get("default") for name, option in spec.items()}, "kubeconfig": str(lab.kubeconfig), **more}


class Walled:
    """Some namespaces, flows between them, and the policies these amount to."""

    def __init__(self, lab: LabRun, spaces: t.Mapping[str, str], flows: list[Obj]) -> None:
        self.lab, self.spaces, self.flows = lab, dict(spaces), flows
        network = kube.cluster_info(given(lab, CLUSTER_INFO, network=True), HOME)["network"]
        self.facts = Facts.read(network)
        self.policies = policies(read_flows([], flows, []), self.spaces, self.facts)

    def raise_walls(self) -> None:
        """The namespaces as the baseline makes them, and the policies."""
        spaces = [
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": name,
                    "labels": {"enclii.dev/walls": mode, "pod-security.kubernetes.io/enforce": "restricted"},
                },
            }
            for name, mode in self.spaces.items()
        ]
        self.apply(*spaces)
        self.apply(*self.policies)

    def apply(self, *objects: Obj) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.lab.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=json.dumps(listed))

    def with_flows_of(self, *components: Obj) -> list[Obj]:
        """The policies, as they are once these components declare flows as well."""
        return policies(read_flows(components, self.flows, []), self.spaces, self.facts)

    def restore(self) -> None:
        """Exactly the policies of the flows."""
        known = {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in self.policies}
        for space in self.spaces:
            for name in self.lab.kubectl("get", "networkpolicy", "-n", space, "-o", "name").split():
                if (space, name.partition("/")[2]) not in known:
                    self.lab.kubectl("delete", name, "-n", space)
        self.apply(*self.policies)

    def pull_down(self) -> None:
        self.lab.kubectl("delete", "namespace", *self.spaces, "--ignore-not-found", "--wait=false")

    def params(self, **more: t.Any) -> Obj:
        return given(self.lab, NETWORK_PROBE, spaces=self.spaces, flows=self.flows, **more)

    def probe(self, *, check: bool = False, **more: t.Any) -> Obj:
        return front.network_probe(self.params(**more), HOME, check=check)

    def left(self) -> list[str]:
        """What is there of any run."""
        listed = self.lab.kubectl("get", LEFT, "-A", "-l", MARK, "-o", "name") + self.lab.kubectl(
            "get", "namespace", "-l", MARK, "-o", "name"
        )
        return listed.split()
