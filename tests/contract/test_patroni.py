# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role patroni hands over: pods, Patroni's configuration, certificates and account belong together."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

Obj = dict[str, Any]


@pytest.fixture(scope="session")
def objects(rendered: dict[str, Any]) -> dict[tuple[str, str], Obj]:
    return {(one["kind"], one["metadata"]["name"]): one for one in rendered["patroni"]["objects"]}


@pytest.fixture(scope="session")
def pod(objects: dict[tuple[str, str], Obj]) -> Obj:
    return dict(objects["StatefulSet", "postgres"]["spec"]["template"])


@pytest.fixture(scope="session")
def configuration(objects: dict[tuple[str, str], Obj]) -> Obj:
    return dict(yaml.safe_load(objects["ConfigMap", "postgres-patroni"]["data"]["patroni.yml"]))


def test_patroni_would_not_lower_the_timings(configuration: Obj) -> None:
    dcs = configuration["bootstrap"]["dcs"]
    assert dcs["loop_wait"] + 2 * dcs["retry_timeout"] <= dcs["ttl"]
    assert dcs["failsafe_mode"] is True


def test_labels_of_pods_are_what_services_budget_and_patroni_select(
    objects: dict[tuple[str, str], Obj], pod: Obj, configuration: Obj
) -> None:
    labels = pod["metadata"]["labels"]
    assert labels[configuration["kubernetes"]["scope_label"]] == configuration["scope"]
    assert configuration["kubernetes"]["labels"].items() <= labels.items()
    for kind, name in (("Service", "postgres"), ("Service", "postgres-ro"), ("Service", "postgres-pods")):
        selector = {key: value for key, value in objects[kind, name]["spec"]["selector"].items() if key != "role"}
        assert selector.items() <= labels.items()
    assert objects["PodDisruptionBudget", "postgres"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert (
        objects["Service", "postgres"]["spec"]["selector"]["role"] == configuration["kubernetes"]["leader_label_value"]
    )
    assert "role" not in labels, "only Patroni says who is what"


def test_every_mount_has_its_volume_and_every_secret_its_certificate(
    objects: dict[tuple[str, str], Obj], pod: Obj
) -> None:
    claims = {one["metadata"]["name"] for one in objects["StatefulSet", "postgres"]["spec"]["volumeClaimTemplates"]}
    volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
    mounted = {mount["name"] for container in pod["spec"]["containers"] for mount in container["volumeMounts"]}
    assert mounted == {*volumes, *claims}
    certificates = {one["spec"]["secretName"] for (kind, _name), one in objects.items() if kind == "Certificate"}
    assert {one["secret"]["secretName"] for one in volumes.values() if "secret" in one} <= certificates


def test_only_patroni_has_a_token(pod: Obj) -> None:
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert [
        one["name"] for one in pod["spec"]["containers"] if "token" in {mount["name"] for mount in one["volumeMounts"]}
    ] == ["postgres"]


def test_pods_are_locked_up(pod: Obj) -> None:
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    for one in pod["spec"]["containers"]:
        assert one["securityContext"]["readOnlyRootFilesystem"] is True, one["name"]
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}, one["name"]


def test_probes_ask_patroni_alone(pod: Obj) -> None:
    main = next(one for one in pod["spec"]["containers"] if one["name"] == "postgres")
    assert main["livenessProbe"]["httpGet"]["path"] == "/liveness"
    assert main["livenessProbe"]["terminationGracePeriodSeconds"] < 10
    assert main["readinessProbe"]["httpGet"]["path"].startswith("/readiness?lag=")


def test_the_certificate_has_the_names_that_members_and_clients_use(
    objects: dict[tuple[str, str], Obj], pod: Obj
) -> None:
    names = objects["Certificate", "postgres-server"]["spec"]["dnsNames"]
    main = next(one for one in pod["spec"]["containers"] if one["name"] == "postgres")
    address = next(one["value"] for one in main["env"] if one["name"] == "PATRONI_POSTGRESQL_CONNECT_ADDRESS")
    assert "*" + address.removeprefix("$(PATRONI_NAME)").rpartition(":")[0] in names
    assert {"postgres.enclii-data.svc", "postgres-ro.enclii-data.svc"} <= set(names)


def test_the_superuser_comes_in_by_its_socket_alone(configuration: Obj) -> None:
    assert configuration["postgresql"]["authentication"]["superuser"] == {"username": "postgres"}
    hba = configuration["bootstrap"]["dcs"]["postgresql"]["pg_hba"]
    network = [line.split() for line in hba if not line.startswith("local")]
    first = next(
        line for line in network if "postgres" in line[2].split(",") or (line[2] == "all" and line[1] == "all")
    )
    assert first[-1] == "reject"
    assert hba[-1] == "host all all all reject"
    assert all(line[0] == "hostssl" for line in network if line[-1] != "reject")


def test_claims_are_there_before_their_pods_and_may_grow(objects: dict[tuple[str, str], Obj]) -> None:
    stateful = objects["StatefulSet", "postgres"]["spec"]
    claims = {name for kind, name in objects if kind == "PersistentVolumeClaim"}
    assert claims == {f"data-postgres-{number}" for number in range(stateful["replicas"])}
    assert stateful["updateStrategy"] == {"type": "OnDelete"}
    assert stateful["podManagementPolicy"] == "Parallel"


def test_the_account_reaches_pods_and_state_by_name_alone(objects: dict[tuple[str, str], Obj]) -> None:
    rules = objects["Role", "postgres"]["rules"]
    assert [rule["verbs"] for rule in rules if "resourceNames" not in rule] == [
        ["create", "list", "watch"],
        ["get", "list", "watch"],
    ]
    verbs = {verb for rule in rules for verb in rule["verbs"]}
    assert verbs == {"create", "get", "list", "patch", "watch"}
