# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From checked arguments to a result: what sealed_secret_lint, sealed_secret_rekey and sealed_secret_info do."""

from __future__ import annotations

import contextlib
import functools
import typing as t
from datetime import UTC, datetime
from pathlib import Path

from ..kube.arguments import CONNECTION
from ..kube.client import Client, Clock
from ..kube.config import load_login
from ..kube.errors import ApiError, KubeError
from ..kube.front import read_file
from ..kube.manifests import plain
from . import backup, census, keyring, rekey, source, stable, trees, versions
from . import certificate as certificates
from . import lint as linting
from .controller import Controller, discover
from .errors import SealingError

JOURNAL = ".sealed-secret-rekey.journal"
Obj = dict[str, t.Any]
Params = t.Mapping[str, t.Any]
Environ = t.Mapping[str, str]


class _Asked:
    """What the options name, brought when it is needed."""

    def __init__(self, params: Params, environ: Environ, clock: Clock | None, read: source.Read) -> None:
        self.params, self.read = params, read
        self.clock = clock or Clock()
        self.now = datetime.fromtimestamp(self.clock.time(), UTC)
        self._environ = environ
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> _Asked:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    @functools.cached_property
    def client(self) -> Client:
        connection = {key: self.params.get(key) for key in CONNECTION}
        if isinstance(connection.get("kubeconfig"), dict):
            connection["kubeconfig"] = plain(connection["kubeconfig"])
        client = Client(load_login(connection, self._environ), clock=self.clock)
        self._stack.callback(client.close)
        return client

    @functools.cached_property
    def controller(self) -> Controller:
        return discover(self.client, self.clock, self.text("controller_namespace"), self.text("controller_name"))

    @functools.cached_property
    def version(self) -> str:
        return self.text("controller_version") or self.controller.version()

    def text(self, name: str) -> str:
        return str(self.params.get(name) or "")

    def files(self) -> list[Path]:
        return trees.walk([str(path) for path in self.params["paths"]], [str(one) for one in self.params["exclude"]])

    def keys(self, option: str = "private_keys") -> list[keyring.Key]:
        """The keys of files, which age may have encrypted."""
        paths = [str(path) for path in self.params.get(option) or []]
        if not paths:
            return []
        identities = [self.read(str(path))[0].decode("utf-8", "replace") for path in self.params["identities"]]
        lock = backup.Lock(passphrase=self.text("passphrase"), identities=identities)

        def opened(path: str) -> tuple[bytes, str]:
            data, name = self.read(path)
            return (backup.decrypt(data, lock, f"Backup {name}") if backup.is_encrypted(data) else data), name

        return source.keys(paths, opened)

    def certificates(self) -> list[certificates.Certificate]:
        """Those of the option, whatever their age: what was sealed for one that expired is to be found."""
        found: list[keyring.Key] = []
        for given in self.params["certificates"]:
            text = str(given)
            data, name = (text.encode(), "given as PEM") if "-----BEGIN" in text else self.read(text)
            found += keyring.read(data, name)
        return [key.certificate for key in keyring.merged(found) if key.certificate]


def lint(params: Params, environ: Environ, *, clock: Clock | None = None, read: source.Read = read_file) -> Obj:
    """changed (false), findings, counts, files, sealed_secrets; failed and msg where findings reach fail_on."""
    unknown = sorted({str(rule) for rule in params["ignore"]} - set(linting.RULES))
    if unknown:
        raise SealingError("ignore", f"there is no rule {', '.join(unknown)}", f"Rules are {', '.join(linting.RULES)}")
    with _Asked(params, environ, clock, read) as asked:
        linter = linting.Linter(
            linting.Options(
                now=asked.now,
                certificates=asked.certificates(),
                keys=asked.keys(),
                controller=asked.controller if params["verify"] else None,
                version=asked.version if params["verify"] else asked.text("controller_version"),
                layout=asked.text("layout"),
                ignore={str(rule) for rule in params["ignore"]},
                attempts=int(params["explain_attempts"]),
            )
        )
        findings = linter.run(asked.files())
    counts = {level: sum(one.level == level for one in findings) for level in reversed(linting.LEVELS)}
    result: Obj = {
        "changed": False,
        "findings": [one.as_dict() for one in findings],
        "counts": counts,
        "files": linter.files,
        "sealed_secrets": linter.sealed_secrets,
    }
    bad = linting.failing(findings, str(params["fail_on"]))
    if bad:
        first = bad[0]
        more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        message = f"{first.subject} ({first.file}): {first.message}. {first.next_step}. [{first.rule}]{more}"
        result.update(failed=True, msg=message)
    return result


def rekey_trees(
    params: Params,
    environ: Environ,
    *,
    check: bool = False,
    diff: bool = False,
    clock: Clock | None = None,
    read: source.Read = read_file,
) -> Obj:
    """changed, way, certificate, objects, counts, files, resumed_files, errors, diff; failed and msg where something could not be done."""
    with _Asked(params, environ, clock, read) as asked:
        keys = asked.keys()
        target = source.certificate(
            asked.text("certificate"),
            lambda: (asked.controller.certificate(), asked.controller.subject),
            read,
            asked.now,
            pin=asked.text("certificate_fingerprint"),
            minimum_bits=int(params["minimum_key_size"]),
        )
        digest_key = stable.check_key(asked.text("digest_key"))
        options = rekey.Options(
            target, keys, digester=functools.partial(stable.digest, digest_key) if digest_key else None,
            force=bool(params["force"]), check=check,
        )  # fmt: skip
        if not keys:
            options.controller, options.version = asked.controller, asked.version
            _same_key(asked.controller, target)
        paths = asked.files()
        journal = Path(asked.text("journal") or _beside(str(params["paths"][0])))
        report = rekey.Rekeyer(options, rekey.places_of(paths)).run(paths, journal)
    touched = [one for one in report.outcomes if one.changed or one.errors]
    result: Obj = {
        "changed": bool(report.written) or any(one.changed for one in report.outcomes),
        "way": options.way,
        "certificate": {
            "fingerprint": target.fingerprint,
            "key_id": target.key_id,
            "not_after": certificates.stamp(target.not_after),
            "source": target.source,
        },
        "objects": [one.as_dict() for one in touched],
        "counts": report.counts(),
        "files": report.files,
        "changed_files": len({one.file for one in touched if one.changed}),
        "resumed_files": report.resumed,
        "errors": report.failed,
    }
    if diff:
        result["diff"] = [_diff(one, target.key_id) for one in touched if one.changed]
    if report.failed:
        first = report.failed[0]
        more = f" And {len(report.failed) - 1} more." if len(report.failed) > 1 else ""
        result.update(failed=True, msg=f"{first['object']}: {first['cause']}. {first['next_step']}.{more}")
    return result


def _same_key(controller: Controller, target: certificates.Certificate) -> None:
    """Without private keys the controller seals, and for its own newest key only."""
    own = certificates.load(controller.certificate(), controller.subject)
    if own.key_id != target.key_id:
        raise SealingError(
            f"Certificate {target.source}",
            f"its key is {target.key_id}, and {controller.subject} seals anew only for its own newest, {own.key_id}",
            "Give private_keys to seal for another certificate, or leave certificate out",
            reason="certificate",
        )


def _beside(path: str) -> str:
    place = Path(path)
    return str((place if place.is_dir() else place.parent) / JOURNAL)


def _diff(one: rekey.Outcome, target: str) -> Obj:
    """Names and keys: what a diff of ciphertext would tell nobody."""
    items = [item for item, state in one.items.items() if state == rekey.REKEYED]
    name = f"{one.namespace}/{one.name}"
    before = "".join(f"{name} {item}: {one.from_keys.get(item) or 'key unknown'}\n" for item in items)
    after = "".join(f"{name} {item}: {target}\n" for item in items)
    return {"before_header": one.file, "after_header": one.file, "before": before, "after": after}


def info(params: Params, environ: Environ, *, clock: Clock | None = None, read: source.Read = read_file) -> Obj:
    """changed (false), keys, unknown, controller, next_renewal, warnings and what else census.report tells."""
    with _Asked(params, environ, clock, read) as asked:
        unread: list[str] = []
        found = [*asked.keys(), *asked.keys("backups")]
        found += [keyring.Key(one.key_id, one.source, None, one) for one in asked.certificates()]
        backed_up = {key.key_id for key in asked.keys("backups")} if params["backups"] else None
        cluster: Obj = {}
        live: list[Obj] = []
        if params["cluster"]:
            cluster, of_cluster, live = _cluster(asked, unread)
            # Names of Secrets and what the cluster says of a key win over files'.
            found = [*of_cluster, *found]
            if backed_up is None:
                backed_up = _recorded(asked)
        else:
            unread.append("The SealedSecrets of the cluster were not looked at: set cluster")
        if not params["paths"]:
            unread.append("No tree was looked at: set paths")
        counted = census.Census(found)
        for obj in live:
            counted.add(obj, "")
        files = asked.files()
        for path in files:
            _count_file(counted, path, unread)
        report = counted.report(asked.now, backed_up, unread)
        newest = next((key for key in counted.keys if key.key_id == report["newest_key"]), None)
        period = cluster.pop("renewal", census.RENEWAL)
        return {
            "changed": False,
            **report,
            "controller": cluster,
            "next_renewal": census.next_renewal(newest, period) if params["cluster"] else "",
            "files": len(files),
            "not_looked_at": unread,
        }


def _cluster(asked: _Asked, unread: list[str]) -> tuple[Obj, list[keyring.Key], list[Obj]]:
    """(the controller and what is known of its version, its keys, the SealedSecrets). What the login may not read is noted in unread."""
    controller, client = asked.controller, asked.client
    try:
        bindings: list[str] | None = versions.open_to_everybody(client, controller.namespace, controller.name)
    except ApiError as error:
        if error.status != 403:
            raise
        bindings = None
    told: Obj = {
        "namespace": controller.namespace,
        "name": controller.name,
        "version": asked.version,
        "recommended_version": versions.RECOMMENDED,
        "faults": [fault.as_dict() for fault in versions.faults(asked.version)],
        "findings": versions.findings(asked.version, bindings),
        "renewal": controller.flags().get("key-renew-period", census.RENEWAL),
    }
    keys: list[keyring.Key] = []
    live: list[Obj] = []
    try:
        keys = census.of_cluster(client, controller.namespace)
    except SealingError as error:
        unread.append(f"{error.subject}: {error.cause}. {error.next_step}")
        with contextlib.suppress(SealingError):
            one = certificates.load(controller.certificate(), controller.subject)
            keys = [keyring.Key(one.key_id, one.source, None, one)]
    try:
        live = census.sealed_in_cluster(client, [str(one) for one in asked.params["namespaces"]])
    except SealingError as error:
        unread.append(f"{error.subject}: {error.cause}. {error.next_step}")
    if asked.params["namespaces"]:
        unread.append("Only some namespaces of the cluster were looked at: leave namespaces out")
    return told, keys, live


def _recorded(asked: _Asked) -> set[str] | None:
    """Ids of the keys of the last backup, as sealing_keys noted them in the cluster; None where it did not, or it may not be read."""
    try:
        record = backup.read_record(asked.client, asked.controller.namespace)
    except KubeError as error:
        if error.reason != "forbidden":
            raise
        return None
    return set(record.key_ids) if record else None


def _count_file(counted: census.Census, path: Path, unread: list[str]) -> None:
    data = trees.load(path)
    if b"SealedSecret" not in data or not trees.concerns(data):
        return
    try:
        sources = trees.parse(data, path)
    except SealingError as error:
        unread.append(f"{error.subject}: {error.cause}. {error.next_step}")
        return
    for one in sources:
        if one.obj.get("kind") == "SealedSecret":
            counted.add(one.obj, one.file)
