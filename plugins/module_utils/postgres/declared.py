# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory declares of databases and roles, as a model; all that is wrong with it is in one error.

An application named orders is a database orders, its owner orders, who cannot log in, and two roles that can, orders_a and orders_b. They
act as the owner, so whatever one of them makes belongs to the owner. Its Secret says by which one the application logs in at the moment;
of the other one neither password nor expiry is ours, since a rotation may be at work there.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .errors import DatabaseError

PASSWORD, USERNAME = "password", "username"  # items of a Secret; the second may be missing
MAINTENANCE = "postgres"
LONGEST = 63  # bytes of a name
LENGTH = 40  # of a password that is made
TABLES = ("select", "insert", "update", "delete", "truncate", "references", "trigger")
SEQUENCES = ("usage", "select", "update")
ROUTINES = ("execute",)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?")
_NOT_SET = ("role", "session_authorization", "is_superuser")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TO_THE_SERVER = ("pg_execute_server_program", "pg_read_server_files", "pg_write_server_files")
Obj = Mapping[str, t.Any]
Setting: t.TypeAlias = "str | tuple[str, ...]"
Secrets: t.TypeAlias = (
    "Mapping[tuple[str, str], Mapping[str, bytes] | None]"  # (namespace, name) -> its items; None where there is none
)


@dataclass(frozen=True)
class Source:
    """Where a password comes from."""

    namespace: str
    name: str
    item: str = PASSWORD

    @property
    def secret(self) -> tuple[str, str]:
        return self.namespace, self.name

    def __str__(self) -> str:
        return f"Secret {self.namespace}/{self.name}"


@dataclass(frozen=True)
class Role:
    """login, valid_until: "" where it is not ours to say. password: where it comes from; None that there shall be none; "" as above.

    valid_until: UTC as 2027-01-31T00:00:00Z, None for ever. members: who else is in it, None where that is not ours to say.
    """

    name: str
    login: bool | t.Literal[""] = False
    password: Source | t.Literal[""] | None = None
    valid_until: str | None = None
    connection_limit: int = -1
    settings: Mapping[str, Setting] = field(default_factory=dict)
    member_of: tuple[str, ...] = ()
    members: tuple[str, ...] | None = None
    replication: bool = False
    bypassrls: bool = False
    absent: bool = False
    heir: str = ""  # of an absent role: who owns what it owned; "" for the owner of the database


@dataclass(frozen=True)
class Schema:
    name: str
    owner: str
    absent: bool = False
    implied: bool = False  # nobody named it: where it is missing it stays so


@dataclass(frozen=True)
class Extension:
    """schema, version: "" where the server chooses, or may keep what it has."""

    name: str
    schema: str = ""
    version: str = ""
    absent: bool = False


@dataclass(frozen=True)
class Grant:
    """What a role may do in some schemas of a database, now and with what comes later. To connect and to look inside goes with it."""

    role: str
    schemas: tuple[str, ...]
    rights: Mapping[str, tuple[str, ...]]  # tables, sequences, routines -> rights
    create: bool = False
    temporary: bool = False


@dataclass(frozen=True)
class Database:
    name: str
    logins: tuple[str, str]
    secret: Source
    connection_limit: int = -1
    schemas: tuple[Schema, ...] = ()
    extensions: tuple[Extension, ...] = ()
    grants: tuple[Grant, ...] = ()
    absent: bool = False
    purge: bool = False

    @property
    def owner(self) -> str:
        return self.name


@dataclass(frozen=True)
class Wanted:
    databases: tuple[Database, ...]
    roles: tuple[Role, ...]

    def secrets(self) -> list[tuple[str, str]]:
        """(namespace, name) of every Secret that holds a password."""
        found = {one.secret.secret for one in self.databases if not one.absent}
        roles = [one for one in self.roles if not one.absent]
        return sorted(found | {one.password.secret for one in roles if isinstance(one.password, Source)})

    def declarations(self) -> list[dict[str, t.Any]]:
        """These Secrets as components declare theirs, for playbooks/secrets.yml."""
        asked = [(one.secret, one.name) for one in self.databases if not one.absent]
        asked += [(one.password, one.name) for one in self.roles if isinstance(one.password, Source) and not one.absent]
        out: dict[tuple[str, str], dict[str, t.Any]] = {}
        for source, consumer in asked:
            new = {"name": source.name, "namespace": source.namespace, "consumers": [], "keys": []}
            found = out.setdefault(source.secret, new)
            found["consumers"].append(consumer)
            if source.item not in [key["name"] for key in found["keys"]]:
                found["keys"].append({"name": source.item, "generator": "random", "length": LENGTH})
        return list(out.values())


def declared(
    databases: Sequence[Obj], roles: Sequence[Obj], environments: Sequence[str] = (), reserved: Sequence[str] = ()
) -> Wanted:
    """databases, roles: as module databases takes them. reserved: roles that are not the inventory's. Raises DatabaseError."""
    reader = _Reader(environments, reserved)
    made = tuple(reader.database(one) for one in databases)
    plain = tuple(reader.role(one) for one in roles)
    of_applications = tuple(
        role for one, raw in zip(made, databases, strict=True) for role in reader.application(one, raw)
    )
    wanted = Wanted(made, (*of_applications, *plain))
    reader.together(wanted)
    if reader.findings:
        raise DatabaseError(
            "The declared databases and roles", "; ".join(reader.findings), "Nothing was changed. Mend the inventory"
        )
    return wanted


def settled(wanted: Wanted, secrets: Secrets, *, check: bool = False) -> tuple[list[Role], dict[str, str]]:
    """(roles as they shall be now, role -> password): the Secrets say by which of its roles an application logs in.

    check: a Secret that is not there yet is no error; its role's password is not among those returned. Raises DatabaseError.
    """
    findings: list[str] = []
    active: dict[str, Source] = {}
    for one in wanted.databases:
        if not one.absent:
            name = _active(one, secrets.get(one.secret.secret), findings)
            active[name] = one.secret
    out: list[Role] = []
    passwords: dict[str, str] = {}
    logins = {login for one in wanted.databases for login in one.logins}
    for role in wanted.roles:
        if role.name in active:
            role = _with(role, login=True, password=active[role.name])
        elif role.name in logins and not role.absent:
            role = _with(role, login="", password="", valid_until="")
        out.append(role)
        if isinstance(role.password, Source) and not role.absent:
            _password(role.name, role.password, secrets.get(role.password.secret), check, passwords, findings)
    if findings:
        step = "Nothing was changed. playbooks/secrets.yml makes what is missing"
        raise DatabaseError("The passwords of databases", "; ".join(findings), step, reason="secret")
    return out, passwords


def _with(role: Role, **fields: t.Any) -> Role:
    return Role(**{**role.__dict__, **fields})


def _active(one: Database, items: Mapping[str, bytes] | None, findings: list[str]) -> str:
    name = (items or {}).get(USERNAME, one.logins[0].encode()).decode("utf-8", "replace")
    if name not in one.logins:
        findings.append(f"{one.secret}, item {USERNAME}: neither {one.logins[0]} nor {one.logins[1]}")
        return one.logins[0]
    return name


def _password(
    role: str, source: Source, items: Mapping[str, bytes] | None, check: bool, passwords: dict[str, str], findings: list[str]
) -> None:  # fmt: skip
    about = f"{source}, item {source.item}"
    if items is None or source.item not in items:
        if not check:
            findings.append(f"{about}: not there, and role {role} needs it")
        return
    try:
        text = items[source.item].decode("utf-8")
    except UnicodeDecodeError:
        findings.append(f"{about}: no UTF-8 text")
        return
    if not text:
        findings.append(f"{about}: empty")
    elif _CONTROL.search(text):
        findings.append(f"{about}: has a control character, as of a line's end")
    else:
        passwords[role] = text


class _Reader:
    """Reads one after the other and collects what is wrong."""

    def __init__(self, environments: Sequence[str], reserved: Sequence[str]) -> None:
        self._environments, self._reserved = environments, frozenset(reserved)
        self.findings: list[str] = []

    def database(self, raw: Obj) -> Database:
        name = str(raw.get("name") or "")
        about = f"database {name}"
        self._name(name, about, longest=LONGEST - 2)
        if name in (MAINTENANCE, "template0", "template1"):
            self._wrong(about, "belongs to the server itself")
        absent = raw.get("state") == "absent"
        purge = str(raw.get("purge") or "")
        if purge and (purge != name or not absent):
            self._wrong(about, "purge removes it with all it holds, and takes its name, with state absent")
        return Database(
            name,
            (f"{name}_a", f"{name}_b"),
            self._source(raw, raw.get("secret") or {}, f"{name}-database", about, absent),
            self._limit(raw, about),
            self._schemas(raw.get("schemas") or [], name, about),
            self._extensions(raw.get("extensions") or [], about),
            tuple(self._grant(one, about) for one in raw.get("privileges") or []),
            absent,
            bool(purge),
        )

    def application(self, one: Database, raw: Obj) -> Iterable[Role]:
        """Its owner and its two logins."""
        about = f"database {one.name}, login"
        given = raw.get("login") or {}
        for name in (one.name, *one.logins):
            self._role_name(name, f"role {name}")
        settings = self._settings(given.get("settings") or {}, about)
        until = self._moment(given.get("valid_until"), about)
        limit = self._limit(given, about)
        yield Role(one.name, members=one.logins, absent=one.absent and one.purge)
        for name in one.logins:
            yield Role(
                name, "", "", "" if given.get("valid_until") is None else until, limit, {**settings, "role": one.name}, (one.name,),
                absent=one.absent, heir=one.name,
            )  # fmt: skip

    def role(self, raw: Obj) -> Role:
        name = str(raw.get("name") or "")
        about = f"role {name}"
        self._role_name(name, about)
        login, absent = bool(raw.get("login")), raw.get("state") == "absent"
        secret = raw.get("secret")
        if secret and not login:
            self._wrong(about, "has a secret and does not log in")
        groups = tuple(str(one) for one in raw.get("member_of") or [])
        for group in set(groups) & set(_TO_THE_SERVER):
            self._wrong(about, f"member_of {group} would be the server's files and programs, and with them everything")
        return Role(
            name, login, self._source({}, secret, "", about, absent) if secret else None, self._moment(raw.get("valid_until"), about),
            self._limit(raw, about), self._settings(raw.get("settings") or {}, about), groups,
            replication=bool(raw.get("replication")), bypassrls=bool(raw.get("bypassrls")), absent=absent,
        )  # fmt: skip

    def together(self, wanted: Wanted) -> None:
        """What is wrong with all of it although each one is well."""
        for kind, names in (
            ("database", [one.name for one in wanted.databases]),
            ("role", [one.name for one in wanted.roles]),
        ):
            self.findings += [
                f"{kind} {name}: declared {count} times" for name, count in Counter(names).items() if count > 1
            ]
        roles = {one.name: one for one in wanted.roles if not one.absent}
        for role in wanted.roles:
            for group in role.member_of:
                if group not in roles and not group.startswith("pg_") and not role.absent:
                    self._wrong(f"role {role.name}", f"member_of {group}, which is not declared")
            if self._circle(role.name, roles):
                self._wrong(f"role {role.name}", "is a member of itself, through others")
        for one in wanted.databases:
            if not one.absent:
                self._inside(one, roles)

    def _inside(self, one: Database, roles: Mapping[str, Role]) -> None:
        """What a database says of roles and schemas that nobody declares."""
        about = f"database {one.name}"
        known = {schema.name for schema in one.schemas if not schema.absent}
        for schema in one.schemas:
            if schema.owner not in roles:
                self._wrong(about, f"schema {schema.name}: its owner {schema.owner} is not declared")
        for extension in one.extensions:
            if extension.schema and extension.schema not in known and not extension.absent:
                self._wrong(about, f"extension {extension.name}: schema {extension.schema} is not declared")
        for grant in one.grants:
            if grant.role in (one.owner, *one.logins):
                self._wrong(about, f"privileges of {grant.role}: it owns everything, or acts as who does")
            elif grant.role not in roles:
                self._wrong(about, f"privileges of {grant.role}: this role is not declared")
            for name in set(grant.schemas) - known:
                self._wrong(about, f"privileges of {grant.role}: schema {name} is not declared")
        pairs = Counter((grant.role, name) for grant in one.grants for name in grant.schemas)
        self.findings += [
            f"{about}: privileges of {role} in schema {name} twice" for (role, name), n in pairs.items() if n > 1
        ]

    def _circle(self, name: str, roles: Mapping[str, Role]) -> bool:
        seen: set[str] = set()
        ahead = list(roles[name].member_of) if name in roles else []
        while ahead:
            one = ahead.pop()
            if one not in seen and one in roles:
                seen.add(one)
                ahead += roles[one].member_of
        return name in seen

    def _wrong(self, about: str, what: str) -> None:
        self.findings.append(f"{about}: {what}")

    def _name(self, name: str, about: str, longest: int = LONGEST) -> None:
        if not name:
            self._wrong(about, "has no name")
        elif _CONTROL.search(name):
            self._wrong(f"{about!r}", "a control character in a name")
        elif len(name.encode("utf-8", "surrogatepass")) > longest:
            self._wrong(about, f"its name has more than {longest} bytes")

    def _role_name(self, name: str, about: str) -> None:
        self._name(name, about)
        if name.startswith("pg_") or name in ("public", "none"):
            self._wrong(about, "PostgreSQL keeps this name for itself")
        elif name in self._reserved:
            self._wrong(about, "the cluster itself uses this role")

    def _source(self, raw: Obj, secret: Obj, name: str, about: str, absent: bool) -> Source:
        """Of a database, raw is what names its environment; a role says it in the secret."""
        namespace = str(secret.get("namespace") or raw.get("namespace") or "")
        if not namespace and len(self._environments) == 1:
            namespace = self._environments[0]
        found = Source(namespace, str(secret.get("name") or name), str(secret.get("item") or PASSWORD))
        if absent:
            return found
        if not _LABEL.fullmatch(namespace):
            self._wrong(
                about, "namespace: in which one is its Secret?" if not namespace else f"{namespace} is no namespace"
            )
        if not _LABEL.fullmatch(found.name):
            self._wrong(about, f"{found.name!r} is no name of a Secret; give secret.name")
        return found

    def _limit(self, raw: Obj, about: str) -> int:
        limit = raw.get("connection_limit")
        limit = -1 if limit is None else int(limit)
        if not -1 <= limit <= 262143:
            self._wrong(about, f"connection_limit {limit}: -1 for none, or 0 to 262143")
        return limit

    def _moment(self, given: t.Any, about: str) -> str | None:
        text = str(given if given is not None else "infinity").strip()
        if text == "infinity":
            return None
        try:
            moment = datetime.fromisoformat(text)
            if len(text) == len("2027-01-31"):
                moment = moment.replace(tzinfo=UTC)
            if moment.tzinfo is None:
                raise ValueError
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        except (ValueError, OverflowError):
            self._wrong(
                about, f"valid_until {text!r}: a date, a time with its zone such as 2027-01-31T04:00:00Z, or infinity"
            )
            return None

    def _settings(self, given: Obj, about: str) -> dict[str, Setting]:
        out: dict[str, Setting] = {}
        for name, value in given.items():
            if not _SETTING.fullmatch(str(name)) or str(name).lower() in _NOT_SET:
                self._wrong(about, f"settings: {name!r} cannot be set")
            elif isinstance(value, list | tuple):
                out[str(name).lower()] = tuple(map(str, value))
            elif isinstance(value, bool):
                out[str(name).lower()] = "on" if value else "off"
            elif isinstance(value, str | int | float):
                out[str(name).lower()] = str(value)
            else:
                self._wrong(about, f"settings: {name} has no value")
        return out

    def _schemas(self, given: Sequence[Obj], owner: str, about: str) -> tuple[Schema, ...]:
        out = [
            Schema(str(one.get("name") or ""), str(one.get("owner") or owner), one.get("state") == "absent")
            for one in given
        ]
        for one in out:
            self._name(one.name, f"{about}, schema {one.name}")
            if one.name.startswith("pg_") or one.name == "information_schema":
                self._wrong(about, f"schema {one.name}: PostgreSQL keeps this name for itself")
        self.findings += [
            f"{about}: schema {name} twice" for name, n in Counter(one.name for one in out).items() if n > 1
        ]
        # what PUBLIC may do there is nobody's wish, so it is declared whether or not somebody does
        return tuple(out) if any(one.name == "public" for one in out) else (Schema("public", owner, implied=True), *out)

    def _extensions(self, given: Sequence[Obj], about: str) -> tuple[Extension, ...]:
        out = [
            Extension(
                str(one.get("name") or ""),
                str(one.get("schema") or ""),
                str(one.get("version") or ""),
                one.get("state") == "absent",
            )
            for one in given
        ]
        for one in out:
            self._name(one.name, f"{about}, extension {one.name}")
        self.findings += [
            f"{about}: extension {name} twice" for name, n in Counter(one.name for one in out).items() if n > 1
        ]
        return tuple(out)

    def _grant(self, raw: Obj, about: str) -> Grant:
        role = str(raw.get("role") or "")
        if not role:
            self._wrong(about, "privileges without a role")
        rights = {}
        for kind, known in (("tables", TABLES), ("sequences", SEQUENCES), ("routines", ROUTINES)):
            rights[kind] = tuple(dict.fromkeys(str(one).lower() for one in raw.get(kind) or []))
            for one in rights[kind]:
                if one not in known:
                    self._wrong(about, f"privileges of {role}: {kind} know no {one!r}, only {', '.join(known)}")
        given = raw.get("schemas")
        schemas = ("public",) if given is None else tuple(dict.fromkeys(map(str, given)))
        if not schemas and (any(rights.values()) or raw.get("create")):
            self._wrong(about, f"privileges of {role}: in no schema")
        return Grant(role, schemas, rights, bool(raw.get("create")), bool(raw.get("temporary")))
