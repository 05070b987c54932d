# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket of an S3 server as a place for backups. Nothing in it is ever overwritten or deleted."""

from __future__ import annotations

import typing as t

from .errors import SealingError

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError, SSLError
except ImportError:  # ansible-test imports this file without its libraries
    boto3 = None

# What callers go by: SealingError.reason of these, "file" of all others.
_REASONS = {"NoSuchKey": "missing", "404": "missing", "PreconditionFailed": "exists"}
LIMIT = 64 * 1024 * 1024  # bytes: no backup of keys is larger
_CAUSES = {
    "NoSuchBucket": ("there is no such bucket", "Make it, or correct its name"),
    "NoSuchKey": ("it is not there", "Write the backup again, with force"),
    "404": ("it is not there", "Write the backup again, with force"),
    "403": ("access is denied", "Allow s3:PutObject, s3:GetObject and s3:ListBucket below the prefix"),  # to HEAD
    "AccessDenied": ("access is denied", "Allow s3:PutObject and s3:GetObject below the prefix"),
    "InvalidAccessKeyId": ("the access key is not known there", "Correct access_key"),
    "XAdminUserNotFound": ("the access key is not known there", "Correct access_key"),  # versitygw's word for it
    "SignatureDoesNotMatch": ("the secret key does not fit the access key", "Correct secret_key"),
    "PreconditionFailed": ("something of that name is there already", "Run this again: names hold the time"),
    "RequestTimeTooSkewed": ("the clocks differ", "Set the clock of this machine or of the server"),
}


class Bucket:
    """place: "s3://bucket/prefix/name". Credentials appear in no message."""

    def __init__(
        self, endpoint: str, bucket: str, prefix: str = "", *, access_key: str = "", secret_key: str = "", session_token: str = "",
        region: str = "us-east-1", ca_cert: str = "",
    ) -> None:  # fmt: skip
        """endpoint: https URL; without access_key boto3 looks for credentials as it does; ca_cert: path of a PEM file."""
        self._subject = f"Bucket {bucket} at {endpoint}"
        if boto3 is None:
            step = "Install it where this runs: pip install boto3"
            raise SealingError("Python package boto3", "it is needed for backups to S3", step)
        if not endpoint.startswith("https://"):
            raise SealingError(self._subject, "the endpoint is not https", "Give https://host:port")
        if not bucket or bool(access_key) != bool(secret_key):
            raise SealingError(self._subject, "bucket, or one of access_key and secret_key is missing", "Give them")
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        config = Config(
            signature_version="s3v4", s3={"addressing_style": "path"}, connect_timeout=10, read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 3},
            # Servers other than Amazon's do not all know the newer checksums; ours are in the record.
            request_checksum_calculation="when_required", response_checksum_validation="when_required",
        )  # fmt: skip
        try:
            self._client = boto3.session.Session().client(
                "s3", endpoint_url=endpoint, region_name=region, verify=ca_cert or None, config=config,
                aws_access_key_id=access_key or None, aws_secret_access_key=secret_key or None,
                aws_session_token=session_token or None,
            )  # fmt: skip
        except (BotoCoreError, ValueError) as error:
            raise self._refused(self._subject, error) from None

    def write(self, name: str, data: bytes) -> str:
        key, place = self._prefix + name, self.place(name)
        wanted: dict[str, t.Any] = {"Bucket": self._bucket, "Key": key, "Body": data}
        try:
            try:
                self._client.put_object(**wanted, IfNoneMatch="*")
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in ("NotImplemented", "501"):
                    raise
                # A server that knows no conditional writes is asked first; two who write at once have names of their own.
                if self._is_there(key):
                    cause, step = _CAUSES["PreconditionFailed"]
                    raise SealingError(f"{place} ({self._subject})", cause, step, reason="exists") from None
                self._client.put_object(**wanted)
        except (BotoCoreError, ClientError) as error:
            raise self._refused(place, error) from None
        return place

    def _is_there(self, key: str) -> bool:
        try:
            self._client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in ("404", "NoSuchKey"):
                raise
            return False
        return True

    def read(self, place: str) -> bytes:
        key = place.removeprefix(f"s3://{self._bucket}/")
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            return t.cast("bytes", body.read(LIMIT))
        except (BotoCoreError, ClientError) as error:
            raise self._refused(place, error) from None

    def place(self, name: str) -> str:
        """How something of that name is called."""
        return f"s3://{self._bucket}/{self._prefix}{name}"

    def holds(self, place: str) -> bool:
        start = f"s3://{self._bucket}/{self._prefix}"
        return place.startswith(start) and "/" not in place[len(start) :]

    def _refused(self, subject: str, error: Exception) -> SealingError:
        """In words of ours: what servers answer may quote the request."""
        reason = "file"
        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code") or "")
            cause, step = _CAUSES.get(code, (f"the server refuses it ({code[:40]})", "Look into its log"))
            reason = _REASONS.get(code, reason)
        elif isinstance(error, SSLError):
            cause, step = "its certificate is not accepted", "Give its CA by ca_cert, and the name that is in it"
        else:
            cause = f"it cannot be reached ({type(error).__name__})"
            step = "Check endpoint, network and credentials"
        about = subject if subject == self._subject else f"{subject} ({self._subject})"
        return SealingError(about, cause, step, reason=reason)
