# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the real kube-state-metrics exports of evidence, with the configuration and no more rights than the role brings."""

from __future__ import annotations

import re
import socket
import subprocess
import time
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from evidence import HOUR, ROLE, Place

from lab import builds

CONFIG = ROLE / "files" / "kube-state-metrics" / "evidence.yaml"
LINE = re.compile(r"^(enclii_evidence\w+)\{(.*)\} (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
Sample = tuple[str, dict[str, str], float]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Exporter:
    """kube-state-metrics as a process, with the login of one service account."""

    def __init__(self, place: Place, home: Path, account: str) -> None:
        self._port, self._log = _free_port(), home / "kube-state-metrics.log"
        program = builds.place("kube-state-metrics") / "kube-state-metrics"
        if not program.exists():
            pytest.skip("kube-state-metrics is not built")
        argv = [
            str(program), "--kubeconfig", str(place.login_as(account, home / f"{account}.json")),
            "--custom-resource-state-config-file", str(CONFIG), "--custom-resource-state-only=true",
            "--host", "127.0.0.1", "--port", str(self._port),
            "--telemetry-host", "127.0.0.1", "--telemetry-port", str(_free_port()),
        ]  # fmt: skip
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=home)
        self._namespace = place.namespace

    def samples(self) -> list[Sample]:
        """(metric, labels, value) of everything it exports of evidence in this namespace."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, OSError):
            return []
        found = [(name, dict(LABEL.findall(labels)), float(value)) for name, labels, value in LINE.findall(text)]
        return [one for one in found if one[1]["namespace"] == self._namespace]

    def until(self, holds: t.Callable[[list[Sample]], bool]) -> list[Sample]:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self._process.poll() is None:
            found = self.samples()
            if holds(found):
                return found
            time.sleep(0.2)
        raise AssertionError(f"{self.samples()}\n{self._log.read_text()[-3000:]}")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def exporter(place: Place, tmp_path: Path) -> t.Iterator[Exporter]:
    place.bind("clusterrole", "enclii-evidence-metrics", "kube-state-metrics")
    running = Exporter(place, tmp_path, "kube-state-metrics")
    yield running
    running.stop()


def of(samples: list[Sample], metric: str, **labels: str) -> list[float]:
    return [value for name, found, value in samples if name == metric and labels.items() <= found.items()]


def test_everything_an_alert_needs(place: Place, exporter: Exporter) -> None:
    text = {"--from-literal=inventory=lab", "--from-literal=uid=u-1"}
    place.server.kubectl("create", "configmap", "enclii-cluster", "-n", place.namespace, *text)
    place.write("PASS", 1, subject="enclii-dev")
    place.write("FAIL", 2, subject="enclii-staging")
    place.write("UNKNOWN", 3, subject='odd "subject"', kind="access")
    place.write("PASS", 30, subject="enclii-production")  # it counted for 24 hours
    samples = exporter.until(lambda found: len(of(found, "enclii_evidence_expires_timestamp_seconds")) == 4)

    now = place.clock.now.timestamp()
    hour = HOUR.total_seconds()
    for labels, verdict, ended in (
        ({"kind": "network-probe", "subject": "enclii-dev"}, "PASS", now - hour),
        ({"kind": "network-probe", "subject": "enclii-staging"}, "FAIL", now - 2 * hour),
        ({"kind": "access", "subject": 'odd \\"subject\\"'}, "UNKNOWN", now - 3 * hour),
        ({"kind": "network-probe", "subject": "enclii-production"}, "PASS", now - 30 * hour),
    ):
        for one in ("PASS", "FAIL", "UNKNOWN"):
            assert of(samples, "enclii_evidence_verdict", verdict=one, **labels) == [float(one == verdict)], labels
        assert of(samples, "enclii_evidence_ended_timestamp_seconds", **labels) == [ended]
        (expires,) = of(samples, "enclii_evidence_expires_timestamp_seconds", **labels)
        assert expires == ended + 24 * hour and (expires <= now) == (labels["subject"] == "enclii-production")
        assert of(samples, "enclii_evidence_info", inventory="lab", cluster="u-1", collection="1.0.0", **labels) == [
            1.0
        ]

    # no two series are the same, which Prometheus would refuse
    series = [(name, tuple(sorted(labels.items()))) for name, labels, _value in samples]
    assert len(set(series)) == len(series) == 4 * 6


def test_the_newest_of_several_is_found_by_its_end(place: Place, exporter: Exporter) -> None:
    place.write("PASS", 5)
    exporter.until(lambda found: of(found, "enclii_evidence_verdict", verdict="PASS") == [1.0])
    place.write("FAIL", 1)
    samples = exporter.until(lambda found: len(of(found, "enclii_evidence_ended_timestamp_seconds")) == 2)
    ends = {
        labels["name"]: value for name, labels, value in samples if name == "enclii_evidence_ended_timestamp_seconds"
    }
    newest = max(ends, key=lambda name: ends[name])
    assert of(samples, "enclii_evidence_verdict", name=newest, verdict="FAIL") == [1.0]
    assert of(samples, "enclii_evidence_verdict", name=newest, verdict="PASS") == [0.0]
    # retention takes the series along
    place.write("PASS", 0, keep=1)
    samples = exporter.until(lambda found: len(of(found, "enclii_evidence_info")) == 1)
    assert of(samples, "enclii_evidence_verdict", verdict="PASS") == [1.0]


def test_without_the_role_nothing_is_exported(place: Place, tmp_path: Path) -> None:
    """The role is what makes it work, and not something that the login of a test brings."""
    place.write("PASS", 1)
    running = Exporter(place, tmp_path, "somebody")
    try:
        deadline = time.monotonic() + 15
        while "forbidden" not in (tmp_path / "kube-state-metrics.log").read_text() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert "customresourcedefinitions" in (tmp_path / "kube-state-metrics.log").read_text()
        assert running.samples() == []
    finally:
        running.stop()
