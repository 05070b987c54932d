# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the lab: `python -m lab up|down|status|build|clean|kill|start`."""

from __future__ import annotations

import argparse
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

from . import builds, images, nodes, packages
from .core import CACHE, LabError, default_name, main_guard, say, step
from .state import Lab


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab", description="A real Kubernetes cluster's machines on this one.")
    parser.add_argument("--name", default=default_name(), help="name of the lab (LAB_NAME; by default of this clone)")
    verbs = parser.add_subparsers(dest="verb", required=True)
    start_up = verbs.add_parser("up", help="build what is missing and boot the nodes")
    start_up.add_argument("--workers", type=int, default=int(os.environ.get("LAB_WORKERS", "3")))
    verbs.add_parser("build", help="only build programs and images")
    verbs.add_parser("down", help="remove the lab; its caches stay")
    verbs.add_parser("status", help="what runs")
    verbs.add_parser("clean", help="remove the caches; a lab that is up loses its registry")
    for verb, text in (("kill", "stop a node as a power cut does"), ("start", "start a stopped node")):
        verbs.add_parser(verb, help=text).add_argument("node")
    arguments = parser.parse_args()
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?", arguments.name):
        raise LabError(
            f"LAB_NAME {arguments.name!r} must be 1 to 30 of a-z, 0-9 and -: it names containers and networks"
        )
    if arguments.verb == "up" and arguments.workers not in range(1, 13):
        raise LabError(f"LAB_WORKERS is {arguments.workers}; it must be 1 to 12")
    return arguments


def build() -> None:
    with step("lab build"):
        packages.ensure()
        # Debian's part waits for the network and the disk while the compilers have the cores.
        with ThreadPoolExecutor() as pool:
            systems = pool.map(lambda make: make(), (images.bases, images.node_image))
            builds.ensure()
            list(systems)
        images.ensure_registry()


def clean() -> None:
    shutil.rmtree(CACHE, ignore_errors=True)
    for image in nodes.podman("images", "-q", "--filter", "reference=localhost/enclii-lab/*").split():
        nodes.podman("rmi", "--force", image)
    say(f"removed {CACHE}")


def one_node(name: str, verb: str, node: str) -> None:
    lab = Lab.load(name)
    if lab is None or node not in lab.nodes:
        raise LabError(f"no node {node} in lab {name}: see `make lab-status`")
    if verb == "kill":
        nodes.podman("kill", lab.container(node))
    else:
        nodes.start_node(lab, node, nodes.containers(lab))
        nodes.wait_for_node(lab, node)


def main() -> int:
    arguments = parse()
    match arguments.verb:
        case "build":
            build()
        case "up":
            build()
            with step(f"lab {arguments.name} up"):
                nodes.up(arguments.name, arguments.workers)
        case "down":
            nodes.down(arguments.name)
        case "status":
            return nodes.status(arguments.name)
        case "clean":
            clean()
        case verb:
            one_node(arguments.name, verb, arguments.node)
    return 0


if __name__ == "__main__":
    main_guard(main)
