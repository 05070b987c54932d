# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sealed-secrets controller's HTTP API, reached through the API server's proxy for Services.

verify and rotate are sent only what they need: name, namespace, scope and sealed items. Template, labels and other annotations stay
here, since old controllers execute the template, and rotate loses or changes everything but the items anyway.
"""

from __future__ import annotations

import re
import threading
import typing as t

from ..kube.client import Client, Clock
from ..kube.errors import ApiError
from . import objects
from .errors import SealingError

RATE, BURST = 2.0, 2  # requests a second to verify and rotate, as the controller's defaults have it
# A Service by these labels: the chart's, and those of the plain manifest of the project.
_LABELS = ("app.kubernetes.io/name=sealed-secrets", "name=sealed-secrets-controller")
# Where it usually is, for who may not list the Services of all namespaces.
_PLACES = (
    ("enclii-system", "sealed-secrets-controller"),
    ("kube-system", "sealed-secrets-controller"),
    ("kube-system", "sealed-secrets"),
)
_PORTS = (8080, "http")
_VERSION = re.compile(r":v?(\d+\.\d+\.\d+)(?:[-@]|$)")
_OTHER_STEP = "Give a certificate file, or private keys, with which none of this needs the controller"
Obj = dict[str, t.Any]


class TokenBucket:
    """At most so many calls at once, and so many a second after; waits where there is none left. Safe for threads."""

    def __init__(self, clock: Clock, rate: float = RATE, burst: int = BURST) -> None:
        self._clock, self._rate, self._burst = clock, rate, float(burst)
        self._left, self._at = float(burst), clock.monotonic()
        self._lock = threading.Lock()

    def take(self) -> None:
        """One call's turn."""
        with self._lock:
            now = self._clock.monotonic()
            self._left = min(self._burst, self._left + (now - self._at) * self._rate) - 1
            self._at = now
            pause = max(0.0, -self._left / self._rate)
        if pause:
            self._clock.sleep(pause)


class Controller:
    """One controller, by its Service. Its methods raise SealingError (reason "controller"), and KubeError where no API server answers."""

    def __init__(self, client: Client, namespace: str, name: str, clock: Clock) -> None:
        self.namespace, self.name = namespace, name
        self._client = client
        self._bucket = TokenBucket(clock)
        self._service: Obj | None = None

    @property
    def subject(self) -> str:
        """How messages name it."""
        return f"Controller {self.namespace}/{self.name}"

    def certificate(self) -> bytes:
        """The PEM of the certificate that it has secrets sealed for, its newest."""
        try:
            pem = self._client.request("GET", self._path("cert.pem"), accept="*/*", decode=bytes)[1]
        except ApiError as error:
            raise self._refused(error, "its certificate cannot be fetched") from error
        if not pem:
            raise self._error("it answered without a certificate", "Wait until it has made its first key")
        return t.cast("bytes", pem)

    def verify(self, obj: t.Mapping[str, t.Any]) -> bool:
        """Whether it can unseal all items of a SealedSecret where it stands. It does not tell whether the template works."""
        self._bucket.take()
        try:
            self._client.request("POST", self._path("verify"), body=sendable(obj), accept="*/*", decode=bytes)
        except ApiError as error:
            if error.status == 409:
                return False
            if error.status == 500:
                raise self._error("it cannot read what it is to verify", "Check the manifest's fields") from error
            raise self._refused(error, "it does not verify") from error
        return True

    def rotate(self, obj: t.Mapping[str, t.Any]) -> Obj:
        """A SealedSecret with the same items, sealed for its newest key. Only spec.encryptedData of it means anything.

        Scope, name, namespace and the set of items are compared with what was sent.
        """
        sent = sendable(obj)
        self._bucket.take()
        try:
            answer = self._client.request("POST", self._path("rotate"), body=sent, accept="*/*")[1]
        except ApiError as error:
            if error.status == 500:
                # Its answer to everything that goes wrong.
                raise self._error(
                    "it could not unseal it, or not read it",
                    "Lint it with verify, or with private keys, which tell why",
                ) from error
            raise self._refused(error, "it does not seal anew") from error
        except ValueError as error:
            raise self._error("its answer to rotate is no JSON", "Check what the Service leads to") from error
        self._compare(sent, answer)
        return t.cast("Obj", answer)

    def version(self) -> str:
        """Its version, such as "0.40.0", by its Deployment's image; "" where that says none, or may not be read."""
        for deployment in self._deployments():
            for container in deployment["spec"]["template"]["spec"].get("containers") or []:
                found = _VERSION.search(str(container.get("image") or "").rpartition("/")[2])
                if found and "sealed-secrets" in str(container.get("image")):
                    return found.group(1)
        return ""

    def flags(self) -> dict[str, str]:
        """The flags of its command that are written name=value, without their dashes; {} where they may not be read."""
        words: list[str] = []
        for deployment in self._deployments():
            for container in deployment["spec"]["template"]["spec"].get("containers") or []:
                words += [*(container.get("command") or []), *(container.get("args") or [])]
        pairs = [word.lstrip("-").partition("=") for word in words if word.startswith("-") and "=" in word]
        return {name: value for name, _is, value in pairs}

    # -- inside ---------------------------------------------------------------------------------

    def _deployments(self) -> list[Obj]:
        """Those whose pods its Service leads to."""
        place = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        try:
            selector = (self._read_service().get("spec") or {}).get("selector") or {}
            named = self._client.find(f"{place}/{self.name}")
            found = [named] if named else self._client.list(place)
        except (ApiError, SealingError):
            return []
        return [one for one in found if _selects(selector, one["spec"]["template"]["metadata"].get("labels") or {})]

    def _read_service(self) -> Obj:
        if self._service is None:
            self._service = _service(self._client, self.namespace, self.name)
            if self._service is None:
                raise SealingError(
                    f"Service {self.namespace}/{self.name}",
                    "there is no such Service",
                    "Correct controller_namespace and controller_name, or leave them out to have it looked for",
                    reason="controller",
                )
        return self._service

    def _path(self, what: str) -> str:
        """kubeseal asks by the port's name, and the chart's role for it allows only that."""
        port = _port(self._read_service())
        if port is None:
            raise self._error("its Service has no port 8080 and none named http", "Correct controller_name")
        return f"/api/v1/namespaces/{self.namespace}/services/http:{self.name}:{port}/proxy/v1/{what}"

    def _compare(self, sent: Obj, answer: t.Any) -> None:
        about = objects.subject(sent["metadata"].get("namespace", ""), sent["metadata"].get("name", ""))

        def refuse(what: str) -> t.NoReturn:
            raise SealingError(
                about,
                f"{self.subject} answered rotate with {what}",
                "Nothing of the answer was used. Update the controller, or use private keys",
                reason="controller",
            )

        metadata, spec = (_dict(_dict(answer).get(part)) for part in ("metadata", "spec"))
        # The controller leaves out kind and apiVersion.
        if _dict(answer).get("kind", objects.KIND) != objects.KIND or not spec:
            refuse("something that is no SealedSecret")
        if [metadata.get(part) for part in ("name", "namespace")] != [
            sent["metadata"].get(part) for part in ("name", "namespace")
        ]:
            refuse("another name or namespace")
        template = _dict(_dict(spec.get("template")).get("metadata"))
        wanted = objects.scope_of(sent["metadata"].get("annotations"))
        if {objects.scope_of(part.get("annotations")) for part in (metadata, template)} != {wanted}:
            refuse("another scope")
        if set(_dict(spec.get("encryptedData"))) != set(sent["spec"]["encryptedData"]):
            refuse("another set of items")

    def _error(self, cause: str, step: str) -> SealingError:
        return SealingError(self.subject, cause, step, reason="controller")

    def _refused(self, error: ApiError, what: str) -> SealingError:
        status, message = error.status, error.message
        if status == 403:
            return self._error(
                f"{what}: the login may not use the proxy of its Service",
                f"Bind its role {self.name}-service-proxier to those who need it. {_OTHER_STEP}",
            )
        if status == 413:
            return self._error(f"{what}: the SealedSecret is larger than it accepts", "Split it")
        if status == 429:
            return self._error(f"{what}: it is asked too often, by others too", "Run this again later")
        if status == 503:
            return self._error(f"{what}: no pod of it answers ({message})", f"Start it. {_OTHER_STEP}")
        return self._error(f"{what}: HTTP {status}", f"Look into its log. {_OTHER_STEP}")


def discover(client: Client, clock: Clock, namespace: str = "", name: str = "") -> Controller:
    """The cluster's controller: where it is said to be, else by its Service's label and port. SealingError says what was looked for."""
    if namespace and name:
        found = [one for one in [_service(client, namespace, name)] if one]
        looked = f"Service {namespace}/{name}"
    else:
        found, looked = _look(client, namespace, name)
    places = sorted(
        {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in found if _port(one) is not None}
    )
    if not places:
        raise SealingError(
            "Controller of sealed secrets",
            f"there is none: looked for {looked}",
            f"Install it, or set controller_namespace and controller_name. {_OTHER_STEP}",
            reason="controller",
        )
    if len(places) > 1:
        listed = ", ".join("/".join(place) for place in places)
        raise SealingError(
            "Controller of sealed secrets",
            f"there are several: {listed}",
            "Say which by controller_namespace and controller_name",
            reason="controller",
        )
    controller = Controller(client, *places[0], clock)
    controller._service = next(
        one for one in found if (one["metadata"]["namespace"], one["metadata"]["name"]) == places[0]
    )
    return controller


def sendable(obj: t.Mapping[str, t.Any]) -> Obj:
    """What verify and rotate get of a SealedSecret."""
    metadata = obj.get("metadata") or {}
    own: Obj = {part: metadata[part] for part in ("name", "namespace") if metadata.get(part)}
    annotations = objects.scope_annotations(objects.scope_of(metadata.get("annotations")))
    if annotations:
        own["annotations"] = annotations
    items = dict((obj.get("spec") or {}).get("encryptedData") or {})
    # In the template, too: controllers before 0.36 take the scope of the answer from there.
    spec = {"encryptedData": items, "template": {"metadata": own}}
    return {"apiVersion": objects.API_VERSION, "kind": objects.KIND, "metadata": own, "spec": spec}


def _service(client: Client, namespace: str, name: str) -> Obj | None:
    try:
        return t.cast("Obj | None", client.find(f"/api/v1/namespaces/{namespace}/services/{name}"))
    except ApiError as error:
        if error.status != 403:
            raise
        raise SealingError(
            f"Service {namespace}/{name}",
            "the login may not read it",
            f"Allow it to get that Service. {_OTHER_STEP}",
            reason="controller",
        ) from error


def _look(client: Client, namespace: str, name: str) -> tuple[list[Obj], str]:
    """(Services that may be it, what was looked for)."""
    path = f"/api/v1/namespaces/{namespace}/services" if namespace else "/api/v1/services"
    where = f"in namespace {namespace}" if namespace else "in all namespaces"
    queries = [{"fieldSelector": f"metadata.name={name}"}] if name else [{"labelSelector": label} for label in _LABELS]
    try:
        found = [one for query in queries for one in client.list(path, query) if _port(one) is not None]
    except ApiError as error:
        if error.status != 403:
            raise
        places = [(namespace or place[0], name or place[1]) for place in _PLACES]
        listed = ", ".join(dict.fromkeys("/".join(place) for place in places))
        looked = f"the Services {listed}, as the login may not list those {where}"
        return _at(client, places), looked
    words = " or ".join(next(iter(query.values())) for query in queries)
    return found, f"a Service {where} with {words} and a port 8080 or named http"


def _at(client: Client, places: t.Sequence[tuple[str, str]]) -> list[Obj]:
    found = []
    for place in dict.fromkeys(places):
        try:
            one = _service(client, *place)
        except SealingError:
            continue
        if one:
            found.append(one)
    return found[:1]


def _port(service: Obj) -> str | None:
    """Name of the port of the HTTP API, "" for one without name; None where there is none."""
    ports = (service.get("spec") or {}).get("ports") or []
    for port in ports:
        if port.get("port") == _PORTS[0] or port.get("name") == _PORTS[1]:
            return str(port.get("name") or "")
    return None


def _selects(selector: t.Mapping[str, str], labels: t.Mapping[str, str]) -> bool:
    return bool(selector) and all(labels.get(name) == value for name, value in selector.items())


def _dict(value: t.Any) -> Obj:
    return value if isinstance(value, dict) else {}
