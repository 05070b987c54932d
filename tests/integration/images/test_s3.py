# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's S3 server: its two users may do what they are for and no more, and its users are found again after a restart."""

from __future__ import annotations

import typing as t

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from lab import s3, state

BUCKET = state.S3_BUCKET


def client(lab: state.Lab, user: str, secret: str = "") -> t.Any:
    key, real = s3.credentials(lab, user)
    return boto3.session.Session().client(
        "s3", endpoint_url=f"https://{lab.s3_address}:{state.S3_PORT}", region_name=state.S3_REGION, verify=str(lab.s3_ca),
        aws_access_key_id=key, aws_secret_access_key=secret or real, config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip


def refused(attempt: t.Callable[[], t.Any]) -> str:
    """The code of the refusal; '' where it was none."""
    try:
        answer = attempt()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return str(answer.get("Errors", [{}])[0].get("Code", ""))


def test_who_writes_writes_and_deletes(store: state.Lab) -> None:
    writer = client(store, "writer")
    writer.put_object(Bucket=BUCKET, Key="a/b", Body=b"one")
    upload = writer.create_multipart_upload(Bucket=BUCKET, Key="a/c")["UploadId"]
    part = writer.upload_part(Bucket=BUCKET, Key="a/c", UploadId=upload, PartNumber=1, Body=b"two")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    writer.complete_multipart_upload(Bucket=BUCKET, Key="a/c", UploadId=upload, MultipartUpload=parts)
    assert writer.list_objects_v2(Bucket=BUCKET, Prefix="a/")["KeyCount"] == 2
    assert not refused(lambda: writer.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "a/c"}]}))
    assert refused(lambda: writer.head_object(Bucket=BUCKET, Key="a/c")) == "404"


def test_who_reads_only_reads(store: state.Lab) -> None:
    client(store, "writer").put_object(Bucket=BUCKET, Key="r/x", Body=b"one")
    reader = client(store, "reader")
    assert reader.get_object(Bucket=BUCKET, Key="r/x")["Body"].read() == b"one"
    assert reader.list_objects_v2(Bucket=BUCKET, Prefix="r/")["KeyCount"] == 1
    for attempt in (
        # Empty, since the server refuses without reading what it is sent.
        lambda: reader.put_object(Bucket=BUCKET, Key="r/x", Body=b""),
        lambda: reader.create_multipart_upload(Bucket=BUCKET, Key="r/y"),
        lambda: reader.copy_object(Bucket=BUCKET, Key="r/y", CopySource=f"{BUCKET}/r/x"),
        lambda: reader.delete_object(Bucket=BUCKET, Key="r/x"),
        lambda: reader.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "r/x"}]}),
        lambda: reader.put_bucket_policy(Bucket=BUCKET, Policy="{}"),
        lambda: reader.delete_bucket(Bucket=BUCKET),
        lambda: reader.create_bucket(Bucket="another"),
    ):
        assert refused(attempt) == "AccessDenied"
    assert reader.get_object(Bucket=BUCKET, Key="r/x")["Body"].read() == b"one"


def test_nobody_else_gets_in(store: state.Lab) -> None:
    assert refused(lambda: client(store, "writer", "wrong").list_objects_v2(Bucket=BUCKET)) == "SignatureDoesNotMatch"
    assert refused(lambda: client(store, "writer").delete_bucket(Bucket=BUCKET)) == "AccessDenied"
    anonymous = Config(s3={"addressing_style": "path"}, signature_version=UNSIGNED)
    nobody = boto3.session.Session().client(
        "s3", endpoint_url=f"https://{store.s3_address}:{state.S3_PORT}", region_name=state.S3_REGION,
        verify=str(store.s3_ca), config=anonymous,
    )  # fmt: skip
    assert refused(lambda: nobody.list_objects_v2(Bucket=BUCKET)) == "AccessDenied"


def test_furnishing_again_keeps_what_is_there(store: state.Lab) -> None:
    client(store, "writer").put_object(Bucket=BUCKET, Key="k/x", Body=b"one")
    s3.prepare(store)
    s3.furnish(store)
    assert client(store, "reader").get_object(Bucket=BUCKET, Key="k/x")["Body"].read() == b"one"


def test_a_server_that_does_not_answer_is_named(
    tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "CLONE", tmp_path)
    lab = state.Lab("gone", subnet="127.1.2.0/24")
    s3.prepare(lab)
    with pytest.raises(s3.LabError, match=r"does not answer at 127\.1\.2\.4:7070: see `podman logs gone-s3`"):
        s3.furnish(lab, seconds=0.2)
