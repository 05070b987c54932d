# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with evidence, with object, cause and next step. No message holds a value of it."""

from __future__ import annotations

from ..kube.errors import KubeError


class EvidenceError(KubeError):
    """reason: invalid, secret, not_installed, copy, not_ready."""

    def __init__(self, subject: str, cause: str, next_step: str = "", *, reason: str = "invalid") -> None:
        super().__init__(subject, cause, next_step, reason=reason)
