# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between us and an API server, each with object, cause and next step."""

from __future__ import annotations

import typing as t


class KubeError(Exception):
    """One failure a person has to act on.

    subject:   what it is about ("ConfigMap demo/settings", "API server https://…")
    cause:     why, one sentence without a full stop
    next_step: what to do about it
    reason:    one word for programs: unparsable, invalid, unknown_kind, conflict, forbidden, quota,
               admission, unreachable, unauthorized, timeout, other_set, not_ready, config, api
    where:     "file x.yaml, document 3" where it came from a document
    """

    def __init__(self, subject: str, cause: str, next_step: str = "", *, reason: str = "api", where: str = "") -> None:
        self.subject = subject
        self.cause = cause.rstrip(". ")
        self.next_step = next_step.rstrip(". ")
        self.reason = reason
        self.where = where
        self.objects: list[dict[str, t.Any]] = []
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        step = f". {self.next_step}" if self.next_step else ""
        return f"{self.subject}{place}: {self.cause}{step}."

    def as_dict(self) -> dict[str, str]:
        return {
            "object": self.subject,
            "where": self.where,
            "cause": self.cause,
            "next_step": self.next_step,
            "reason": self.reason,
        }


class ConfigError(KubeError):
    """The login could not be put together (kubeconfig, context, certificates)."""

    def __init__(self, subject: str, cause: str, next_step: str = "") -> None:
        super().__init__(subject, cause, next_step, reason="config")


class Unreachable(KubeError):
    """No API server answered at the address, or TLS to it failed."""

    def __init__(self, server: str, cause: str, next_step: str) -> None:
        super().__init__(f"API server {server}", cause, next_step, reason="unreachable")


class ApiError(Exception):
    """The API server answered with an error Status.

    status: HTTP code; body: the Status object as sent ({} where the answer was none);
    """

    def __init__(self, method: str, path: str, status: int, body: dict[str, t.Any], retry_after: float = 0.0) -> None:
        self.method = method
        self.path = path
        self.status = status
        self.body = body
        self.retry_after = retry_after
        self.reason: str = str(body.get("reason") or "")
        self.message: str = str(body.get("message") or f"HTTP {status}")
        super().__init__(f"{method} {path}: {status} {self.message}")

    @property
    def causes(self) -> list[dict[str, t.Any]]:
        details = self.body.get("details") or {}
        return list(details.get("causes") or [])

    @property
    def is_field_conflict(self) -> bool:
        return self.status == 409 and any(c.get("reason") == "FieldManagerConflict" for c in self.causes)
