# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What enforcing would do to a namespace, tried in a scratch one: the same policies, pods with the same labels."""

from __future__ import annotations

import copy
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..flows.evaluate import Evaluator, Pod
from ..flows.matrix import Identity
from ..flows.model import End, Facts, Flow
from ..flows.render import policies

_SPACE_NAME = "kubernetes.io/metadata.name"
# Labels by which controllers tell the pods of one template apart.
_PASSING = (
    "pod-template-hash", "controller-revision-hash", "pod-template-generation", "controller-uid", "job-name",
    "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index", "batch.kubernetes.io/job-completion-index",
)  # fmt: skip
# Only what a pod cannot live without is tried: the pods of other namespaces know nothing of the scratch one.
LIFELINES = ("cluster DNS", "API server *", "node *", "address *", "metadata address")
Obj = dict[str, t.Any]


def moved(flows: Iterable[Flow], space: str, scratch: str) -> list[Flow]:
    """The flows as they would be, were the namespace the scratch one."""

    def end(one: End) -> End:
        return replace(one, namespaces=tuple(scratch if name == space else name for name in one.namespaces))

    return [replace(flow, source=end(flow.source), target=end(flow.target)) for flow in flows]


def own_policies(live: Mapping[str, Obj], known: Iterable[str], space: str, scratch: str) -> list[Obj]:
    """Copies of the namespace's policies that are none of the walls': they would stay beside them."""
    rendered = {name.partition("/")[2] for name in known}
    found = []
    for name, policy in live.items():
        place, _slash, short = name.partition("/")
        if place == space and short not in rendered:
            spec = copy.deepcopy(policy.get("spec") or {})
            _rename(spec, space, scratch)
            about = {"name": short, "namespace": scratch}
            found.append(
                {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": about, "spec": spec}
            )
    return found


def _rename(value: t.Any, space: str, scratch: str) -> None:
    """Selectors that name the namespace name the scratch one."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _rename(item, space, scratch)
    if isinstance(value, dict) and value.get(_SPACE_NAME) == space:
        value[_SPACE_NAME] = scratch


def wanted(
    flows: Sequence[Flow], space: str, scratch: str, facts: Facts, dns_addresses: Sequence[str], live: Mapping[str, Obj]
) -> tuple[list[Obj], list[Obj]]:
    """(the walls' policies for it, those of its own that stay), all in the scratch namespace."""
    walls = policies(flows, {scratch: "enforce"}, facts, dns_addresses)
    names = [f"{space}/{one['metadata']['name']}" for one in walls]
    return walls, own_policies(live, names, space, scratch)


def identities_of(pods: Iterable[Obj], scratch: str) -> list[Identity]:
    """One for each set of labels that pods of the namespace carry."""
    found: dict[tuple[tuple[str, str], ...], Identity] = {}
    for pod in pods:
        about = pod["metadata"]
        mine = {key: value for key, value in (about.get("labels") or {}).items() if key not in _PASSING}
        found.setdefault(tuple(sorted(mine.items())), Identity(f"like-{about['name']}", scratch, mine))
    return list(found.values())


def without_api_server(pods: Iterable[Obj], scratch: str, facts: Facts, declared: Evaluator) -> list[str]:
    """Pods with an account's token that no flow leads to the API server: whether they use it nobody can see."""
    told: dict[tuple[tuple[str, str], ...], str] = {}
    for pod in pods:
        about = pod["metadata"]
        labels = {key: value for key, value in (about.get("labels") or {}).items() if key not in _PASSING}
        one = Pod(scratch, labels)
        volumes = (pod.get("spec") or {}).get("volumes") or []
        has_token = any(
            "serviceAccountToken" in source
            for volume in volumes
            for source in (volume.get("projected") or {}).get("sources") or []
        )
        reached = any(declared.judge(one, host, port).allowed for host, port in facts.api_server)
        if has_token and not reached:
            told.setdefault(
                tuple(sorted(labels.items())),
                f"pod {about['namespace']}/{about['name']} has an account's token, and no flow leads it to the API server: "
                f"declare one if it calls it, else set automountServiceAccountToken to false",
            )
    return list(told.values())
