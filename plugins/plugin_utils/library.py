# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""module_utils, imported by Python's own loader.

Ansible's loader keeps no bytecode: it would compile thousands of lines anew in every run, 80 ms for module_utils/kube alone. What is
loaded here is another module, with other classes, than what the collection's own import path yields: an action uses one of them.
Filters load inside their functions, since Ansible loads all filters of a collection in every process that uses one.
"""

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
