# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's EncryptionConfiguration, made once on the machine that uses it."""

from __future__ import annotations

import base64
import json
import os
import typing as t
from pathlib import Path

KEY_BYTES = 32  # both providers: AES-256, and XSalsa20's key


def document(provider: str, key: bytes) -> dict[str, t.Any]:
    """Secrets encrypted by the provider's only key; what was stored before encryption stays readable."""
    secret = base64.b64encode(key).decode()
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [
            {
                "resources": ["secrets"],
                "providers": [{provider: {"keys": [{"name": "key1", "secret": secret}]}}, {"identity": {}}],
            }
        ],
    }


def provider_of(path: Path) -> str:
    """The provider that encrypts in an existing file (JSON is YAML too); empty without a file.

    Raises ValueError for a file this library did not write."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return str(next(iter(data["resources"][0]["providers"][0])))
    except FileNotFoundError:
        return ""
    except (KeyError, IndexError, TypeError, StopIteration) as error:
        raise ValueError(f"not an EncryptionConfiguration of ours: {error}") from error


def create(path: Path, provider: str, random: t.Callable[[int], bytes] = os.urandom) -> None:
    """Write the file with a fresh key, for root alone, in one step that never replaces an existing file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            json.dump(document(provider, random(KEY_BYTES)), handle)
            handle.flush()
            os.fsync(handle.fileno())
        os.link(fresh, path)
    finally:
        fresh.unlink()
