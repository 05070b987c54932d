# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""module_utils/sealing, imported by Python's own loader, which keeps bytecode; see kube_library.py."""

from __future__ import annotations

import importlib
import pathlib
import sys
import types
import typing as t

_NAME = "enclii_platform_library"
_PLACE = pathlib.Path(__file__).resolve().parent.parent / "module_utils"


def load(name: str) -> t.Any:
    """One module below module_utils, "sealing.seal_front"; those that it imports come by the same loader."""
    if _NAME not in sys.modules:
        package = types.ModuleType(_NAME)
        package.__path__ = [str(_PLACE)]
        sys.modules[_NAME] = package
    return importlib.import_module(f"{_NAME}.{name}")
