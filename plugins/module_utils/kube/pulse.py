# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that lives says so: an annotation of an object that it has made changes every few seconds. A killed one says nothing any more."""

from __future__ import annotations

import threading
import typing as t
from datetime import datetime

from .client import MERGE_PATCH, Client
from .errors import ApiError, KubeError


class Beating:
    """Beats in a thread of its own, once it is told to and until it is stopped.

    path: of the object; beat: name of the annotation; period: seconds between two beats.
    """

    def __init__(self, client: Client, path: str, beat: str, period: float) -> None:
        self._client, self._path, self._beat, self._period = client, path, beat, period
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go, name="pulse", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _go(self) -> None:
        number = 0
        while not self._stop.wait(self._period):
            number += 1
            try:
                body = {"metadata": {"annotations": {self._beat: str(number)}}}
                self._client.request("PATCH", self._path, None, body, content_type=MERGE_PATCH)
            except (ApiError, KubeError):
                continue  # the run itself meets the same server, and says what is wrong with it


def last_written(obj: t.Mapping[str, t.Any]) -> datetime:
    """When an object was written last, by the server's clock."""
    about = obj["metadata"]
    times = [one["time"] for one in about.get("managedFields") or [] if one.get("time")]
    return max(datetime.fromisoformat(one) for one in [*times, about["creationTimestamp"]])
