# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs without a suffix, as modules."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import pathlib
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load(path: str) -> t.Any:
    """The module of a program of the project; path: from the clone's root. Leaves no bytecode beside it."""
    place = ROOT / path
    loader = importlib.machinery.SourceFileLoader(place.name.replace("-", "_"), str(place))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
    return module
