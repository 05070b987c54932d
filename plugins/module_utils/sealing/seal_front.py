# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From checked arguments to sealed secrets: in manifest files, in the cluster, or both.

Everything that can be refused is refused before the first file is written.
"""

from __future__ import annotations

import collections
import os
import typing as t
from datetime import UTC, datetime
from pathlib import Path

from ..kube.client import Client, Clock
from ..kube.config import load_login
from ..kube.front import read_file
from ..kube.manifests import plain
from . import certificate as certificates
from . import documents, objects, seal_plan, source, stable
from . import format as sealed
from .errors import SealingError
from .live import Cluster
from .seal_arguments import CONNECTION
from .seal_plan import REMOVED, SEALED, UNCHANGED, Plan

Obj = dict[str, t.Any]


def seal(
    params: t.Mapping[str, t.Any],
    environ: t.Mapping[str, str],
    *,
    check: bool = False,
    diff: bool = False,
    clock: Clock | None = None,
    random: t.Callable[[int], bytes] = os.urandom,
    read: source.Read = read_file,
) -> Obj:
    """changed, secrets, certificate, diff. Raises SealingError, and KubeError where a cluster is needed and fails.

    params: as the module documents them; environ: for the login; clock: for the age of certificates and for waiting;
    random: n -> n fresh random bytes; read: a file's path -> its content and its name for messages.
    """
    clock = clock or Clock()
    client: list[Client] = []

    def cluster() -> Cluster:
        if not client:
            connection = {key: params.get(key) for key in CONNECTION}
            if isinstance(connection.get("kubeconfig"), dict):
                connection["kubeconfig"] = plain(connection["kubeconfig"])
            client.append(Client(load_login(connection, environ), clock=clock))
        return Cluster(
            client[0], str(params.get("controller_namespace") or ""), str(params.get("controller_name") or "")
        )

    try:
        return _Run(params, clock, random, read, cluster, check=check).run(diff=diff)
    finally:
        for one in client:
            one.close()


class _Run:
    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        clock: Clock,
        random: t.Callable[[int], bytes],
        read: source.Read,
        cluster: t.Callable[[], Cluster],
        *,
        check: bool,
    ) -> None:
        self.params, self.clock, self.random, self.read, self.check = params, clock, random, read, check
        self.apply, self.exact = bool(params.get("apply")), bool(params.get("exact", True))
        self._cluster = cluster
        self.texts: dict[Path, str] = {}
        self.documents: dict[Path, dict[tuple[str, str], documents.Document]] = {}
        self.certificate: certificates.Certificate | None = None
        self.digest_key = stable.check_key(str(params.get("digest_key") or ""))

    @property
    def uses_cluster(self) -> bool:
        """Whether a cluster is asked at all: never one that nobody named, only because a kubeconfig lies about."""
        named = any(self.params.get(key) is not None for key in ("kubeconfig", "context", "host"))
        return self.apply or not self.params.get("certificate") or named

    def run(self, *, diff: bool) -> Obj:
        plans = [Plan(source.declared(one, self.read, self._find)) for one in self.params["secrets"]]
        self._refuse_twice(plans)
        self._read_files(plans)
        present = [plan for plan in plans if plan.declared.state == "present"]
        live: dict[tuple[str, str], stable.Live] = {}
        if present and self.uses_cluster:
            live = self._cluster().live([plan.declared.key for plan in present])
        self._decide(present, live)
        self._seal(present)
        for plan in plans:
            self._settle(plan)
        files = self._files(plans)
        if self.apply:
            for plan in present:
                found = live.get(plan.declared.key, stable.Live(None, None))
                plan.adopt = self._cluster().adoption(
                    plan.declared.key, found, str(self.params.get("adopt") or "never")
                )
        if not self.check:
            self._write(files)
        if self.apply:
            self._apply(plans)
        result: Obj = {"changed": any(plan.changed for plan in plans), "secrets": [plan.result() for plan in plans]}
        if self.certificate:
            one = self.certificate
            result["certificate"] = {
                "fingerprint": one.fingerprint,
                "key_id": one.key_id,
                "not_after": certificates.stamp(one.not_after),
                "source": one.source,
            }
        if diff:
            result["diff"] = [seal_plan.diff(plan) for plan in plans if plan.changed]
        return result

    # -- reading ----------------------------------------------------------------------------------

    def _find(self, namespace: str, name: str) -> Obj | None:
        return self._cluster().secret(namespace, name)

    def _refuse_twice(self, plans: list[Plan]) -> None:
        seen: set[tuple[str, str, str]] = set()
        for plan in plans:
            one = plan.declared
            place = (*one.key, "" if self.apply else str(one.dest or ""))
            if place in seen:
                raise SealingError(one.subject(), "it is declared twice", "Declare it once, with all its items")
            seen.add(place)
            if one.dest is None and not self.apply:
                raise SealingError(
                    one.subject(), "neither dest nor apply says where it goes", "Set dest, or apply: true"
                )
            if self.apply and not one.namespace:
                raise SealingError(one.subject(), "it has no namespace, and the cluster needs one", "Set namespace")

    def _read_files(self, plans: list[Plan]) -> None:
        for plan in plans:
            dest = plan.declared.dest
            if dest is None:
                continue
            if dest not in self.texts:
                self.texts[dest] = documents.load(dest) if os.path.lexists(dest) else ""
                self.documents[dest] = {}
                for document in documents.read(self.texts[dest], str(dest)):
                    self._know(dest, document)
            found = self.documents[dest].get(plan.declared.key)
            if found:
                plan.number, plan.current = found.number, found.obj

    def _know(self, dest: Path, document: documents.Document) -> None:
        metadata = document.obj.get("metadata")
        if document.obj.get("kind") != objects.KIND or not isinstance(metadata, dict):
            return
        key = (str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))
        if key in self.documents[dest]:
            raise SealingError(
                f"File {document.where}", f"{objects.subject(*key)} is in it twice", "Remove one", reason="file"
            )
        spec = document.obj.get("spec")
        parts = [spec, *((spec.get("encryptedData"), spec.get("template")) if isinstance(spec, dict) else ())]
        if not all(part is None or isinstance(part, dict) for part in parts):
            raise SealingError(
                f"File {document.where}",
                f"{objects.subject(*key)} is not built as one",
                "Correct its spec",
                reason="file",
            )
        self.documents[dest][key] = document

    # -- deciding ---------------------------------------------------------------------------------

    def _load_certificate(self) -> certificates.Certificate:
        now = datetime.fromtimestamp(self.clock.time(), UTC)
        return source.certificate(
            str(self.params.get("certificate") or ""),
            lambda: self._cluster().certificate(),
            self.read,
            now,
            pin=str(self.params.get("certificate_fingerprint") or ""),
            minimum_bits=int(self.params.get("minimum_key_size") or certificates.MINIMUM_BITS),
        )

    def _decide(self, plans: list[Plan], live: t.Mapping[tuple[str, str], stable.Live]) -> None:
        if not plans:
            return
        self.certificate = self._load_certificate()
        keys = source.keys([str(path) for path in self.params.get("private_keys") or []], self.read)
        judge = stable.Judge(self.certificate.key_id, self.digest_key, keys)
        for plan in plans:
            one = plan.declared
            found = live.get(one.key)
            if one.dest is None and found:
                plan.current = found.sealed
            if not one.values and plan.current is None and not one.template_data:
                raise SealingError(one.subject(), "it has no values", "Give data, data_base64, files or from_secret")
            place = (one.namespace, one.name, one.scope)
            for item, value in one.values.items():
                proof, key_id = (
                    judge.proof(plan.current, place, item, value, found)
                    if plan.current is not None
                    else (stable.NONE, "")
                )
                plan.items[item] = SEALED if proof == stable.NONE else UNCHANGED
                if proof != stable.NONE:
                    plan.proofs.add(proof)
                    plan.sealed_for[item] = key_id
            self._others(plan)

    def _others(self, plan: Plan) -> None:
        """Items that the object has and the declaration does not name."""
        if plan.current is None:
            return
        one = plan.declared
        others = [item for item in seal_plan.items_of(plan.current) if item not in one.values]
        if self.exact:
            plan.items.update(dict.fromkeys(others, REMOVED))
        elif others and objects.label_of(plan.current) != sealed.label(one.scope, one.namespace, one.name):
            raise SealingError(
                one.subject(),
                f"its scope changes to {one.scope}, and items that are not given cannot follow: {', '.join(sorted(others))}",
                "Give their values, too, or set exact: true to drop them",
                reason="scope",
            )

    def _seal(self, plans: list[Plan]) -> None:
        for plan in plans:
            one = plan.declared
            about = sealed.label(one.scope, one.namespace, one.name)
            for item, what in plan.items.items():
                if what == SEALED and self.certificate:
                    # 0.1 ms; threads gain nothing
                    plan.new[item] = sealed.seal(self.certificate.public_key, about, one.values[item], self.random)

    # -- what becomes of the object ---------------------------------------------------------------

    def _settle(self, plan: Plan) -> None:
        if plan.declared.state == "absent":
            plan.changed = plan.current is not None
            return
        notes = seal_plan.notes(plan, self.certificate.key_id if self.certificate else "", self.digest_key)
        seal_plan.settle(plan, notes, exact=self.exact)

    # -- writing ----------------------------------------------------------------------------------

    def _files(self, plans: list[Plan]) -> list[tuple[Path, str]]:
        """The files that change, and their new texts; "" for one that goes."""
        by_file: dict[Path, list[Plan]] = collections.defaultdict(list)
        for plan in plans:
            if plan.declared.dest is not None and plan.changed:
                by_file[plan.declared.dest].append(plan)
        found = []
        for dest, members in by_file.items():
            text = self.texts[dest]
            try:
                text = documents.edited_all(
                    text, {plan.number: plan.changes for plan in members if plan.number and plan.wanted}
                )
                for number in sorted(
                    (plan.number for plan in members if plan.number and not plan.wanted), reverse=True
                ):
                    text = documents.removed(text, number)
            except SealingError as error:
                cause = f"{error.subject}: {error.cause}" if error.subject != "File to be edited" else error.cause
                raise SealingError(f"File {dest}", cause, error.next_step, reason="file") from None
            found.append(
                (dest, seal_plan.appended(text, [plan.wanted for plan in members if plan.wanted and not plan.number]))
            )
        return found

    def _write(self, files: list[tuple[Path, str]]) -> None:
        for dest, text in files:
            if not text:
                dest.unlink()
        documents.write_all([(dest, text) for dest, text in files if text])

    def _apply(self, plans: list[Plan]) -> None:
        cluster = self._cluster()
        adopt = str(self.params.get("adopt") or "never")
        for plan in plans:
            if plan.adopt:
                plan.changed = True
                if not self.check:
                    cluster.mark(plan.declared.key, adopt)
        told = cluster.write([plan.wanted for plan in plans if plan.wanted], "present", check=self.check)
        gone = [plan.declared for plan in plans if plan.declared.state == "absent"]
        bare = [
            {
                "apiVersion": objects.API_VERSION,
                "kind": objects.KIND,
                "metadata": {"namespace": one.namespace, "name": one.name},
            }
            for one in gone
        ]
        told.update(cluster.write(bare, "absent", check=self.check))
        for plan in plans:
            plan.changed |= told.get(plan.declared.key, "unchanged") not in ("unchanged", "absent", "kept")
        if self.params.get("wait") and not self.check:
            cluster.wait(
                [plan.declared.key for plan in plans if plan.wanted], float(self.params.get("wait_timeout") or 60)
            )
