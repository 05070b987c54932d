# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster's roles, bindings and accounts as they are, and what its API server answers. Nothing here writes."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterable

from ..kube import discovery
from ..kube.client import Client
from ..kube.errors import ApiError
from ..kube.explain import explain
from .graph import Objects
from .judge import Account
from .model import Request, Subject, Thing

Question = tuple[Subject, Request]
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_LISTS = {
    "cluster_roles": f"{_RBAC}/clusterroles",
    "cluster_role_bindings": f"{_RBAC}/clusterrolebindings",
    "roles": f"{_RBAC}/roles",
    "role_bindings": f"{_RBAC}/rolebindings",
    "accounts": "/api/v1/serviceaccounts",
    "namespaces": "/api/v1/namespaces",
}
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What one reading found. served: every resource and subresource that the API server knows."""

    objects: Objects
    accounts: list[Account]
    namespaces: list[str]
    served: frozenset[Thing]


def look(client: Client) -> Cluster:
    """Read everything that tells who may do what, all of it at once."""

    def read(key: str) -> t.Any:
        try:
            if key in ("/api", "/apis"):
                return client.get(key, accept=discovery.ACCEPT)
            return client.list(_LISTS[key], metadata_only=key == "namespaces")
        except ApiError as error:
            raise explain(error, f"Access ({key})", "", verb=f"list {key}", changed=False) from error

    keys = [*_LISTS, "/api", "/apis"]
    got = dict(zip(keys, client.map(read, keys), strict=True))
    return Cluster(
        objects=Objects(got["cluster_roles"], got["cluster_role_bindings"], got["roles"], got["role_bindings"]),
        accounts=[
            Account(
                Subject.account(one["metadata"]["namespace"], one["metadata"]["name"]),
                one.get("automountServiceAccountToken"),
            )
            for one in got["accounts"]
        ],
        namespaces=sorted(one["metadata"]["name"] for one in got["namespaces"]),
        served=frozenset(_served(got["/api"])) | frozenset(_served(got["/apis"])),
    )


def _served(answer: dict[str, t.Any]) -> Iterable[Thing]:
    for group in answer.get("items") or ():
        name = (group.get("metadata") or {}).get("name") or ""
        for version in group.get("versions") or ():
            for entry in version.get("resources") or ():
                yield Thing(entry["resource"], name)
                for part in entry.get("subresources") or ():
                    yield Thing(entry["resource"], name, part["subresource"])


def ask(client: Client, questions: Iterable[Question]) -> dict[Question, bool]:
    """SubjectAccessReviews, a few at a time over connections that stay open. Each question once."""
    listed = list(dict.fromkeys(questions))

    def review(question: Question) -> bool:
        subject, request = question
        spec = {"user": subject.user, "groups": list(subject.groups), **request.attributes()}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        try:
            answer = client.request("POST", _REVIEWS, body=body)[1]
        except ApiError as error:
            raise explain(
                error, f"Review of {subject}: {request}", "", verb="create subjectaccessreviews", changed=False
            ) from error
        return bool(answer["status"]["allowed"])

    return dict(zip(listed, client.map(review, listed), strict=True)) if listed else {}
