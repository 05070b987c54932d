# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serving certificates of kubelets: which requests are what the inventory says, and which are not.

The cluster signs them only once somebody approved, because a node could ask for another's name.
"""

from __future__ import annotations

import base64
import traceback
import typing as t

CRYPTOGRAPHY_MISSING: str | None = None
try:
    from cryptography import x509
    from cryptography.x509.oid import NameOID
except ImportError:
    CRYPTOGRAPHY_MISSING = traceback.format_exc()

SIGNER = "kubernetes.io/kubelet-serving"
_USAGES = {"digital signature", "key encipherment", "server auth"}


def pending(request: t.Mapping[str, t.Any]) -> bool:
    """Whether nobody has approved or denied it yet."""
    conditions = (request.get("status") or {}).get("conditions") or []
    return request["spec"]["signerName"] == SIGNER and not any(
        condition["type"] in ("Approved", "Denied") for condition in conditions
    )


def requestor(request: t.Mapping[str, t.Any]) -> str:
    """Name of the node that asks; empty where no node does."""
    user = str(request["spec"].get("username") or "")
    prefix = "system:node:"
    return user[len(prefix) :] if user.startswith(prefix) else ""


def refusal(request: t.Mapping[str, t.Any], nodes: t.Mapping[str, t.Collection[str]]) -> str:
    """Why a request must not be approved, or nothing. nodes: node name -> addresses the inventory knows it by."""
    spec = request["spec"]
    node = requestor(request)
    if node not in nodes:
        return f"asked for by {spec.get('username')!r}, which is no node of this inventory"
    if "system:nodes" not in (spec.get("groups") or []):
        return "the one who asks is not in the group system:nodes"
    usages = set(spec.get("usages") or [])
    if not usages <= _USAGES or "server auth" not in usages:
        return f"usages {sorted(usages)} are not those of a serving certificate"
    try:
        csr = x509.load_pem_x509_csr(base64.b64decode(spec["request"]))
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "it names no subject alternative names"
    except ValueError as error:
        return f"the request cannot be read: {error}"
    common = [entry.value for entry in csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    organisation = [entry.value for entry in csr.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    if common != [f"system:node:{node}"] or organisation != ["system:nodes"]:
        return f"its subject is {csr.subject.rfc4514_string()}"
    if not csr.is_signature_valid:
        return "its signature does not fit its key"
    dns = names.get_values_for_type(x509.DNSName)
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    if len(dns) + len(addresses) != len(list(names)):
        return "it asks for names that are neither DNS names nor addresses"
    foreign = [name for name in dns if name != node] + [name for name in addresses if name not in nodes[node]]
    if foreign:
        return f"it asks for {', '.join(foreign)}, which the inventory does not give to {node}"
    return ""


def approved(request: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The request as it is sent to its subresource approval."""
    status = dict(request.get("status") or {})
    condition = {
        "type": "Approved",
        "status": "True",
        "reason": "InInventory",
        "message": "enclii.platform: requestor, names and addresses are those of the inventory",
    }
    return {**request, "status": {**status, "conditions": [*(status.get("conditions") or []), condition]}}
