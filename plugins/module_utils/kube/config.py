# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From connection arguments, kubeconfig or a pod's service account to a Login.

The official client takes 0.6 s to import, so it is loaded only for logins that need a program or a
token exchange (exec plugins, auth providers), and only to obtain the credentials.
"""

from __future__ import annotations

import base64
import dataclasses
import os
import typing as t

from .errors import ConfigError
from .manifests import load_yaml

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
# The names kubernetes.core reads from the environment, so that one setting serves both collections.
ENVIRONMENT = {
    "host": "K8S_AUTH_HOST",
    "api_key": "K8S_AUTH_API_KEY",
    "kubeconfig": "K8S_AUTH_KUBECONFIG",
    "context": "K8S_AUTH_CONTEXT",
    "ca_cert": "K8S_AUTH_SSL_CA_CERT",
    "client_cert": "K8S_AUTH_CERT_FILE",
    "client_key": "K8S_AUTH_KEY_FILE",
    "validate_certs": "K8S_AUTH_VERIFY_SSL",
    "proxy": "K8S_AUTH_PROXY",
    "no_proxy": "K8S_AUTH_NO_PROXY",
}


@dataclasses.dataclass
class Login:
    """How to reach one API server and as whom.

    server:      https://host:port[/prefix]
    ca, client_cert, client_key: PEM as bytes, or None
    token_file:  read again when it is a minute old or was refused (bound tokens rotate)
    origin:      where this came from, for messages ("kubeconfig /x, context y")
    """

    server: str
    ca: bytes | None = None
    verify: bool = True
    client_cert: bytes | None = None
    client_key: bytes | None = None
    token: str | None = None
    token_file: str | None = None
    basic: str | None = None
    tls_server_name: str | None = None
    proxy: str | None = None
    headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    origin: str = ""


def load_login(params: t.Mapping[str, t.Any], environ: t.Mapping[str, str]) -> Login:
    """Explicit arguments win over the kubeconfig's, which is used when named; else in-cluster, else the default one."""
    given = {name: params.get(name) for name in ENVIRONMENT}
    for name, variable in ENVIRONMENT.items():
        if given[name] is None and environ.get(variable):
            given[name] = environ[variable]
    if isinstance(given["validate_certs"], str):
        given["validate_certs"] = given["validate_certs"].lower() not in ("no", "false", "0", "off")

    if given["kubeconfig"] or given["context"]:
        login = _from_kubeconfig(given["kubeconfig"], given["context"], environ)
    elif given["host"]:
        login = Login(server="", origin=f"host {given['host']}")
    elif environ.get("KUBERNETES_SERVICE_HOST") and os.path.exists(SERVICE_ACCOUNT + "/token"):
        login = _in_cluster(environ)
    else:
        login = _from_kubeconfig(None, None, environ)
    _override(login, given)
    if not login.server:
        raise ConfigError(
            f"Login ({login.origin})", "no API server address", "Set host, or a kubeconfig with a cluster"
        )
    if not login.server.startswith(("https://", "http://")):
        login.server = "https://" + login.server
    login.server = login.server.rstrip("/")
    if not login.proxy:
        login.proxy = _proxy_from(environ, login.server, given["no_proxy"])
    return login


def _override(login: Login, given: t.Mapping[str, t.Any]) -> None:
    if given["host"]:
        login.server = str(given["host"])
    if given["api_key"]:
        login.token, login.token_file, login.basic = str(given["api_key"]), None, None
    if given["ca_cert"]:
        login.ca = _read(given["ca_cert"], "ca_cert")
    if given["client_cert"]:
        login.client_cert = _read(given["client_cert"], "client_cert")
    if given["client_key"]:
        login.client_key = _read(given["client_key"], "client_key")
    if given["validate_certs"] is not None:
        login.verify = bool(given["validate_certs"])
    if given["proxy"]:
        login.proxy = str(given["proxy"])


def _in_cluster(environ: t.Mapping[str, str]) -> Login:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    host = f"[{host}]" if ":" in host else host
    return Login(
        server=f"https://{host}:{port}",
        ca=_read(SERVICE_ACCOUNT + "/ca.crt", "service account CA"),
        token_file=SERVICE_ACCOUNT + "/token",
        origin="the pod's service account",
    )


def _from_kubeconfig(source: t.Any, context: str | None, environ: t.Mapping[str, str]) -> Login:
    if isinstance(source, dict):
        config, base, name = source, os.getcwd(), "kubeconfig given as a dictionary"
    else:
        config, base, name = _read_files(source, environ)
    wanted = context or config.get("current-context")
    if not wanted:
        raise ConfigError(name, "it has no current-context", "Name one with the argument context")
    ctx = _named(config, "contexts", "context", wanted, name)
    cluster = _named(config, "clusters", "cluster", ctx.get("cluster"), name)
    user = _named(config, "users", "user", ctx["user"], name) if ctx.get("user") else {}
    login = Login(
        server=cluster.get("server") or "",
        ca=_data_or_file(cluster, "certificate-authority", base, name),
        verify=not cluster.get("insecure-skip-tls-verify"),
        tls_server_name=cluster.get("tls-server-name"),
        proxy=cluster.get("proxy-url"),
        client_cert=_data_or_file(user, "client-certificate", base, name),
        client_key=_data_or_file(user, "client-key", base, name),
        token=user.get("token"),
        token_file=os.path.join(base, user["tokenFile"]) if user.get("tokenFile") else None,
        origin=f"{name}, context {wanted}",
    )
    if user.get("username"):
        login.basic = base64.b64encode(f"{user['username']}:{user.get('password', '')}".encode()).decode()
    _impersonate(login, user)
    if user.get("exec") or user.get("auth-provider"):
        _ask_official_client(login, config, wanted, base)
    return login


def _impersonate(login: Login, user: t.Mapping[str, t.Any]) -> None:
    for key, header in (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid")):
        if user.get(key):
            login.headers.append((header, str(user[key])))
    login.headers += [("Impersonate-Group", str(group)) for group in user.get("as-groups") or []]


def _read_files(source: t.Any, environ: t.Mapping[str, str]) -> tuple[dict[str, t.Any], str, str]:
    """Merge as kubectl does: the first file that names a thing wins. Relative paths count from the file."""
    listed = str(source) if source else environ.get("KUBECONFIG") or os.path.join(_home(environ), ".kube", "config")
    paths = [os.path.expanduser(p) for p in listed.split(os.pathsep) if p]
    found = [p for p in paths if os.path.exists(p)]
    if not found:
        raise ConfigError(f"kubeconfig {listed}", "there is no such file", "Set kubeconfig to an existing file")
    merged: dict[str, t.Any] = {}
    for path in found:
        try:
            with open(path, "rb") as handle:
                content = load_yaml(handle.read())
        except OSError as error:
            raise ConfigError(f"kubeconfig {path}", str(error.strerror), "Make it readable for this user") from error
        except ValueError as error:
            raise ConfigError(f"kubeconfig {path}", f"it is not YAML: {error}", "Repair the file") from error
        if not isinstance(content, dict):
            raise ConfigError(f"kubeconfig {path}", "it is not a kubeconfig", "Give a file of kind Config")
        _absolute(content, os.path.dirname(os.path.abspath(path)))
        for key in ("clusters", "contexts", "users"):
            names = {entry.get("name") for entry in merged.setdefault(key, [])}
            merged[key] += [entry for entry in content.get(key) or [] if entry.get("name") not in names]
        if content.get("current-context"):
            merged.setdefault("current-context", content["current-context"])
    return merged, os.path.dirname(os.path.abspath(found[0])), "kubeconfig " + os.pathsep.join(found)


def _absolute(config: dict[str, t.Any], base: str) -> None:
    for listing, inner, keys in (
        ("clusters", "cluster", ("certificate-authority",)),
        ("users", "user", ("client-certificate", "client-key", "tokenFile")),
    ):
        for entry in config.get(listing) or []:
            body = entry.get(inner) or {}
            for key in keys:
                if body.get(key):
                    body[key] = os.path.join(base, body[key])


def _named(config: dict[str, t.Any], listing: str, inner: str, wanted: t.Any, name: str) -> dict[str, t.Any]:
    entries = config.get(listing) or []
    for entry in entries:
        if entry.get("name") == wanted:
            return entry.get(inner) or {}
    known = ", ".join(str(entry.get("name")) for entry in entries) or "none"
    raise ConfigError(name, f"it has no {inner} named {wanted!r}", f"Known: {known}")


def _data_or_file(body: t.Mapping[str, t.Any], key: str, base: str, name: str) -> bytes | None:
    if body.get(key + "-data"):
        try:
            return base64.b64decode(body[key + "-data"], validate=False)
        except ValueError as error:
            raise ConfigError(name, f"{key}-data is not base64", "Repair the kubeconfig") from error
    if body.get(key):
        return _read(os.path.join(base, body[key]), key)
    return None


def _read(path: t.Any, what: str) -> bytes:
    try:
        with open(os.path.expanduser(str(path)), "rb") as handle:
            return handle.read()
    except OSError as error:
        raise ConfigError(f"{what} {path}", str(error.strerror), "Give a readable file") from error


def _home(environ: t.Mapping[str, str]) -> str:
    return environ.get("HOME") or os.path.expanduser("~")


def _proxy_from(environ: t.Mapping[str, str], server: str, no_proxy: t.Any) -> str | None:
    scheme = server.split(":", 1)[0]
    proxy = environ.get(f"{scheme.upper()}_PROXY") or environ.get(f"{scheme}_proxy")
    if not proxy:
        return None
    host = server.split("://", 1)[1].split("/", 1)[0].rsplit(":", 1)[0].strip("[]")
    exempt = str(no_proxy or environ.get("NO_PROXY") or environ.get("no_proxy") or "")
    for item in (part.strip().lstrip("*").lstrip(".") for part in exempt.split(",") if part.strip()):
        if item in ("", host) or host.endswith("." + item) or _in_network(host, item):
            return None
    # As Go and curl have it: what is on this machine is never asked for through a proxy.
    return None if host in ("localhost", "::1") or host.startswith("127.") else proxy


def _in_network(host: str, item: str) -> bool:
    if "/" not in item:
        return False
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(item, strict=False)
    except ValueError:
        return False


def _ask_official_client(login: Login, config: dict[str, t.Any], context: str, base: str) -> None:
    try:
        from kubernetes import client as official_client
        from kubernetes.config import kube_config as official
    except ImportError as error:
        raise ConfigError(
            login.origin,
            "this login needs a program or a token exchange, which the Python package kubernetes does, and it is missing",
            "Install kubernetes >= 24.2.0 for the interpreter of this task, or use a token or client certificate",
        ) from error
    settings = official_client.Configuration()
    try:
        loader = official.KubeConfigLoader(config_dict=config, active_context=context, config_base_path=base)
        loader.load_and_set(settings)
        # The name of the entry changed between the client's versions.
        bearer = str(settings.api_key.get("BearerToken") or settings.api_key.get("authorization") or "")
    except Exception as error:
        raise ConfigError(
            login.origin, f"obtaining credentials failed: {error}", "Try kubectl with this context"
        ) from error
    if bearer.startswith("Bearer "):
        login.token = bearer[len("Bearer ") :]
    if settings.cert_file and not login.client_cert:
        login.client_cert = _read(settings.cert_file, "certificate of the exec plugin")
        login.client_key = _read(settings.key_file, "key of the exec plugin")
    if not login.token and not login.client_cert:
        raise ConfigError(login.origin, "the login program gave no credentials", "Try kubectl with this context")
