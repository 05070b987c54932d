# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B3: our graph and a real API server give the same answer to every question, about random roles, bindings and requests."""

from __future__ import annotations

import itertools
import typing as t

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rbac import API, Access, Obj, obj, ref

from ansible_collections.enclii.platform.plugins.module_utils.access import live
from ansible_collections.enclii.platform.plugins.module_utils.access.model import Request, Subject, Thing

SPACES = ("a", "b")
VERBS = ("get", "list", "create", "delete", "*")
GROUPS = ("", "apps", "*")
RESOURCES = ("secrets", "pods", "pods/exec", "*/exec", "pods/*", "deployments", "deployments/scale", "*")
NAMES = ("x", "y")
URLS = ("/metrics", "/healthz", "/healthz/*", "/healthz*", "*")
SUBJECTS = (
    Subject.account("a", "one"),
    Subject.account("b", "one"),
    Subject("User", "jane"),
    Subject("Group", "system:serviceaccounts"),
    Subject("Group", "system:serviceaccounts:a"),
    Subject("Group", "system:authenticated"),
)
# who is asked about: a group is nobody who could ask
ASKED = SUBJECTS[:3]


def some(values: t.Sequence[str], most: int = 2) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


resource_rules = st.fixed_dictionaries(
    {"verbs": some(VERBS), "apiGroups": some(GROUPS), "resources": some(RESOURCES)},
    optional={"resourceNames": some(NAMES)},
)
url_rules = st.fixed_dictionaries({"verbs": some(VERBS), "nonResourceURLs": some(URLS)})
local_rules = st.lists(resource_rules, min_size=1, max_size=3)
cluster_rules = st.lists(st.one_of(resource_rules, url_rules), min_size=1, max_size=4)


@st.composite
def clusters(draw: st.DrawFn) -> list[Obj]:
    """Roles and bindings, some of them to roles that are not there."""
    found = [obj("ClusterRole", f"e-{number}", rules=draw(cluster_rules)) for number in range(2)]
    found += [obj("Role", f"e-{space}", space, rules=draw(local_rules)) for space in SPACES]
    for number in range(draw(st.integers(2, 5))):
        whole = draw(st.booleans())
        space = "" if whole else draw(st.sampled_from(SPACES))
        targets = [ref("ClusterRole", f"e-{one}") for one in (0, 1, 2)]
        targets += [] if whole else [ref("Role", f"e-{one}") for one in SPACES]
        chosen = draw(st.lists(st.sampled_from(SUBJECTS), min_size=1, max_size=2, unique=True))
        subjects = [
            {"kind": one.kind, "name": one.name, "namespace": one.namespace}
            if one.kind == "ServiceAccount"
            else {"apiGroup": API, "kind": one.kind, "name": one.name}
            for one in chosen
        ]
        kind = "ClusterRoleBinding" if whole else "RoleBinding"
        found.append(obj(kind, f"e-{number}", space, roleRef=draw(st.sampled_from(targets)), subjects=subjects))
    return found


# All that the rules above can tell apart, and a little that none of them names.
QUESTIONS = [
    *(
        Request(verb, Thing(resource, group, subresource), space, name)
        for verb, group, space, name in itertools.product(("get", "*"), ("", "apps"), ("", *SPACES), ("", "x"))
        for resource, subresource in (
            ("secrets", ""),
            ("pods", "exec"),
            ("other", "exec"),
            ("deployments", "scale"),
            ("*", ""),
        )
    ),
    *(Request("list", Thing("pods"), space, name) for space in ("", "a", "default") for name in ("", "y", "z")),
    *(
        Request("get", url=url)
        for url in ("/metrics", "/metrics/x", "/healthz", "/healthz/etcd", "/healthzz", "/other")
    ),
]


# shrinking would take hundreds of clusters; the difference is named as it is
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(objects=clusters())
def test_the_graph_answers_as_the_api_server_does(access: Access, objects: list[Obj]) -> None:
    access.clear()
    access.write(objects)
    graph = access.graph()
    asked = [(subject, request) for subject in ASKED for request in QUESTIONS]
    answers = live.ask(access.client, asked)
    ours = {(subject, request): bool(graph.paths(request, subject.user, subject.groups)) for subject, request in asked}
    different = {f"{who}: {what}": seen for (who, what), seen in answers.items() if ours[who, what] is not seen}
    assert different == {}


def test_the_questions_are_not_all_answered_alike(access: Access) -> None:
    """What is compared above would be equal if everything were denied."""
    rules = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["pods", "*/exec"]}]
    one = {"kind": "ServiceAccount", "name": "one", "namespace": "a"}
    access.write(
        [
            obj("ClusterRole", "e-0", rules=rules),
            obj("RoleBinding", "e-0", "a", roleRef=ref("ClusterRole", "e-0"), subjects=[one]),
        ]
    )
    asked = [
        (SUBJECTS[0], Request("get", Thing("pods"), "a")),
        (SUBJECTS[0], Request("get", Thing("any", "x", "exec"), "a")),
        (SUBJECTS[0], Request("get", Thing("pods"), "b")),
        (SUBJECTS[1], Request("get", Thing("pods"), "a")),
    ]
    assert list(live.ask(access.client, asked).values()) == [True, True, False, False]
