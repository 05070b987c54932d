# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the live cluster says of itself: the newest line of its heartbeats, in the logs of its pods."""

from __future__ import annotations

import json
import typing as t
import urllib.parse

from ..kube.client import Client
from ..kube.errors import ApiError

HEARTBEAT = "heartbeat"  # the container
_LINES = 20  # of each pod; one mark is one line
Obj = dict[str, t.Any]


def word(client: Client, namespace: str, cluster: str) -> tuple[Obj | None, str]:
    """(the newest mark, '') or (None, why there is none)."""
    query = {"labelSelector": f"cluster-name={cluster}"}
    pods = client.list(f"/api/v1/namespaces/{urllib.parse.quote(namespace)}/pods", query, metadata_only=True)
    if not pods:
        return None, f"no pod of cluster {cluster} runs in namespace {namespace}"
    texts, problem = [], ""
    for one in pods:
        try:
            texts.append(log(client, namespace, one["metadata"]["name"], HEARTBEAT, _LINES))
        except ApiError as error:
            problem = f"the log of {one['metadata']['name']} cannot be read: {error.message}"
    found = newest(texts)
    return found, "" if found else problem or "no heartbeat has told of a mark yet"


def newest(texts: t.Iterable[str]) -> Obj | None:
    """The mark that was made last, of all that stand in these logs."""
    marks = [one for text in texts for one in lines(text, "enclii-heartbeat") if one.get("marker")]
    return max(marks, key=lambda one: float(one.get("at") or 0), default=None)


def lines(text: str, sign: str) -> list[Obj]:
    """The lines that are JSON and carry this sign."""
    found = []
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict) and one.get(sign) == 1:
            found.append(one)
    return found


def log(client: Client, namespace: str, pod: str, container: str, tail: int) -> str:
    path = f"/api/v1/namespaces/{urllib.parse.quote(namespace)}/pods/{urllib.parse.quote(pod)}/log"
    query = {"container": container, "tailLines": str(tail)}
    return t.cast(str, client.request("GET", path, query, decode=lambda raw: raw.decode(errors="replace"))[1])
