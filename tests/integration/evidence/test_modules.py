# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""evidence and evidence_info as users run them, inside the controller and as modules, and the copies on a real S3 server."""

from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime

import objectstore
import pytest
from evidence import ENVIRON, HOUR, Place, Play

from ansible_collections.enclii.platform.plugins.module_utils.evidence import front
from ansible_collections.enclii.platform.plugins.module_utils.evidence.store import EvidenceError

# become makes it an ordinary module run of its own process; without it, it runs inside the controller.
WAYS: dict[str, dict[str, t.Any]] = {
    "in process": {},
    "as a module": {"become": True, "become_method": "ansible.builtin.su"},
}
Obj = dict[str, t.Any]


@pytest.fixture(scope="module")
def bucket() -> t.Iterator[objectstore.ObjectStore]:
    reason = objectstore.missing()
    if reason:
        pytest.skip(reason)
    running = objectstore.ObjectStore("evidence")
    try:
        yield running.start()
    finally:
        running.stop()


def options(bucket: objectstore.ObjectStore, place: Place) -> Obj:
    return {**bucket.options, "prefix": place.namespace}


def task(name: str, register: str, way: Obj, **arguments: t.Any) -> Obj:
    return {"name": register, f"enclii.platform.{name}": arguments, "register": register, **way}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_play(place: Place, play: Play, bucket: objectstore.ObjectStore, way: Obj) -> None:
    space = place.namespace
    wanted = {"namespace": space, "kind": "restore-drill", "subject": "orders", "keep": 1, "s3": options(bucket, place)}
    failed = {**wanted, "verdict": "FAIL", "findings": ["row counts differ"], "ended": "2026-11-23T04:00:00Z"}
    results = play.run(
        [
            {
                **task("evidence", "r_check", way, **wanted, verdict="PASS", figures={"seconds": 2.5}),
                "check_mode": True,
            },
            task(
                "evidence_info",
                "r_none",
                way,
                namespace=space,
                expected=[{"kind": "restore-drill", "subject": "orders"}],
            ),
            task("evidence", "r_failed", way, **failed),
            task(
                "evidence",
                "r_passed",
                way,
                **wanted,
                verdict="PASS",
                figures={"seconds": 2.5},
                details={"rows": [1, 2]},
            ),
            task("evidence_info", "r_info", way, namespace=space, require=True),
        ]
    )
    assert [results[name]["changed"] for name in results] == [False] * 5
    check, none = results["r_check"], results["r_none"]
    assert check["evidence"]["spec"]["figures"] == {"seconds": 2.5} and check["deleted"] == []
    assert [
        place.startswith(f"s3://evidence/{space}/no-inventory/restore-drill/orders/") for place in check["copied"]
    ] == [True]
    assert none["installed"] and [one["state"] for one in none["states"]] == ["UNKNOWN"]
    assert none["failing"] == ["restore-drill of orders: UNKNOWN, there is no evidence of it"]
    assert results["r_passed"]["deleted"] == [results["r_failed"]["evidence"]["metadata"]["name"]]
    assert "managedFields" not in results["r_passed"]["evidence"]["metadata"]
    (live,) = place.there()
    assert live["spec"] == results["r_passed"]["evidence"]["spec"] and live["spec"]["details"] == {"rows": [1, 2]}
    (state,) = results["r_info"]["states"]
    assert state["state"] == "PASS" and results["r_info"]["failing"] == []
    kept = [path for path in bucket.objects() if f"/{space}/" in str(path)]
    assert len(kept) == 2 and json.loads(kept[-1].read_text())["spec"] == live["spec"]
    assert bucket.secret_key not in play.output


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_require_names_everything_at_once(place: Place, play: Play, way: Obj) -> None:
    place.clock.now = datetime.now(UTC)  # as the modules see it
    place.write("FAIL", subject="enclii-dev", findings=["cart reaches the database"])
    place.write("PASS", subject="enclii-staging")
    expected = [{"kind": "access", "subject": "enclii-production"}]
    info = task("evidence_info", "r_info", way, namespace=place.namespace, expected=expected, require=True)
    play.run([{**info, "ignore_errors": True}])
    assert "access of enclii-production: UNKNOWN, there is no evidence of it" in play.output
    assert (
        "network-probe of enclii-dev: FAIL, cart reaches the database" in play.output
        and "enclii-staging" not in play.output
    )


def info(place: Place, **more: t.Any) -> Obj:
    given = {
        "kubeconfig": str(place.server.kubeconfig),
        "namespace": place.namespace,
        "kinds": [],
        "expected": [],
        "require": False,
    }
    return front.evidence_info({**given, **more}, ENVIRON, clock=place.clock)


def test_nothing_at_all_is_no_pass(place: Place) -> None:
    assert info(place) == {"changed": False, "installed": True, "states": [], "failing": []}
    with pytest.raises(EvidenceError, match="there is no evidence at all, and none is no pass"):
        info(place, require=True)
    place.write("PASS")
    assert info(place, require=True)["failing"] == []
    with pytest.raises(EvidenceError, match="no evidence at all"):
        info(place, require=True, kinds=["access"])
    # what is expected is not lost behind the kinds that are looked at
    drill = [{"kind": "restore-drill", "subject": "orders"}]
    with pytest.raises(EvidenceError, match="restore-drill of orders: UNKNOWN, there is no evidence of it"):
        info(place, require=True, kinds=["network-probe"], expected=drill)
    place.write("PASS", kind="restore-drill", subject="orders")
    place.write("FAIL", kind="restore-drill", subject="carts")
    states = info(place, require=True, kinds=["network-probe"], expected=drill)["states"]
    assert [(one["kind"], one["subject"]) for one in states] == [
        ("network-probe", "enclii-dev"), ("restore-drill", "orders"),
    ]  # fmt: skip
    place.clock.now += 24 * HOUR
    with pytest.raises(EvidenceError, match="network-probe of enclii-dev: UNKNOWN, it said PASS and expired"):
        info(place, require=True)


def evidence(place: Place, check: bool = False, **more: t.Any) -> Obj:
    given = {
        "kubeconfig": str(place.server.kubeconfig), "namespace": place.namespace, "state": "written", "kind": "drill",
        "subject": "s", "verdict": "PASS", "started": None, "ended": None, "valid_for": 1, "figures": {}, "versions": {},
        "findings": [], "details": {}, "keep": 10, "s3": None,
    }  # fmt: skip
    return front.evidence({**given, **more}, ENVIRON, check=check, clock=place.clock)


def test_check_mode_predicts(place: Place) -> None:
    for age in (3, 2):
        place.write("FAIL", age, kind="drill", subject="s")
    oldest = place.store.objects()[0]["metadata"]["name"]
    told = evidence(place, check=True, keep=2)
    assert told["deleted"] == [oldest] and len(place.there()) == 2
    assert evidence(place, keep=2)["deleted"] == [oldest]
    with pytest.raises(EvidenceError, match="kind and verdict are missing"):
        evidence(place, kind=None, verdict=None)
    with pytest.raises(EvidenceError, match="'today' is no time with a zone"):
        evidence(place, started="today")
    with pytest.raises(EvidenceError, match=r"Copies of evidence: they have no place\. Give s3"):
        evidence(place, state="copied")


def test_what_others_have_written_is_copied_once(place: Place, bucket: objectstore.ObjectStore) -> None:
    for age in (3, 2):
        place.write("FAIL", age)
    place.write("PASS", kind="access")
    s3 = options(bucket, place)
    foretold = evidence(place, check=True, state="copied", s3=s3)["copied"]
    assert len(foretold) == 3
    assert evidence(place, state="copied", s3=s3) == {"changed": False, "copied": foretold}
    for check in (True, False):
        assert evidence(place, check=check, state="copied", s3=s3)["copied"] == []
    place.write("PASS", 1)
    assert len(evidence(place, state="copied", s3=s3)["copied"]) == 1


def test_a_copy_that_failed_is_made_up_for(place: Place, bucket: objectstore.ObjectStore) -> None:
    s3 = options(bucket, place)
    with pytest.raises(EvidenceError) as caught:
        evidence(place, s3={**s3, "secret_key": "canary-wrong"})
    assert caught.value.reason == "copy" and "the secret key does not fit" in caught.value.cause
    assert "it stays in the cluster" in caught.value.next_step and "canary" not in str(caught.value)
    assert len(place.there()) == 1
    assert len(evidence(place, s3=s3)["copied"]) == 2


def test_what_retention_deletes_is_copied_first(place: Place, bucket: objectstore.ObjectStore) -> None:
    s3 = options(bucket, place)
    evidence(place, verdict="FAIL")
    place.clock.now += HOUR
    with pytest.raises(EvidenceError, match="cannot be copied"):
        evidence(place, keep=1, s3={**s3, "secret_key": "canary-wrong"})
    assert len(place.there()) == 2  # nothing goes that is nowhere else
    place.clock.now += HOUR
    foretold = evidence(place, check=True, keep=1, s3=s3)
    assert (len(foretold["copied"]), len(foretold["deleted"])) == (3, 2)
    told = evidence(place, keep=1, s3=s3)
    assert (len(told["copied"]), len(told["deleted"])) == (3, 2)
    assert len(place.there()) == 1


def test_copies_outlive_the_cluster(place: Place, bucket: objectstore.ObjectStore) -> None:
    evidence(place, s3=options(bucket, place), figures={"write_gap_seconds": 21.5})
    name = place.there()[0]["metadata"]["name"]
    place.server.kubectl("delete", "evidence", "--all", "-n", place.namespace)
    (kept,) = [path for path in bucket.objects() if path.name == f"{name}.json"]
    assert json.loads(kept.read_text())["spec"]["figures"] == {"write_gap_seconds": 21.5}
