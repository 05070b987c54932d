# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two questions a play asks once: which Helm releases are there, and what cluster is this?"""

from __future__ import annotations

import typing as t
import urllib.parse

from . import applyset, helm
from . import network as net
from .client import Client
from .discovery import Discovery, Resource
from .errors import ApiError, KubeError
from .explain import explain
from .ready import assess

Obj = dict[str, t.Any]
_WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "Job", "Pod"}


def releases(client: Client, namespaces: list[str] | None, names: list[str] | None, check_objects: bool) -> list[Obj]:
    """The newest revision of each release, sorted by namespace and name; see helm.summary for its keys.

    One request (one for each namespace where namespaces are named). With check_objects also
    missing: ["Kind namespace/name"] and not_ready: [{"object", "why"}].
    """
    query = {"labelSelector": "owner=helm,status!=superseded"}
    places = [f"/api/v1/namespaces/{urllib.parse.quote(space)}/secrets" for space in namespaces or []] or [
        "/api/v1/secrets"
    ]
    try:
        secrets = [item for found in client.map(lambda path: client.list(path, query), places) for item in found]
    except ApiError as error:
        raise explain(error, "Helm's release Secrets", "", verb="list secrets", changed=False) from error
    newest: dict[tuple[str, str], Obj] = {}
    for secret in secrets:
        labels, space = secret["metadata"].get("labels") or {}, secret["metadata"]["namespace"]
        key = (space, str(labels.get("name")))
        if names and key[1] not in names:
            continue
        if key not in newest or _revision(secret) > _revision(newest[key]):
            newest[key] = secret
    decoded = [_decode(newest[key]) for key in sorted(newest)]
    result = [helm.summary(release) for release in decoded]
    if check_objects:
        _check(client, decoded, result)
    return result


def _revision(secret: Obj) -> int:
    return int((secret["metadata"].get("labels") or {}).get("version") or 0)


def _decode(secret: Obj) -> Obj:
    try:
        release = helm.decode(secret["data"]["release"])
    except (KeyError, ValueError, OSError, EOFError) as error:
        metadata = secret["metadata"]
        raise KubeError(
            f"Secret {metadata['namespace']}/{metadata['name']}",
            f"it is no readable Helm release ({type(error).__name__})",
            "Look at it with helm history; delete it if it is a leftover",
            reason="invalid",
        ) from error
    release.setdefault("namespace", secret["metadata"]["namespace"])
    return release


def _check(client: Client, decoded: list[Obj], result: list[Obj]) -> None:
    """missing and not_ready of every release, by one LIST for each kind and namespace: names only, full for workloads."""
    discovery = Discovery(client)
    wanted: list[tuple[Obj, Resource | None, str | None, str, str]] = []
    places: set[tuple[Resource, str | None]] = set()
    for release, entry in zip(decoded, result, strict=True):
        entry.update({"missing": [], "not_ready": []})
        for api_version, kind, namespace, name in helm.references(release):
            resource = discovery.find(api_version, kind)
            space = None
            if resource is None or resource.namespaced:
                space = namespace or str(release["namespace"])
            if resource is not None:
                places.add((resource, space))
            wanted.append((entry, resource, space, name, kind))
    listed = sorted(places, key=str)

    def read(place: tuple[Resource, str | None]) -> dict[str, Obj]:
        resource, space = place
        whole = resource.kind in _WORKLOADS
        try:
            items = client.list(resource.path(space), metadata_only=not whole)
        except ApiError as error:
            raise explain(error, f"{resource.kind} objects of releases", "", verb="list", changed=False) from error
        return {
            item["metadata"]["name"]: {**item, "apiVersion": resource.api_version, "kind": resource.kind}
            for item in items
        }

    found = dict(zip(listed, client.map(read, listed), strict=True))
    for entry, resource, space, name, kind in wanted:
        label = f"{kind} {space}/{name}" if space else f"{kind} {name}"
        live = found[resource, space].get(name) if resource else None
        if live is None:
            entry["missing"].append(label)
        elif kind in _WORKLOADS:
            state = assess(live)
            if not state.ready:
                entry["not_ready"].append({"object": label, "why": state.why})


def cluster(
    client: Client,
    identity: tuple[str, str],
    api_groups: list[str],
    crds: list[str],
    *,
    inside: bool = False,
    network: bool = False,
) -> Obj:
    """What a play asks about its cluster; everything in parallel. See cluster_info's RETURN for the keys."""
    space, name = (urllib.parse.quote(part) for part in identity)
    paths = {
        "version": "/version",
        "kube_system": "/api/v1/namespaces/kube-system",
        "identity": f"/api/v1/namespaces/{space}/configmaps/{name}",
        "storage": "/apis/storage.k8s.io/v1/storageclasses",
    }
    for crd in crds:
        paths["crd " + crd] = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{urllib.parse.quote(crd)}"
    if api_groups:
        paths["groups"] = "/apis"
    if inside:
        paths["namespaces"] = "/api/v1/namespaces"
        paths["sets"] = f"/api/v1/namespaces/{space}/configmaps?labelSelector={applyset.ID}"
    lists = net.LISTS if network else {}
    paths.update({key: path for key, (path, _query) in lists.items()})

    def read(key: str) -> t.Any:
        try:
            return client.list(paths[key], lists[key][1]) if key in lists else client.find(paths[key])
        except ApiError as error:
            raise explain(
                error, f"Cluster {client.login.server}", "", verb=f"get {paths[key]}", changed=False
            ) from error

    got = dict(zip(paths, client.map(read, paths), strict=True))
    version = got["version"] or {}
    served = {group["name"]: group for group in (got.get("groups") or {}).get("groups") or []}
    return {
        "server": client.login.server,
        "version": {
            "git_version": version.get("gitVersion"),
            "major": version.get("major"),
            "minor": version.get("minor"),
        },
        "kube_system_uid": ((got["kube_system"] or {}).get("metadata") or {}).get("uid"),
        "identity": None if got["identity"] is None else got["identity"].get("data") or {},
        "storage_classes": [_storage_class(item) for item in (got["storage"] or {}).get("items") or []],
        "api_groups": {
            group: [entry["version"] for entry in served[group]["versions"]] if group in served else []
            for group in api_groups
        },
        "crds": {crd: _established(got["crd " + crd]) for crd in crds},
        **(_inside(got) if inside else {}),
        **({"network": net.network(got["slices"], got["nodes"], got["dns"])} if network else {}),
    }


def _inside(got: t.Mapping[str, t.Any]) -> Obj:
    """Namespaces with their labels, and names of the sets of objects that were applied."""
    spaces = [one["metadata"] for one in (got["namespaces"] or {}).get("items") or []]
    return {
        "namespaces": {one["name"]: one.get("labels") or {} for one in spaces if not one.get("deletionTimestamp")},
        "sets": [one["metadata"]["name"] for one in (got["sets"] or {}).get("items") or []],
    }


def _storage_class(item: Obj) -> Obj:
    notes = item["metadata"].get("annotations") or {}
    return {
        "name": item["metadata"]["name"],
        "provisioner": item.get("provisioner"),
        "default": notes.get("storageclass.kubernetes.io/is-default-class") == "true",
        "allow_volume_expansion": bool(item.get("allowVolumeExpansion")),
        "volume_binding_mode": item.get("volumeBindingMode") or "Immediate",
        "reclaim_policy": item.get("reclaimPolicy") or "Delete",
    }


def _established(crd: Obj | None) -> bool:
    return crd is not None and assess(crd).ready
