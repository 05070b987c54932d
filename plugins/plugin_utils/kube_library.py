# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""module_utils/kube, imported by Python's own loader.

Ansible's loader keeps no bytecode: it would compile the library's four thousand lines anew in every run, 80 ms.
"""

from __future__ import annotations

import importlib
import importlib.util
import pathlib
import sys
import typing as t

_NAME = "enclii_platform_kube"
_PLACE = pathlib.Path(__file__).resolve().parent.parent / "module_utils" / "kube"


def load(name: str) -> t.Any:
    """One module of the library."""
    if _NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            _NAME, _PLACE / "__init__.py", submodule_search_locations=[str(_PLACE)]
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"{_PLACE} is no package")
        package = importlib.util.module_from_spec(spec)
        sys.modules[_NAME] = package
        spec.loader.exec_module(package)
    return importlib.import_module(f"{_NAME}.{name}")
