# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with sealed secrets, each with object, cause and next step. No message ever holds a value."""

from __future__ import annotations


class SealingError(Exception):
    """One failure a person has to act on.

    subject: what it is about ("SealedSecret demo/login, item password", "Certificate keys.pem")
    cause: why, one sentence without a full stop; next_step: what to do about it
    reason: one word for programs: certificate, format, scope, input, file, controller, key, plaintext, journal
    """

    def __init__(self, subject: str, cause: str, next_step: str = "", *, reason: str = "input") -> None:
        self.subject = subject
        self.cause = cause.rstrip(". ")
        self.next_step = next_step.rstrip(". ")
        self.reason = reason
        super().__init__(str(self))

    def __str__(self) -> str:
        step = f". {self.next_step}" if self.next_step else ""
        return f"{self.subject}: {self.cause}{step}."

    def as_dict(self) -> dict[str, str]:
        return {"object": self.subject, "cause": self.cause, "next_step": self.next_step, "reason": self.reason}
