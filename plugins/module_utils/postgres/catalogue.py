# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live catalogue as a model, out of what enclii-databases prints in the leader's pod."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .declared import Wanted
from .errors import DatabaseError

Obj = dict[str, t.Any]
SINCE_OPTIONS = 160000  # memberships say whether they are inherited and may be set


class Right(t.NamedTuple):
    """One row of an access list. grantee: None is PUBLIC."""

    grantee: str | None
    privilege: str
    grantable: bool
    grantor: str


class Membership(t.NamedTuple):
    """other: the group of a member, or the member of a group. inherit, set: true where the server is too old to tell."""

    other: str
    grantor: str
    admin: bool
    inherit: bool
    set: bool


@dataclass(frozen=True)
class Role:
    name: str
    superuser: bool
    inherit: bool
    createrole: bool
    createdb: bool
    login: bool
    replication: bool
    bypassrls: bool
    connection_limit: int
    password: str | None = field(repr=False)
    valid_until: str | None
    settings: Mapping[str, str]
    member_of: tuple[Membership, ...]
    members: tuple[Membership, ...]
    databases: tuple[str, ...]
    needed_in: Mapping[str, str]  # databases where something is its own or grants it a right -> their owners


@dataclass(frozen=True)
class Schema:
    owner: str
    rights: tuple[Right, ...]
    objects: int


@dataclass(frozen=True)
class Extension:
    version: str
    schema: str
    relocatable: bool


@dataclass(frozen=True)
class Available:
    """schema: the one it insists on, or ""."""

    default: str
    versions: tuple[str, ...]
    schema: str


@dataclass(frozen=True)
class Group:
    """Objects of one kind in one schema with the same owner and the same access list. names: quoted by the server."""

    schema: str
    kind: str
    owner: str
    rights: tuple[Right, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Database:
    name: str
    owner: str
    connection_limit: int
    allow_connections: bool
    template: bool
    rights: tuple[Right, ...]
    schemas: Mapping[str, Schema]
    extensions: Mapping[str, Extension]
    owners: Mapping[str, int]
    groups: tuple[Group, ...]
    defaults: tuple[Group, ...]  # owner: whose objects to come; what a schema adds to the rest


@dataclass(frozen=True)
class Catalogue:
    version: int  # 170004
    roles: Mapping[str, Role]
    databases: Mapping[str, Database]
    available: Mapping[str, Available]  # extensions that can be installed


def request(wanted: Wanted) -> str:
    """What enclii-databases has to read, as it takes it."""
    databases = {
        one.name: {
            "schemas": [schema.name for schema in one.schemas],
            "objects": sorted({schema for grant in one.grants for schema in grant.schemas}),
        }
        for one in wanted.databases
    }
    return json.dumps({"roles": [one.name for one in wanted.roles], "databases": databases})


def catalogue(answer: str) -> Catalogue:
    """Raises DatabaseError where the answer is not one."""
    try:
        found = json.loads(answer)
        return Catalogue(
            int(found["version"]),
            {name: _role(name, one) for name, one in found["roles"].items()},
            {name: _database(name, one) for name, one in found["databases"].items()},
            {
                name: Available(str(one["default"]), tuple(one["versions"]), one["schema"] or "")
                for name, one in found["available"].items()
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        step = "The image of the pods and this collection do not fit: roll the pods out again"
        raise DatabaseError(
            "enclii-databases", f"its answer is not understood ({type(error).__name__})", step, reason="pod"
        ) from None


def fresh(name: str, owner: str) -> Database:
    """What CREATE DATABASE from template0 makes, before anything else is done to it."""
    rights = (
        *(Right(owner, one, False, owner) for one in ("connect", "create", "temporary")),
        *(Right(None, one, False, owner) for one in ("connect", "temporary")),
    )
    everybody = "pg_database_owner"
    public = (
        Right(everybody, "usage", False, everybody),
        Right(everybody, "create", False, everybody),
        Right(None, "usage", False, everybody),
    )
    return Database(name, owner, 0, True, False, rights, {"public": Schema(everybody, public, 0)}, {}, {}, (), ())


def parsed(settings: Iterable[str]) -> dict[str, str]:
    """name=value of pg_db_role_setting."""
    return dict(one.split("=", 1) for one in settings)


def identifiers(value: str) -> tuple[str, ...]:
    """A list as PostgreSQL keeps it, `public, "My schema"`, in its parts."""
    out, at, rest = [], 0, value.strip()
    while at < len(rest):
        if rest[at] == '"':
            part = ""
            at += 1
            while at < len(rest):
                if rest[at] == '"' and rest[at + 1 : at + 2] == '"':
                    part, at = part + '"', at + 2
                elif rest[at] == '"':
                    at += 1
                    break
                else:
                    part, at = part + rest[at], at + 1
            out.append(part)
            at = len(rest) if "," not in rest[at:] else rest.index(",", at) + 1
        else:
            end = len(rest) if "," not in rest[at:] else rest.index(",", at)
            out.append(rest[at:end].strip())
            at = end + 1
        while rest[at : at + 1] == " ":
            at += 1
    return tuple(out)


def _role(name: str, raw: Obj) -> Role:
    flags = ("superuser", "inherit", "createrole", "createdb", "login", "replication", "bypassrls")
    return Role(
        name=name,
        **{flag: bool(raw[flag]) for flag in flags},
        connection_limit=int(raw["connection_limit"]),
        password=raw["password"],
        valid_until=raw["valid_until"],
        settings=parsed(raw["settings"]),
        member_of=tuple(_membership(one, "role") for one in raw["member_of"]),
        members=tuple(_membership(one, "member") for one in raw["members"]),
        databases=tuple(raw["databases"]),
        needed_in=dict(raw["needed_in"]),
    )


def _membership(raw: Obj, other: str) -> Membership:
    return Membership(
        raw[other],
        raw["grantor"],
        bool(raw["admin_option"]),
        raw.get("inherit_option", True),
        raw.get("set_option", True),
    )


def _database(name: str, raw: Obj) -> Database:
    return Database(
        name, raw["owner"], int(raw["connection_limit"]), bool(raw["allow_connections"]), bool(raw["template"]), _rights(raw["acl"]),
        {one: Schema(found["owner"], _rights(found["acl"]), int(found["objects"])) for one, found in raw.get("schemas", {}).items()},
        {one: Extension(**found) for one, found in raw.get("extensions", {}).items()},
        {one: int(count) for one, count in raw.get("owners", {}).items()},
        tuple(_group(one) for one in raw.get("objects", [])),
        tuple(_group(one) for one in raw.get("defaults", [])),
    )  # fmt: skip


def _group(raw: Obj) -> Group:
    return Group(raw["schema"], raw["kind"], raw["owner"], _rights(raw["acl"]), tuple(raw.get("names", ())))


def _rights(raw: Sequence[Obj]) -> tuple[Right, ...]:
    return tuple(Right(one["grantee"], one["privilege"], bool(one["grantable"]), one["grantor"]) for one in raw)
