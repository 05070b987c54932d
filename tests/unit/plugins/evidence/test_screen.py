# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The net for secrets: what it catches, what it lets through, and that it repeats nothing of what it caught."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.evidence.errors import EvidenceError
from ansible_collections.enclii.platform.plugins.module_utils.evidence.objects import record
from ansible_collections.enclii.platform.plugins.module_utils.evidence.screen import found

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("-----BEGIN RSA PRIVATE KEY-----\nMII", "x holds a private key"),
        ("-----BEGIN PRIVATE KEY-----", "x holds a private key"),
        ("AGE-SECRET-KEY-1QQPQQQQQQQQQQQQQQQQQQQQQQ", "x holds an age identity"),
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "x holds a JSON web token"),
        ("key AKIAIOSFODNN7EXAMPLE used", "x holds an access key"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "x holds a token of a code host"),
        ("postgresql://app:hunter2@db:5432/app", "x holds a login in a URL"),
        ({"login": {"password": "hunter2"}}, "x.login.password holds a value"),
        ({"dbPassword": "hunter2"}, "x.dbPassword holds a value"),
        ({"API-KEY": "abc"}, "x.API-KEY holds a value"),
        ([{"aws_secret_key": "abc"}], "x[0].aws_secret_key holds a value"),
        ({"a": ["ok", "https://u:p@h/"]}, "x.a[1] holds a login in a URL"),
    ],
)
def test_caught(value: t.Any, words: str) -> None:
    assert words in found(value, "x")


@pytest.mark.parametrize(
    "value",
    [
        "Secret enclii-dev/login has key password",
        {"secrets": ["enclii-dev/login"], "password_age_hours": "7", "tokens": 4, "password": ""},
        {"token": {"age": 3}, "password": True},
        "-----BEGIN CERTIFICATE-----",
        "https://s3.example.com:9000/bucket",
        "cert-manager/cert-manager -> 10.0.0.1:443 (TCP)",
        {"path": "ClusterRoleBinding a -> ClusterRole b: get secrets in *"},
    ],
)
def test_let_through(value: t.Any) -> None:
    assert found(value, "x") == []


@pytest.mark.parametrize("field", ["findings", "details", "versions"])
def test_evidence_with_a_secret_is_refused_without_repeating_it(field: str) -> None:
    secret = "postgresql://app:canary-hunter2@db/app"
    value = [secret] if field == "findings" else {"a": secret}
    with pytest.raises(EvidenceError) as caught:
        record(
            kind="a",
            subject="b",
            verdict="PASS",
            started=NOW,
            ended=NOW,
            valid_for=timedelta(hours=1),
            **{field: value},
        )
    assert caught.value.reason == "secret" and field in caught.value.cause and "canary" not in str(caught.value)
