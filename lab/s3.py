# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's S3 server: versitygw over TLS beside the nodes, as a cloud's is, with one bucket, one user who writes and one who reads."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import secrets
import ssl
import time
import urllib.error
import urllib.request

from . import builds
from .core import LabError, run, step
from .state import S3_BUCKET, S3_PORT, S3_REGION, S3_USERS, Lab

# What the users may do with the bucket itself, and with what is in it.
RIGHTS = {
    "writer": (
        ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
        ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
    ),
    "reader": (["s3:ListBucket", "s3:GetBucketLocation"], ["s3:GetObject"]),
}


def command(program: str, home: str, address: str) -> list[str]:
    """The words that start the server upon what prepare() made. It has root's keys from its environment."""
    return [
        *(program, "--port", f"{address}:{S3_PORT}", "--region", S3_REGION, "--quiet"),
        *("--cert", f"{home}/tls.crt", "--key", f"{home}/tls.key", "--iam-dir", f"{home}/users"),
        *("posix", "--sidecar", f"{home}/metadata", f"{home}/data"),
    ]


def container(lab: Lab) -> tuple[list[str], list[str]]:
    """What its container is given, and the command that it runs."""
    binary = builds.binary("versitygw", "versitygw")
    given = ["--volume", f"{binary}:/versitygw:ro", "--volume", f"{lab.s3}:/s3", "--env-file", f"{lab.s3}/root.env"]
    return given, command("/versitygw", "/s3", lab.s3_address)


def write(path: pathlib.Path, text: str) -> None:
    """A file that only its owner reads, never half written."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
    unfinished.rename(path)


def credentials(lab: Lab, user: str) -> tuple[str, str]:
    """Access key and secret key of a user."""
    place = lab.s3_user(user)
    return (place / "key").read_text(), (place / "secret").read_text()


def policy(keys: dict[str, str]) -> dict:
    """The bucket's policy; keys: user -> access key."""
    bucket = f"arn:aws:s3:::{S3_BUCKET}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": [keys[user]]}, "Action": actions, "Resource": [resource]}
            for user, rights in RIGHTS.items()
            for actions, resource in zip(rights, (bucket, f"{bucket}/*"), strict=True)
        ],
    }


def prepare(lab: Lab) -> None:
    """Its directories, users and certificate, as far as they are not there."""
    for name in ("data", "metadata", "users"):
        (lab.s3 / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    for user in S3_USERS:
        for name in ("key", "secret"):
            if not (path := lab.s3_user(user) / name).exists():
                write(path, f"{user}{secrets.token_hex(6)}" if name == "key" else secrets.token_urlsafe(30))
    root = credentials(lab, "root")
    write(lab.s3 / "root.env", f"ROOT_ACCESS_KEY={root[0]}\nROOT_SECRET_KEY={root[1]}\n")
    if not (listed := lab.s3 / "users" / "users.json").exists():
        accounts = [dict(zip(("access", "secret"), credentials(lab, user), strict=True)) for user in RIGHTS]
        write(listed, json.dumps({"accessAccounts": {one["access"]: {**one, "role": "user"} for one in accounts}}))
    if not (lab.s3 / "tls.crt").exists():
        certificates(lab)


def certificates(lab: Lab) -> None:
    """An authority of the lab's own, and the server's certificate for the address it has there."""
    write(lab.s3 / "san", f"subjectAltName=IP:{lab.s3_address}\nextendedKeyUsage=serverAuth\n")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for argv in (
        ["req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.crt", "-subj", f"/CN=S3 of lab {lab.name}", "-days", "3650"],
        ["req", *new, "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=s3"],
        ["x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "san", "-days", "3650",
         "-out", "tls.part"],
    ):  # fmt: skip
        run(["openssl", *argv], cwd=lab.s3)
    for name in ("ca.key", "tls.key"):
        (lab.s3 / name).chmod(0o600)
    (lab.s3 / "tls.part").rename(lab.s3 / "tls.crt")


def answers(lab: Lab) -> bool:
    """Whether something speaks S3 at its address, under its certificate."""
    context = ssl.create_default_context(cafile=str(lab.s3_ca))
    try:
        urllib.request.urlopen(f"https://{lab.s3_address}:{S3_PORT}/", timeout=2, context=context)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def furnish(lab: Lab, seconds: float = 30) -> None:
    """Wait for the server, then make its bucket and say who may do what there."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    with step("S3 server"):
        deadline = time.monotonic() + seconds
        while not answers(lab):
            if time.monotonic() > deadline:
                logs = f"podman logs {lab.container('s3')}"
                raise LabError(f"the S3 server does not answer at {lab.s3_address}:{S3_PORT}: see `{logs}`")
            time.sleep(0.1)
        key, secret = credentials(lab, "root")
        client = boto3.session.Session().client(
            "s3", endpoint_url=f"https://{lab.s3_address}:{S3_PORT}", region_name=S3_REGION, verify=str(lab.s3_ca),
            aws_access_key_id=key, aws_secret_access_key=secret, config=Config(s3={"addressing_style": "path"}),
        )  # fmt: skip
        try:
            with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
                client.create_bucket(Bucket=S3_BUCKET)
            wanted = policy({user: credentials(lab, user)[0] for user in RIGHTS})
            client.put_bucket_policy(Bucket=S3_BUCKET, Policy=json.dumps(wanted))
        except (BotoCoreError, ClientError) as error:
            raise LabError(f"bucket {S3_BUCKET} of the lab's S3 server was not made: {error}") from None
