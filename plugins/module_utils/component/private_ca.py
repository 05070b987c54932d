# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which root the private CA has, should have, and whom clients are to trust: private to the collection, no Ansible inside.

Roots are counted: the root of generation 2 is Certificate and Secret ``enclii-ca-2``. What stands in ConfigMap
``enclii-ca`` (generation and fingerprint as annotations, the bundle as ``ca.crt``) is the record. A root that does not
match it was made by nobody we know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .observe import PEM, fingerprint

NAME = "enclii-ca"
GENERATION = "enclii.dev/ca-generation"
FINGERPRINT = "enclii.dev/ca-fingerprint"
NOT_KNOWN_YET = "not known before the root is issued\n"


class PrivateCa(NamedTuple):
    """secret: name of the root's Certificate and Secret; generation: 1, 2, …; fingerprint: of the root, "" before it is issued.

    bundle: PEM of the current root and its predecessor; issue: the root is still to be issued;
    problem: why nothing may be changed, with the next step, or "".
    """

    secret: str
    generation: int
    fingerprint: str
    bundle: str
    issue: bool
    problem: str


def _generation(recorded: Mapping[str, str], roots: Mapping[str, Any]) -> int:
    """The recorded generation; without a record the newest root that exists, so that a kept one is used again."""
    if recorded.get(GENERATION, "").isdigit():
        return int(recorded[GENERATION])
    counted = [name.removeprefix(f"{NAME}-") for name in roots if name.startswith(f"{NAME}-")]
    return max((int(one) for one in counted if one.isdigit()), default=1)


def _problem(expected: str, found: str, secret: str) -> str:
    """Why the root found is not the one expected; the fingerprints are bare hexadecimal digits."""
    way_out = f"Restore Secret {secret} from its backup, or ask for a new root with cert_manager_ca_rotate={expected}."
    if expected and not found:
        return f"The root of the private CA (SHA-256 {expected}) is gone: there is no Secret {secret}. {way_out}"
    if expected and found != expected:
        return (
            f"The root of the private CA was replaced: Secret {secret} holds {found}, expected is {expected}. {way_out}"
        )
    return ""


def assess(
    recorded: Mapping[str, str], bundle: str, roots: Mapping[str, Mapping[str, str]], pin: str, rotate: str
) -> PrivateCa:
    """Compare record, roots and what the inventory asks for.

    recorded: annotations of the record, {} without one; bundle: its certificates;
    roots: name of Secret to {certificate, fingerprint}; pin, rotate: fingerprints, with or without colons, or "".
    """
    pin, rotate = (one.replace(":", "").lower() for one in (pin, rotate))
    generation = _generation(recorded, roots)
    secret = f"{NAME}-{generation}"
    current = roots.get(secret, {}).get("fingerprint", "")
    expected = recorded.get(FINGERPRINT, "") or (pin if current else "")
    known = expected or current
    if rotate and rotate == known:
        generation += 1
        secret, problem = f"{NAME}-{generation}", ""
    else:
        problem = _problem(expected, current, secret)
        if not problem and pin and known and known != pin:
            problem = (
                f"The inventory pins the root of the private CA to {pin} (cert_manager_ca_fingerprint), and Secret {secret} holds {known}. "
                "Check that this is the right cluster, then correct the pin."
            )
    root = roots.get(secret, {})
    before = PEM.findall(bundle) or [roots.get(f"{NAME}-{generation - 1}", {}).get("certificate", "")]
    previous = [one for one in before if one and fingerprint(one) != root.get("fingerprint")]
    trusted = [root.get("certificate") or NOT_KNOWN_YET, *previous[:1]]
    pem = "".join(one if one.endswith("\n") else f"{one}\n" for one in trusted)
    return PrivateCa(secret, generation, root.get("fingerprint", ""), pem, not root, problem)
