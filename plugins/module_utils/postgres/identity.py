# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which database a cluster is, so that nobody takes another one's backups for its own."""

from __future__ import annotations

from ..kube.client import Client
from ..kube.errors import ApiError
from ..kube.explain import explain


def system_id(client: Client, namespace: str, cluster: str) -> str:
    """PostgreSQL's identifier, as Patroni keeps it since the cluster's birth; '' where there is none. Raises KubeError."""
    name = f"{cluster}-config"
    try:
        found = client.find(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    except ApiError as error:
        raise explain(error, f"ConfigMap {namespace}/{name}", "", verb="get configmaps") from error
    return str((((found or {}).get("metadata") or {}).get("annotations") or {}).get("initialize") or "")
