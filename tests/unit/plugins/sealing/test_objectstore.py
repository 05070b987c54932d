# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups in a bucket: a real S3 server over TLS."""

from __future__ import annotations

import io
import typing as t
from pathlib import Path

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from objectstore import ObjectStore, missing

from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError
from ansible_collections.enclii.platform.plugins.module_utils.sealing.objectstore import Bucket


@pytest.fixture(scope="module")
def server() -> t.Iterator[ObjectStore]:
    reason = missing()
    if reason:
        pytest.skip(reason)
    running = ObjectStore()
    try:
        yield running.start()
    finally:
        running.stop()


def test_bucket_gives_back_what_was_written_and_overwrites_nothing(server: ObjectStore) -> None:
    bucket = Bucket(**server.options)
    place = bucket.write("one.age", b"first")
    assert place == "s3://backups/test/keys/one.age"
    assert bucket.read(place) == b"first"
    with pytest.raises(SealingError, match="something of that name is there already"):
        bucket.write("one.age", b"second")
    assert bucket.read(place) == b"first"
    assert [path.read_bytes() for path in server.objects()] == [b"first"]


def without_conditions(request: AWSPreparedRequest, **_given: t.Any) -> AWSResponse | None:
    """What a server answers that knows no conditional writes; all else goes to the real one."""
    if "If-None-Match" not in request.headers:
        return None
    raw = io.BytesIO(b"<Error><Code>NotImplemented</Code></Error>")
    raw.stream = lambda **_options: iter(raw.readline, b"")  # type: ignore[attr-defined]
    return AWSResponse(request.url, 501, {}, raw)


def test_a_server_without_conditional_writes_overwrites_nothing_either(server: ObjectStore) -> None:
    bucket = Bucket(**{**server.options, "prefix": "plain"})
    bucket._client.meta.events.register("before-send.s3.PutObject", without_conditions)
    place = bucket.write("one.age", b"first")
    with pytest.raises(SealingError, match="something of that name is there already") as caught:
        bucket.write("one.age", b"second")
    assert caught.value.reason == "exists"
    assert bucket.read(place) == b"first"


def test_prefix_is_a_directory_or_nothing(server: ObjectStore) -> None:
    bucket = Bucket(**{**server.options, "prefix": "/deep/er/"})
    assert bucket.write("two.age", b"x") == "s3://backups/deep/er/two.age"
    plain = Bucket(**{**server.options, "prefix": ""})
    assert plain.write("three.age", b"x") == "s3://backups/three.age"
    assert bucket.holds("s3://backups/deep/er/two.age")
    for foreign in (
        "s3://backups/three.age",
        "s3://other/deep/er/two.age",
        "/deep/er/two.age",
        "s3://backups/deep/er/x/two.age",
    ):
        assert not bucket.holds(foreign)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"bucket": "none"},
            r"s3://none/test/keys/x \(Bucket none at https://127.0.0.1:\d+\): there is no such bucket",
        ),
        ({"secret_key": "wrong-secret"}, "the secret key does not fit the access key. Correct secret_key"),
        ({"access_key": "nobody"}, "the access key is not known there"),
        ({"ca_cert": ""}, "its certificate is not accepted. Give its CA by ca_cert"),
        ({"endpoint": "https://127.0.0.1:1"}, "cannot be reached"),
    ],
)
def test_refusals_name_cause_and_next_step_and_no_credential(
    server: ObjectStore, options: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    given = {**server.options, **options}
    with pytest.raises(SealingError, match=words) as caught:
        Bucket(**given).write("x", b"data")
    shown = str(caught.value)
    assert caught.value.__cause__ is None
    assert server.secret_key not in shown
    assert given["secret_key"] not in shown
    assert server.access_key not in shown


def test_what_is_not_there(server: ObjectStore) -> None:
    with pytest.raises(SealingError, match=r"it is not there\. Write the backup again"):
        Bucket(**server.options).read("s3://backups/test/keys/gone")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"endpoint": "http://s3.test"}, "the endpoint is not https"),
        ({"bucket": ""}, "bucket, or one of"),
        ({"access_key": "a"}, "bucket, or one of"),
        ({"secret_key": "canary"}, "bucket, or one of"),
        ({"ca_cert": "/nonexistent/ca"}, "Bucket b at https://s3.test"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_sent(options: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(SealingError, match=words) as caught:
        Bucket(**{"endpoint": "https://s3.test", "bucket": "b", **options}).write("x", b"")
    assert "canary" not in str(caught.value)
