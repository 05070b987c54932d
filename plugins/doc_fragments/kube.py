# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules of group kube reach a cluster."""

from __future__ import annotations


class ModuleDocFragment:
    """Connection options, the same names and environment variables as kubernetes.core's."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig file, several separated by C(:), or the content as a dictionary.
      - Without it, and without O(host), a pod's service account is used where there is one, else E(KUBECONFIG), else
        C(~/.kube/config).
      - Can be set by E(K8S_AUTH_KUBECONFIG).
    type: raw
  context:
    description:
      - Context of the kubeconfig; its current one by default. Can be set by E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description:
      - Address of the API server, V(https://name:port). Wins over the kubeconfig's. Can be set by E(K8S_AUTH_HOST).
    type: str
  api_key:
    description:
      - Bearer token. Wins over the kubeconfig's. Can be set by E(K8S_AUTH_API_KEY).
    type: str
  ca_cert:
    description:
      - Path of the CA certificate (PEM) of the API server. Can be set by E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description:
      - Path of a client certificate (PEM). Can be set by E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - Path of the client certificate's key (PEM). Can be set by E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  validate_certs:
    description:
      - Whether the API server's certificate is checked; V(true) unless the kubeconfig says otherwise.
      - Can be set by E(K8S_AUTH_VERIFY_SSL).
    type: bool
    aliases: [verify_ssl]
  proxy:
    description:
      - An V(http://[user:password@]host:port) proxy, used by C(CONNECT). Without it the kubeconfig's C(proxy-url), else
        E(HTTPS_PROXY). Can be set by E(K8S_AUTH_PROXY).
    type: str
  no_proxy:
    description:
      - Hosts, domains and networks, separated by commas, for which E(HTTPS_PROXY) does not count; E(NO_PROXY) by default.
        Can be set by E(K8S_AUTH_NO_PROXY).
    type: str
notes:
  - Where the task runs on the controller itself (connection C(local), no become, no async), the work is done inside the
    controller's own process, which saves 0.3 s a task. Arguments, results and errors are the same either way.
  - The Python package C(kubernetes) is needed only for kubeconfigs with C(exec) or C(auth-provider) logins.
requirements:
  - python >= 3.11
  - PyYAML >= 5.4
  - Kubernetes >= 1.30
"""
