# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One piece of evidence: what it looks like, what is wrong with it, and what is left out of it."""

from __future__ import annotations

import json
import re
import typing as t
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import jinja2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.evidence import copies, objects
from ansible_collections.enclii.platform.plugins.module_utils.evidence.errors import EvidenceError
from ansible_collections.enclii.platform.plugins.module_utils.evidence.objects import record, slug
from ansible_collections.enclii.platform.plugins.module_utils.kube.front import VERSION

ROLE = Path(__file__).resolve().parents[4] / "roles" / "baseline"
STARTED = datetime(2026, 11, 23, 4, 5, 1, 250000, UTC)
Obj = dict[str, t.Any]


def one(**more: t.Any) -> Obj:
    given = {
        "kind": "network-probe", "subject": "enclii-dev", "verdict": "PASS", "started": STARTED,
        "ended": STARTED + timedelta(seconds=9), "valid_for": timedelta(hours=24), "random": lambda size: b"\xab" * size,
    }  # fmt: skip
    return record(**{**given, **more})


def problem(**more: t.Any) -> EvidenceError:
    with pytest.raises(EvidenceError) as caught:
        one(**more)
    return caught.value


def definition() -> Obj:
    text = (ROLE / "templates" / "resources" / "20-evidence-kind.yaml.j2").read_text(encoding="utf-8")
    return t.cast("Obj", yaml.safe_load(jinja2.Template(text).render()))


def spec_schema() -> Obj:
    schema = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return t.cast("Obj", schema["properties"]["spec"])


def test_object() -> None:
    made = one(
        figures={"seconds": 8.5, "pairs": 900},
        versions={"kubernetes": "v1.36.3"},
        findings=["a"],
        details={"b": [1, None]},
    )
    assert made == {
        "apiVersion": "enclii.dev/v1",
        "kind": "Evidence",
        "metadata": {
            "name": "network-probe-enclii-dev-20261123t040510250-abababab",
            "labels": {
                "evidence.enclii.dev/kind": "network-probe",
                "evidence.enclii.dev/subject": "enclii-dev",
                "app.kubernetes.io/managed-by": "enclii-evidence",
                "app.kubernetes.io/part-of": "enclii",
            },
        },
        "spec": {
            "kind": "network-probe",
            "subject": "enclii-dev",
            "verdict": "PASS",
            "started": "2026-11-23T04:05:01.250000Z",
            "ended": "2026-11-23T04:05:10.250000Z",
            "expires": "2026-11-24T04:05:10.250000Z",
            "figures": {"seconds": 8.5, "pairs": 900},
            "versions": {"kubernetes": "v1.36.3"},
            "findings": ["a"],
            "details": {"b": [1, None]},
            "collection": VERSION,
        },
    }


def test_times_of_any_zone_become_utc() -> None:
    east = STARTED.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert one(started=east)["spec"]["started"] == "2026-11-23T04:05:01.250000Z"


def test_names_sort_by_time_and_differ() -> None:
    names = [
        one(ended=STARTED + timedelta(milliseconds=step), random=bytes)["metadata"]["name"]
        for step in (0, 1, 999, 1000, 86400000)
    ]
    assert names == sorted(names) and len(set(names)) == 5
    assert record(**_arguments())["metadata"]["name"] != record(**_arguments())["metadata"]["name"]


def _arguments() -> Obj:
    return {
        "kind": "a", "subject": "b", "verdict": "FAIL", "started": STARTED, "ended": STARTED, "valid_for": timedelta(hours=1),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"kind": "Network probe"}, "its kind is no DNS label of at most 40 characters"),
        ({"kind": "a" * 41}, "its kind is no DNS label"),
        ({"subject": ""}, "its subject is no printable text of 1 to 253 characters"),
        ({"subject": "a\nb"}, "its subject is no printable text"),
        ({"verdict": "OK"}, "its verdict is 'OK' and none of PASS, FAIL, UNKNOWN"),
        ({"started": STARTED.replace(tzinfo=None)}, "its times have no time zone"),
        ({"ended": STARTED - timedelta(seconds=1)}, "it ended before it started"),
        ({"valid_for": timedelta(0)}, "it would never count"),
        ({"valid_for": timedelta(hours=10**9)}, "it would count for more than 3653 days"),
        ({"figures": {"seconds": float("nan")}}, "figures.seconds is no finite number"),
        ({"figures": {"seconds": True}}, "figures.seconds is no finite number"),
        ({"figures": {"seconds": "1"}}, "figures.seconds is no finite number"),
        ({"figures": {"a b": 1}}, "figures: 'a b' is no name"),
        ({"figures": {f"f{number}": 1 for number in range(65)}}, "figures has 65 entries, and 64 are kept"),
        ({"versions": {"a": "x" * 254}}, "versions.a is no text of at most 253 characters"),
        ({"versions": {"a": 1.5}}, "versions.a is no text"),
        ({"details": {"a": object()}}, "its details are no JSON"),
        ({"details": {"a": float("inf")}}, "its details are no JSON"),
    ],
)
def test_what_is_wrong(more: Obj, words: str) -> None:
    error = problem(**more)
    assert words in error.cause and error.reason == "invalid" and error.next_step == "Correct what writes it"


def test_everything_wrong_at_once() -> None:
    cause = problem(kind="", verdict="", figures={"a": None}).cause
    assert cause.count(";") == 2 and "kind" in cause and "verdict" in cause and "figures.a" in cause


def test_what_is_left_out_is_said() -> None:
    spec = one(findings=["x" * 2000, *map(str, range(300))], details={"big": "y" * 70000})["spec"]
    assert len(spec["findings"]) == 200 and len(spec["findings"][0]) == 1024 and spec["findings"][0].endswith("x…")
    assert spec["findings"][-2:] == ["197", "and 102 more, which are not kept here"]
    assert spec["details"] == {"left_out": "70010 bytes, and at most 65536 are kept here"}
    many = one(details={str(number): 1 for number in range(1001)})["spec"]["details"]
    assert many == {"left_out": "1001 entries, and at most 1000 are kept here"}


@given(st.text(min_size=1, max_size=253))
def test_slug_is_a_label_and_a_part_of_a_name(subject: str) -> None:
    made = slug(subject)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", made)
    assert len("a" * 40 + "-" + made + "-20261123t040501250-abababab") <= 253


def test_slugs_of_different_subjects_differ() -> None:
    subjects = ["enclii-dev", "enclii-Dev", "enclii/dev", "enclii dev", "-enclii-dev", "x" * 60, "x" * 61, "ä", "ö"]
    assert len({slug(subject) for subject in subjects}) == len(subjects)
    assert slug("enclii-dev") == "enclii-dev"


def test_bounds_are_those_of_the_schema() -> None:
    bounds = spec_schema()["properties"]
    assert bounds["subject"]["maxLength"] == objects.MAX_SUBJECT
    assert bounds["verdict"]["enum"] == list(objects.VERDICTS)
    assert bounds["findings"]["maxItems"] == objects.MAX_FINDINGS
    assert bounds["findings"]["items"]["maxLength"] == objects.MAX_TEXT
    assert bounds["versions"]["additionalProperties"]["maxLength"] == objects.MAX_VERSION
    assert {bounds[name]["maxProperties"] for name in ("figures", "versions")} == {objects.MAX_PAIRS}
    assert bounds["details"]["maxProperties"] == objects.MAX_DETAIL_NAMES
    assert f"{objects.PLURAL}.{objects.GROUP}" == definition()["metadata"]["name"]
    assert set(one()["spec"]) | {"inventory", "cluster"} == set(bounds)
    for name in ("started", "ended", "expires"):
        text = one()["spec"][name]
        assert re.search(bounds[name]["pattern"], text) and len(text) <= bounds[name]["maxLength"]


def test_metrics_read_what_the_schema_has() -> None:
    config = yaml.safe_load((ROLE / "files" / "kube-state-metrics" / "evidence.yaml").read_text(encoding="utf-8"))
    (resource,) = config["spec"]["resources"]
    assert resource["groupVersionKind"] == {"group": objects.GROUP, "version": objects.VERSION, "kind": objects.KIND}
    paths = [*resource["labelsFromPath"].values()]
    for metric in resource["metrics"]:
        (kind,) = [name for name in metric["each"] if name != "type"]
        inner = metric["each"][kind]
        paths += [inner["path"]] if "path" in inner else [*inner["labelsFromPath"].values()]
        if kind == "stateSet":
            assert inner["list"] == list(objects.VERDICTS)
    assert {path[1] for path in paths if path[0] == "spec"} <= set(spec_schema()["properties"])
    assert all(path[0] == "spec" or path in (["metadata", "name"], ["metadata", "namespace"]) for path in paths)


def test_copy_in_a_bucket() -> None:
    made = one(subject="enclii-production/orders")
    made["metadata"] |= {"namespace": "enclii-system", "uid": "u", "managedFields": [{}], "resourceVersion": "7"}
    digest = slug("enclii-production/orders")[-8:]
    name = f"network-probe-enclii-production-orders-{digest}-20261123t040510250-abababab.json"
    assert copies.key(made) == f"no-inventory/network-probe/enclii-production-orders-{digest}/{name}"
    made["spec"]["inventory"] = "prod"
    assert copies.key(made).startswith("prod/network-probe/")
    kept = json.loads(copies.content(made))
    assert set(kept["metadata"]) == {"name", "namespace", "uid", "labels"} and kept["spec"] == made["spec"]
