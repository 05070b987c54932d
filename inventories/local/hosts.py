#!/usr/bin/env python3
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory of the lab that is up: nodes by SSH on loopback ports, and this machine as the platform's controller."""

from __future__ import annotations

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from lab.core import default_name
from lab.inventory import inventory
from lab.state import Lab

lab = Lab.load(default_name())
if lab is None:
    sys.exit(f"the lab {default_name()} is not up: run `make lab-up`, or name another one with LAB_NAME")
json.dump(inventory(lab), sys.stdout)
