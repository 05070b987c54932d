# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Option s3 of modules that write to a bucket, as data; objectstore.py itself is dear to import."""

from __future__ import annotations

from ..kube.arguments import Spec

S3: Spec = {
    "endpoint": {"type": "str", "required": True},
    "bucket": {"type": "str", "required": True},
    "prefix": {"type": "str", "default": ""},
    "region": {"type": "str", "default": "us-east-1"},
    "access_key": {"type": "str", "default": "", "no_log": True},
    "secret_key": {"type": "str", "default": "", "no_log": True},
    "session_token": {"type": "str", "default": "", "no_log": True},
    "ca_cert": {"type": "path"},
}
