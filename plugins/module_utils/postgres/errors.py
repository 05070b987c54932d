# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with databases and roles, with object, cause and next step. No message holds a password or a verifier."""

from __future__ import annotations

from ..kube.errors import KubeError


class DatabaseError(KubeError):
    """reason: invalid (the inventory), secret, live (what is there already), pod, replica, statement, not_converged.

    changed: whether something was changed before.
    """

    def __init__(
        self, subject: str, cause: str, next_step: str = "", *, reason: str = "invalid", changed: bool = False
    ) -> None:
        self.changed = changed
        super().__init__(subject, cause, next_step, reason=reason)
