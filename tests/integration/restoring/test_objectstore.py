# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same from a real S3 server over TLS, with a user that may only read."""

from __future__ import annotations

import json
import socket
import time
import typing as t

import objectstore
import pytest

from .conftest import Copy, Machine, Obj, Origin, configuration

READER, SECRET = "reader", "canary-reader-0123456789"
Told = tuple[Origin, Obj]


@pytest.fixture(scope="module")
def bucket(machine: Machine, origin: Told) -> t.Iterator[objectstore.ObjectStore]:
    """The live cluster's repository in a bucket of which READER may only read."""
    if reason := objectstore.missing():
        pytest.skip(reason)
    store = objectstore.ObjectStore("backups", {READER: SECRET})
    try:
        store.start()
        root = machine.base / origin[0].name / "repo"
        client = s3(store, store.access_key, store.secret_key)
        for path in root.rglob("*"):
            if path.is_file() and path.name != "keep":
                client.upload_file(str(path), store.bucket, f"postgres/{path.relative_to(root)}")
        allow = [
            {
                "Effect": "Allow",
                "Principal": {"AWS": [READER]},
                "Action": actions,
                "Resource": [f"arn:aws:s3:::backups{what}"],
            }
            for actions, what in ((["s3:ListBucket", "s3:GetBucketLocation"], ""), (["s3:GetObject"], "/*"))
        ]
        client.put_bucket_policy(Bucket=store.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": allow}))
        yield store
    finally:
        store.stop()


def s3(store: objectstore.ObjectStore, key: str, secret: str) -> t.Any:
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client(
        "s3", endpoint_url=store.endpoint, region_name="us-east-1", verify=str(store.ca), aws_access_key_id=key,
        aws_secret_access_key=secret, config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip


@pytest.fixture
def far(copy: Copy, machine: Machine, bucket: objectstore.ObjectStore) -> Copy:
    """A proof whose repository is the bucket."""
    ca = machine.write(f"{copy.name}/s3-ca.crt", bucket.ca.read_text())
    copy.config = configuration(
        machine, copy.name, "/nowhere",
        **{"repo1-type": "s3", "repo1-path": "/postgres", "repo1-s3-bucket": bucket.bucket, "repo1-s3-endpoint": "127.0.0.1",
           "repo1-storage-port": str(bucket.port), "repo1-s3-region": "us-east-1", "repo1-s3-uri-style": "path",
           "repo1-storage-ca-file": str(ca)},
    )  # fmt: skip
    secrets: dict[str, str] = {"s3-key": READER, "s3-secret": SECRET}
    for name, text in secrets.items():
        machine.write(f"{copy.name}/secrets/{name}", text)
    return copy


def test_who_may_only_read_can_prove_it(far: Copy, bucket: objectstore.ObjectStore) -> None:
    from botocore.exceptions import ClientError

    before = {path: path.stat().st_mtime for path in bucket.objects()}
    told = far.prove(verify="all")
    assert told["verdict"] == "PASS", told
    assert {path: path.stat().st_mtime for path in bucket.objects()} == before
    # deleting has no body, which the server would not wait for
    with pytest.raises(ClientError, match="AccessDenied"):
        s3(bucket, READER, SECRET).delete_object(Bucket=bucket.bucket, Key="postgres/backup/postgres/backup.info")


def test_to_a_mark(far: Copy, origin: Told) -> None:
    marked = origin[1]["marked"]
    target = {"type": "name", "value": marked["marker"], "lsn": marked["lsn"]}
    told = far.prove(target=target, marker=marked["marker"])
    assert told["verdict"] == "PASS" and told["figures"]["rows_counted"] == 20100, told


def test_wrong_credentials_are_no_missing_backup(far: Copy, machine: Machine) -> None:
    machine.write(f"{far.name}/secrets/s3-secret", "canary-wrong")
    assert far.prove()["failures"][0]["name"] == "no_access"


def test_a_server_that_does_not_answer_is_told_soon(far: Copy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        began = time.monotonic()
        far.more = {"PGBACKREST_REPO1_STORAGE_PORT": str(deaf.getsockname()[1])}
        found = far.prove()["failures"][0]
    assert found["name"] == "no_access" and found["object"] == "Repository"
    assert time.monotonic() - began < 60


def test_a_certificate_that_nobody_vouches_for_is_refused(far: Copy, machine: Machine) -> None:
    other = objectstore.ObjectStore()
    try:
        other._certificates()
        machine.write(f"{far.name}/s3-ca.crt", other.ca.read_text())
    finally:
        other.stop()
    far.more = {"PGBACKREST_IO_TIMEOUT": "2"}  # it is tried again until then
    assert far.prove()["failures"][0]["name"] == "no_access"


def test_a_flipped_byte_in_the_bucket(far: Copy, bucket: objectstore.ObjectStore, origin: Told) -> None:
    path = next(one for one in bucket.objects() if one.match(f"*/{origin[1]['label']}/bundle/1"))
    content = path.read_bytes()
    try:
        path.write_bytes(content[:-7] + bytes([content[-7] ^ 1]) + content[-6:])
        assert far.prove()["failures"][0]["name"] == "damaged_file"
    finally:
        path.write_bytes(content)
