# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is what a component needs there, and does it work: private to the collection, no Ansible inside, read-only.

Of a Secret nothing leaves this file but the names of its keys and, where asked for, a certificate, which is public.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import ssl
import typing as t
import urllib.parse

from ..kube.client import Client, Clock
from ..kube.discovery import Discovery
from ..kube.errors import ApiError, KubeError
from ..kube.ready import assess

Obj = dict[str, t.Any]
Check = t.Mapping[str, t.Any]

PAUSE = 1.0
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


def fingerprint(pem: str) -> str:
    """SHA-256 of the first certificate in a PEM, as 64 hexadecimal digits; "" where there is none."""
    found = PEM.search(pem)
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(found.group(0).strip())).hexdigest() if found else ""
    except (ValueError, binascii.Error):
        return ""


def label(check: Check) -> str:
    """What a check is about, for messages."""
    if check.get("path"):
        return str(check.get("kind") or f"List {check['path']}")
    if check.get("crd"):
        return f"Objects of {check['crd']}"
    name = f"{check['namespace']}/{check['name']}" if check.get("namespace") else check["name"]
    return f"{check['kind']} {name}"


def _data(obj: Obj, key: str) -> str:
    """A value of a ConfigMap or Secret as text; "" where it is missing or no text."""
    value = (obj.get("data") or {}).get(key) or ""
    if obj.get("kind") != "Secret":
        return str(value)
    try:
        return base64.b64decode(value).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def judge(check: Check, obj: Obj) -> Obj:
    """What there is to say about an object that exists: ok, message, and what the check asked to see."""
    state = assess(obj)
    result: Obj = {
        "exists": True,
        "ok": state.ready,
        "message": state.why,
        "annotations": obj["metadata"].get("annotations") or {},
    }
    missing = sorted(set(check.get("keys") or []) - set(obj.get("data") or {}))
    if missing:
        result.update(ok=False, message=f"it has no key {', '.join(missing)}")
    if check.get("show") and obj.get("kind") == "ConfigMap":
        result["data"] = {key: _data(obj, key) for key in check["show"]}
    if check.get("certificate"):
        found = PEM.search(_data(obj, check["certificate"]))
        result["certificate"] = found.group(0) if found else ""
        result["fingerprint"] = fingerprint(result["certificate"])
        wanted = (check.get("fingerprint") or "").replace(":", "").lower()
        if not result["fingerprint"]:
            result.update(ok=False, message=f"its {check['certificate']} is no certificate")
        elif wanted and result["fingerprint"] != wanted:
            result.update(
                ok=False, message=f"its certificate has the fingerprint {result['fingerprint']}, expected is {wanted}"
            )
    return result


class Observer:
    """Looks at many things at once."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._discovery = Discovery(client)

    def look(self, checks: t.Sequence[Check]) -> list[Obj]:
        """One result for each check, in order: the check's subject with exists, ok and message (see `judge`)."""
        return self._client.map(self._one, checks)

    def wait(self, checks: t.Sequence[Check], seconds: float) -> list[Obj]:
        """As look, again every second until all are ok or the time is over."""
        end = self._clock.monotonic() + seconds
        while True:
            results = self.look(checks)
            if all(one["ok"] for one in results) or self._clock.monotonic() + PAUSE > end:
                return results
            self._clock.sleep(PAUSE)
            self._discovery.refresh()

    def _one(self, check: Check) -> Obj:
        result: Obj = {"subject": label(check), "exists": False, "ok": False}
        try:
            found = (
                self._listed(check)
                if check.get("path")
                else self._defined(check)
                if check.get("crd")
                else self._object(check)
            )
        except ApiError as error:
            if error.status in (401, 403):
                raise KubeError(
                    result["subject"], error.message, "Give this login the right to read it", reason="forbidden"
                ) from error
            found = {"message": error.message}
        return {**result, **found}

    def _object(self, check: Check) -> Obj:
        resource = self._discovery.find(check["api_version"], check["kind"])
        if resource is None:
            return {"message": f"the cluster serves no {check['kind']} of {check['api_version']}"}
        obj = self._client.find(resource.path(check.get("namespace"), check["name"]))
        if obj is None:
            return {"message": "it does not exist"}
        return judge(check, obj)

    def _defined(self, check: Check) -> Obj:
        """The objects of a custom resource definition, by the version it stores."""
        crd = self._client.find(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{check['crd']}")
        if crd is None:
            return {"message": "there is no such definition", "count": 0, "names": []}
        spec = crd["spec"]
        version = next(one["name"] for one in spec["versions"] if one["storage"])
        return self._listed({**check, "path": f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"})

    def _listed(self, check: Check) -> Obj:
        path, _mark, query = str(check["path"]).partition("?")
        parameters = dict(urllib.parse.parse_qsl(query))
        try:
            items = self._client.list(
                path, parameters, metadata_only=not (check.get("whole") or check.get("certificate"))
            )
        except ApiError as error:
            if error.status != 404:
                raise
            return {"message": "the cluster does not serve it", "count": 0, "names": []}
        least = int(check.get("minimum") or 0)
        names = sorted(
            "/".join(filter(None, (one["metadata"].get("namespace"), one["metadata"]["name"]))) for one in items
        )
        words = "" if len(items) >= least else f"it has {len(items)} items, at least {least} are expected"
        result = {"exists": True, "ok": not words, "message": words, "count": len(items), "names": names}
        if check.get("certificate"):
            # Items of a list carry no kind; only Secrets are asked for certificates.
            found = {
                one["metadata"]["name"]: PEM.search(_data({**one, "kind": "Secret"}, check["certificate"]))
                for one in items
            }
            shown = {name: match.group(0) for name, match in found.items() if match}
            result["certificates"] = {
                name: {"certificate": pem, "fingerprint": fingerprint(pem)} for name, pem in shown.items()
            }
        return result
