# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that modules around sealed secrets share."""

from __future__ import annotations


class ModuleDocFragment:
    """Where the controller is, and what is sealed for."""

    DOCUMENTATION = r"""
options:
  controller_namespace:
    description:
      - Namespace of the controller's Service. Without it, and without O(controller_name), it is looked for by its labels and port.
    type: str
  controller_name:
    description:
      - Name of the controller's Service.
    type: str
requirements:
  - cryptography >= 42
"""

    CERTIFICATE = r"""
options:
  certificate:
    description:
      - The certificate to seal for. A path, a URL, or PEM. Without it the controller is asked for its own.
      - Over plain C(http) it is taken only where O(certificate_fingerprint) says which one it must be.
    type: str
  certificate_fingerprint:
    description:
      - The certificate that is expected, by its SHA-256 fingerprint (64 hexadecimal digits, with or without colons) or by its key,
        V(SHA256:…). For another one nothing is sealed.
    type: str
  minimum_key_size:
    description:
      - Bits that the certificate's RSA key has at least.
    type: int
    default: 3072
"""
