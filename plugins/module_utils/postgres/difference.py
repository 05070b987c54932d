# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is declared and what is there to the statements that make the one the other, in the order in which they can run.

Nothing is dropped that is not declared absent, and what an absent role owned stays and belongs to the database's owner. Rights on a
database and on its declared schemas are exactly those declared; on tables, sequences and routines those of the roles named in privileges.
"""

from __future__ import annotations

import enum
import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from . import catalogue as live
from . import declared as want
from . import scram
from .errors import DatabaseError

SOON = timedelta(days=14)  # an expiry so near is worth a word
HIDDEN = "********"
# Settings that are lists of names, kept with quotes of their own.
NAME_LISTS = (
    "search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries", "shared_preload_libraries",
    "unix_socket_directories",
)  # fmt: skip
DATABASE_OWNER = "pg_database_owner"
_MANY = {"tables": "TABLE", "sequences": "SEQUENCE", "routines": "ROUTINE"}


class Phase(enum.IntEnum):
    """What comes first. A run that was killed leaves a database closed (limit 0), or a login without its password; the next goes on."""

    ROLES = 0
    PASSWORDS = 1
    CREATE = 2
    DATABASES = 3
    INSIDE = 4
    OPEN = 5
    LEAVE = 6
    DROP = 7
    FORGET = 8


@dataclass(frozen=True)
class Change:
    """One statement, and what it changes. database: "" is the server's own. before, after: "" where there is none."""

    phase: Phase
    database: str
    subject: str
    what: str
    before: str
    after: str
    sql: str = field(repr=False)
    shown: str = ""

    @property
    def statement(self) -> str:
        """The statement as people may see it."""
        return self.shown or self.sql


@dataclass(frozen=True)
class Plan:
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]
    kept: tuple[str, ...]

    def groups(self) -> list[dict[str, t.Any]]:
        """As enclii-databases takes them."""
        out: list[dict[str, t.Any]] = []
        last: tuple[Phase, str] | None = None
        for one in self.changes:
            alone = one.phase in (Phase.CREATE, Phase.DROP)
            if alone or last != (one.phase, one.database):
                quiet = one.phase == Phase.PASSWORDS
                out.append({"database": one.database or None, "alone": alone, "quiet": quiet, "statements": []})
            out[-1]["statements"].append(one.sql)
            last = (one.phase, one.database)
        return out

    def change_at(self, group: int, statement: int) -> Change | None:
        """Which change a failure of enclii-databases means."""
        sizes = [len(one["statements"]) for one in self.groups()]
        at = sum(sizes[:group]) + statement
        return self.changes[at] if group < len(sizes) and at < len(self.changes) else None

    def diff(self) -> list[dict[str, str]]:
        """One for each subject, in Ansible's form."""
        out: dict[str, dict[str, str]] = {}
        for one in self.changes:
            texts = out.setdefault(
                one.subject, {"before": "", "after": "", "before_header": one.subject, "after_header": one.subject}
            )
            for side, value in (("before", one.before), ("after", one.after)):
                if value:
                    texts[side] += f"{one.what}: {value}\n"
        return list(out.values())


def name(text: str) -> str:
    """Quoted as an identifier."""
    return '"' + text.replace('"', '""') + '"'


def value(text: str) -> str:
    """Quoted as a string; the session has standard_conforming_strings on."""
    return "'" + text.replace("'", "''") + "'"


def plan(
    wanted: want.Wanted,
    roles: Sequence[want.Role],
    passwords: Mapping[str, str],
    found: live.Catalogue,
    now: datetime,
    random: Callable[[int], bytes],
) -> Plan:
    """roles, passwords: of declared.settled. random: so many bytes, for salts. Raises DatabaseError where what is there is in the way."""
    work = _Work(found, now, random)
    for role in roles:
        work.role(role, passwords.get(role.name))
    work.memberships(roles)
    for database in wanted.databases:
        work.database(database)
    purged = {one.name for one in wanted.databases if one.purge}
    for role in reversed(roles):
        if role.absent and role.name in found.roles:
            work.forget(role, found.roles[role.name], purged)
    if work.problems:
        step = "Nothing was changed. Mend it, or declare it otherwise"
        raise DatabaseError("The databases as they are", "; ".join(work.problems), step, reason="live")
    # a stable sort: within a phase of a database the order is the one in which things were asked for
    order = sorted(work.changes, key=lambda one: (one.phase, one.database))
    return Plan(tuple(order), tuple(work.warnings), tuple(work.kept))


class _Work:
    def __init__(self, found: live.Catalogue, now: datetime, random: Callable[[int], bytes]) -> None:
        self._found, self._now, self._random = found, now, random
        self.changes: list[Change] = []
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.kept: list[str] = []

    def _do(
        self, phase: Phase, database: str, subject: str, what: str, sql: str, before: str = "", after: str = "", shown: str = ""
    ) -> None:  # fmt: skip
        self.changes.append(Change(phase, database, subject, what, before, after, sql, shown))

    # -- roles ----------------------------------------------------------------------------------

    def role(self, role: want.Role, password: str | None) -> None:
        """Its attributes, settings and password."""
        if role.absent:
            return
        there = self._found.roles.get(role.name)
        wanted = {
            "SUPERUSER": False, "CREATEDB": False, "CREATEROLE": False, "INHERIT": True, "REPLICATION": role.replication,
            "BYPASSRLS": role.bypassrls,
        }  # fmt: skip
        if there is None or role.login != "":
            wanted["LOGIN"] = bool(role.login) or role.login == ""
        subject = f"role {role.name}"
        if there is None:
            attributes = [word if yes else f"NO{word}" for word, yes in wanted.items()]
            attributes += [f"CONNECTION LIMIT {role.connection_limit}"] if role.connection_limit != -1 else []
            attributes += [f"VALID UNTIL {value(role.valid_until)}"] if role.valid_until else []
            words = " ".join(attributes)
            self._do(
                Phase.ROLES, "", subject, "attributes", f"CREATE ROLE {name(role.name)} {words}", after=words.lower()
            )
        else:
            self._attributes(role, there, wanted)
        self._settings(role, there)
        self._password(role, password, there)
        self._expiry(role, there)

    def _attributes(self, role: want.Role, there: live.Role, wanted: Mapping[str, bool]) -> None:
        subject, quoted = f"role {role.name}", name(role.name)
        for word, yes in wanted.items():
            if getattr(there, word.lower()) != yes:
                sql = f"ALTER ROLE {quoted} {'' if yes else 'NO'}{word}"
                self._do(Phase.ROLES, "", subject, word.lower(), sql, "no" if yes else "yes", "yes" if yes else "no")
        limit = role.connection_limit
        if there.connection_limit != limit:
            sql = f"ALTER ROLE {quoted} CONNECTION LIMIT {limit}"
            self._do(Phase.ROLES, "", subject, "connection limit", sql, str(there.connection_limit), str(limit))
        if role.valid_until not in ("", there.valid_until):
            until = role.valid_until or "infinity"
            sql = f"ALTER ROLE {quoted} VALID UNTIL {value(until)}"
            self._do(Phase.ROLES, "", subject, "valid until", sql, there.valid_until or "infinity", until)

    def _settings(self, role: want.Role, there: live.Role | None) -> None:
        subject, quoted = f"role {role.name}", name(role.name)
        current = {key.lower(): text for key, text in (there.settings if there else {}).items()}
        for key, setting in role.settings.items():
            parts = _parts(key, setting)
            shown = ", ".join(parts)
            before = current.get(key)
            if before is None or (live.identifiers(before) if _is_list(key, setting) else (before,)) != parts:
                sql = f"ALTER ROLE {quoted} SET {'.'.join(map(name, key.split('.')))} = {', '.join(map(value, parts))}"
                self._do(Phase.ROLES, "", subject, key, sql, before or "", shown)
        for key in sorted(set(current) - set(role.settings)):
            sql = f"ALTER ROLE {quoted} RESET {'.'.join(map(name, key.split('.')))}"
            self._do(Phase.ROLES, "", subject, key, sql, current[key])

    def _password(self, role: want.Role, password: str | None, there: live.Role | None) -> None:
        if role.password == "":
            return
        subject, start = f"role {role.name}", f"ALTER ROLE {name(role.name)} PASSWORD"
        stored = there.password if there else None
        if role.password is None:
            if stored is not None:
                self._do(Phase.PASSWORDS, "", subject, "password", f"{start} NULL", "one that is not declared")
        elif password is None or not scram.matches(password, stored):
            made = scram.verifier(password, self._random) if password is not None else ""
            before = "another one" if stored else ""
            self._do(
                Phase.PASSWORDS, "", subject, "password", f"{start} {value(made)}", before, f"that of {role.password}",
                f"{start} {value(HIDDEN)}",
            )  # fmt: skip

    def _expiry(self, role: want.Role, there: live.Role | None) -> None:
        until = role.valid_until or (there.valid_until if there and role.valid_until == "" else None)
        if until and role.login and role.password:
            moment = _moment(until)
            if moment <= self._now:
                self.warnings.append(f"role {role.name}: its password has run out, {until}; nobody logs in by it.")
            elif moment - self._now < SOON:
                self.warnings.append(f"role {role.name}: its password runs out {until}.")

    def memberships(self, roles: Sequence[want.Role]) -> None:
        """Who is in what: of a declared role all it is in, of an owner all who are in it."""
        options = " WITH INHERIT TRUE, SET TRUE" if self._found.version >= live.SINCE_OPTIONS else ""
        pairs = {(role.name, group) for role in roles if not role.absent for group in role.member_of}
        gone = {role.name for role in roles if role.absent}
        revoked: set[tuple[str, str, str]] = set()
        for role in roles:
            there = self._found.roles.get(role.name)
            if role.absent:
                continue
            for one in there.member_of if there else ():
                if (role.name, one.other) not in pairs and one.other not in gone:
                    self._leave(role.name, one.other, one.grantor, revoked)
            for one in there.members if there and role.members is not None else ():
                if (one.other, role.name) not in pairs and one.other not in gone:
                    self._leave(one.other, role.name, one.grantor, revoked)
            for group in role.member_of:
                rows = [one for one in (there.member_of if there else ()) if one.other == group]
                for one in rows:
                    if one.admin:
                        sql = f"REVOKE ADMIN OPTION FOR {name(group)} FROM {name(role.name)}{self._by(one.grantor)} CASCADE"
                        self._do(Phase.ROLES, "", f"role {role.name}", f"may let others into {group}", sql, "yes", "no")
                if not any(one.inherit and one.set for one in rows):
                    before = "without its rights" if rows else ""
                    sql = f"GRANT {name(group)} TO {name(role.name)}{options}"
                    self._do(Phase.ROLES, "", f"role {role.name}", f"member of {group}", sql, before, "yes")

    def _leave(self, member: str, group: str, grantor: str, revoked: set[tuple[str, str, str]]) -> None:
        if (member, group, grantor) not in revoked:
            revoked.add((member, group, grantor))
            sql = f"REVOKE {name(group)} FROM {name(member)}{self._by(grantor)} CASCADE"
            self._do(Phase.ROLES, "", f"role {member}", f"member of {group}", sql, "yes")

    def _by(self, grantor: str) -> str:
        return f" GRANTED BY {name(grantor)}" if self._found.version >= live.SINCE_OPTIONS else ""

    # -- databases ------------------------------------------------------------------------------

    def database(self, one: want.Database) -> None:
        there = self._found.databases.get(one.name)
        subject, quoted = f"database {one.name}", name(one.name)
        if one.absent:
            self._absent(one, there)
            return
        if there is None:
            sql = f"CREATE DATABASE {quoted} OWNER {name(one.owner)} TEMPLATE template0 CONNECTION LIMIT 0"
            self._do(Phase.CREATE, "", subject, "owner", sql, after=one.owner)
            there = live.fresh(one.name, one.owner)
        if there.template or not there.allow_connections:
            what = "is a template" if there.template else "takes no connections (ALLOW_CONNECTIONS false)"
            self.problems.append(f"{subject}: {what}, which somebody has set")
            return
        rights: Iterable[live.Right] = there.rights
        if there.owner != one.owner:
            self._do(
                Phase.DATABASES,
                "",
                subject,
                "owner",
                f"ALTER DATABASE {quoted} OWNER TO {name(one.owner)}",
                there.owner,
                one.owner,
            )
            rights = _reowned(rights, there.owner, one.owner)
        wanted = {(one.owner, right) for right in ("connect", "create", "temporary")}
        for grant in one.grants:
            wanted |= {(grant.role, "connect")} | ({(grant.role, "temporary")} if grant.temporary else set())
        self._rights(Phase.DATABASES, "", subject, f"DATABASE {quoted}", wanted, rights, one.owner)
        self._inside(one, there)
        if there.connection_limit != one.connection_limit:
            sql = f"ALTER DATABASE {quoted} CONNECTION LIMIT {one.connection_limit}"
            self._do(
                Phase.OPEN, "", subject, "connection limit", sql, str(there.connection_limit), str(one.connection_limit)
            )

    def _absent(self, one: want.Database, there: live.Database | None) -> None:
        if there is None:
            return
        if one.purge:
            sql = f"DROP DATABASE {name(one.name)} WITH (FORCE)"
            self._do(Phase.DROP, "", f"database {one.name}", "owner", sql, there.owner)
        else:
            self.kept.append(f"database {one.name}")

    def _rights(
        self, phase: Phase, database: str, subject: str, target: str, wanted: set[tuple[str, str]], rights: Iterable[live.Right], owner: str
    ) -> None:  # fmt: skip
        """Exactly these rights on one thing. Whatever somebody granted further goes with the right to grant it."""
        rows = [one for one in rights if one.grantor == owner]
        have = {(one.grantee, one.privilege) for one in rows}
        options = {(one.grantee, one.privilege) for one in rows if one.grantable and one.grantee != owner}
        for words, verb, what, some in (
            ("REVOKE {0} ON {1} FROM {2} CASCADE", "revoke", "may {0} here", have - wanted),
            (
                "REVOKE GRANT OPTION FOR {0} ON {1} FROM {2} CASCADE",
                "revoke",
                "may let others {0} here",
                options & wanted,
            ),
            ("GRANT {0} ON {1} TO {2}", "grant", "may {0} here", wanted - have),
        ):
            for grantee, privileges in _by_grantee(some):
                sql = words.format(
                    ", ".join(privileges).upper(), target, "PUBLIC" if grantee is None else name(grantee)
                )
                text = f"{'PUBLIC' if grantee is None else grantee} {what.format(', '.join(privileges))}"
                self._do(
                    phase,
                    database,
                    subject,
                    text,
                    sql,
                    "yes" if verb == "revoke" else "no",
                    "no" if verb == "revoke" else "yes",
                )

    def _inside(self, one: want.Database, there: live.Database) -> None:
        asked = {schema for grant in one.grants for schema in grant.schemas} | {
            extension.schema for extension in one.extensions
        }
        for login in one.logins:
            if there.owners.get(login):
                sql = f"REASSIGN OWNED BY {name(login)} TO {name(one.owner)}"
                what = f"{there.owners[login]} objects of {login}"
                self._do(
                    Phase.INSIDE, one.name, f"database {one.name}", what, sql, f"owner {login}", f"owner {one.owner}"
                )
        for schema in one.schemas:
            if not schema.absent and not (
                schema.implied and schema.name not in there.schemas and schema.name not in asked
            ):
                self._schema(one, schema, there.schemas.get(schema.name))
        for extension in one.extensions:
            self._extension(one, extension, there.extensions.get(extension.name))
        for grant in one.grants:
            self._objects(one, grant, there)
        for schema in one.schemas:
            if schema.absent and schema.name in there.schemas:
                self._drop_schema(one, schema, there.schemas[schema.name])
        self._strangers(one, there)

    def _schema(self, one: want.Database, schema: want.Schema, there: live.Schema | None) -> None:
        subject, quoted = f"schema {schema.name} in {one.name}", name(schema.name)
        owner = schema.owner
        if there is None:
            sql = f"CREATE SCHEMA {quoted} AUTHORIZATION {name(owner)}"
            self._do(Phase.INSIDE, one.name, subject, "owner", sql, after=owner)
            rights: Iterable[live.Right] = [live.Right(owner, right, False, owner) for right in ("usage", "create")]
        else:
            # who owns the database owns public through the role that is named so
            owner = (
                DATABASE_OWNER if (schema.name, there.owner, owner) == ("public", DATABASE_OWNER, one.owner) else owner
            )
            rights = there.rights
            before = one.owner if there.owner in one.logins else there.owner  # REASSIGN has run by then
            if before != owner:
                sql = f"ALTER SCHEMA {quoted} OWNER TO {name(owner)}"
                self._do(Phase.INSIDE, one.name, subject, "owner", sql, there.owner, owner)
            if there.owner != owner:
                rights = _reowned(rights, there.owner, owner)
        wanted = {(owner, right) for right in ("usage", "create")}
        for grant in one.grants:
            if schema.name in grant.schemas:
                wanted |= {(grant.role, "usage")} | ({(grant.role, "create")} if grant.create else set())
        self._rights(Phase.INSIDE, one.name, subject, f"SCHEMA {quoted}", wanted, rights, owner)

    def _drop_schema(self, one: want.Database, schema: want.Schema, there: live.Schema) -> None:
        subject = f"schema {schema.name} in {one.name}"
        if there.objects:
            self.problems.append(
                f"{subject}: declared absent, and holds {there.objects} objects, which are not ours to drop"
            )
        else:
            self._do(Phase.INSIDE, one.name, subject, "owner", f"DROP SCHEMA {name(schema.name)}", there.owner)

    def _extension(self, one: want.Database, wanted: want.Extension, there: live.Extension | None) -> None:
        subject, quoted = f"extension {wanted.name} in {one.name}", name(wanted.name)
        offered = self._found.available.get(wanted.name)
        if wanted.absent:
            if there:
                self._do(Phase.INSIDE, one.name, subject, "version", f"DROP EXTENSION {quoted}", there.version)
        elif there is None and offered is None:
            self.problems.append(f"{subject}: the image has none of this name")
        elif (
            wanted.version
            and offered
            and wanted.version not in offered.versions
            and (not there or there.version != wanted.version)
        ):
            self.problems.append(f"{subject}: no version {wanted.version}, only {', '.join(sorted(offered.versions))}")
        elif there is None and offered:
            schema = wanted.schema or ("" if offered.schema else "public")
            sql = f"CREATE EXTENSION {quoted}" + (f" SCHEMA {name(schema)}" if schema else "")
            sql += f" VERSION {value(wanted.version)}" if wanted.version else ""
            self._do(Phase.INSIDE, one.name, subject, "version", sql, after=wanted.version or offered.default)
        elif there:
            if wanted.schema and wanted.schema != there.schema:
                if not there.relocatable:
                    self.problems.append(
                        f"{subject}: is in schema {there.schema} and cannot be moved to {wanted.schema}"
                    )
                sql = f"ALTER EXTENSION {quoted} SET SCHEMA {name(wanted.schema)}"
                self._do(Phase.INSIDE, one.name, subject, "schema", sql, there.schema, wanted.schema)
            if wanted.version and wanted.version != there.version:
                sql = f"ALTER EXTENSION {quoted} UPDATE TO {value(wanted.version)}"
                self._do(Phase.INSIDE, one.name, subject, "version", sql, there.version, wanted.version)

    def _objects(self, one: want.Database, grant: want.Grant, there: live.Database) -> None:
        owners = {schema.name: schema.owner for schema in one.schemas}
        for schema in grant.schemas:
            for kind, wanted in grant.rights.items():
                for group in there.groups:
                    if (group.schema, group.kind) == (schema, kind):
                        self._on(one, grant.role, set(wanted), group, f"ON {_MANY[kind]} {', '.join(group.names)}", "")
                for owner in dict.fromkeys((one.owner, owners.get(schema, one.owner))):
                    found = [
                        each for each in there.defaults if (each.owner, each.schema, each.kind) == (owner, schema, kind)
                    ]
                    group = found[0] if found else live.Group(schema, kind, owner, ())
                    start = f"ALTER DEFAULT PRIVILEGES FOR ROLE {name(owner)} IN SCHEMA {name(schema)} "
                    self._on(one, grant.role, set(wanted), group, f"ON {_MANY[kind]}S", start)

    def _on(self, one: want.Database, role: str, wanted: set[str], group: live.Group, target: str, start: str) -> None:
        """The rights of one role on the objects of a group, or, with start, on those to come."""
        have = {right.privilege for right in group.rights if right.grantee == role}
        mine = {right.privilege for right in group.rights if right.grantee == role and right.grantor == group.owner}
        count = (
            f"{group.kind} of {group.owner} to come" if start else f"{len(group.names)} {group.kind} of {group.owner}"
        )
        subject = f"schema {group.schema} in {one.name}"
        for privilege in sorted(mine - wanted):
            sql = f"{start}REVOKE {privilege.upper()} {target} FROM {name(role)}" + ("" if start else " CASCADE")
            self._do(Phase.INSIDE, one.name, subject, f"{role} may {privilege} {count}", sql, "yes", "no")
        missing = sorted(wanted - have)
        if missing:
            sql = f"{start}GRANT {', '.join(missing).upper()} {target} TO {name(role)}"
            self._do(Phase.INSIDE, one.name, subject, f"{role} may {', '.join(missing)} {count}", sql, "no", "yes")

    def _strangers(self, one: want.Database, there: live.Database) -> None:
        """Objects that neither the owner nor its logins own: the application may be unable to change them. Nobody but people can tell."""
        known = {one.owner, *one.logins, DATABASE_OWNER, *(schema.owner for schema in one.schemas)}
        counts = {owner: count for owner, count in there.owners.items() if owner not in known}
        for group in there.groups:
            if group.owner not in known and group.owner not in there.owners:
                counts[group.owner] = counts.get(group.owner, 0) + len(group.names)
        self.warnings += [
            f"database {one.name}: {count} objects belong to {owner}, and {one.owner} may be unable to change them."
            for owner, count in sorted(counts.items())
        ]

    # -- what goes ------------------------------------------------------------------------------

    def forget(self, role: want.Role, there: live.Role, purged: set[str]) -> None:
        """Drop a role; what it owned stays, and belongs to the owner of the database it is in."""
        subject, quoted = f"role {role.name}", name(role.name)
        owned = [database for database in there.databases if database not in purged]
        if there.superuser:
            self.problems.append(
                f"{subject}: declared absent, and is a superuser, which nobody takes away by an inventory"
            )
            return
        if owned:
            self.problems.append(f"{subject}: declared absent, and owns database {', '.join(owned)}")
            return
        for database, owner in sorted(there.needed_in.items()):
            if database not in purged:
                heir = role.heir if role.heir and database == role.heir else owner
                sql = f"REASSIGN OWNED BY {quoted} TO {name(heir)}"
                self._do(Phase.LEAVE, database, subject, f"objects in {database}", sql, "its own", f"of {heir}")
                self._do(Phase.LEAVE, database, subject, f"rights in {database}", f"DROP OWNED BY {quoted}", "yes")
        session = " ".join(["SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename =", value(role.name)])
        self._do(Phase.FORGET, "", subject, "login", f"ALTER ROLE {quoted} NOLOGIN", "yes" if there.login else "no")
        self._do(Phase.FORGET, "", subject, "sessions", session)
        self._do(Phase.FORGET, "", subject, "rights elsewhere", f"DROP OWNED BY {quoted}")
        self._do(Phase.FORGET, "", subject, "attributes", f"DROP ROLE {quoted}", "as they were")


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:  # PostgreSQL knows years beyond 9999
        return datetime.max.replace(tzinfo=UTC)


def _parts(key: str, setting: want.Setting) -> tuple[str, ...]:
    if isinstance(setting, tuple):
        return setting or ("",)
    return live.identifiers(setting) or ("",) if key in NAME_LISTS else (setting,)


def _is_list(key: str, setting: want.Setting) -> bool:
    return isinstance(setting, tuple) or key in NAME_LISTS


def _reowned(rights: Iterable[live.Right], before: str, after: str) -> list[live.Right]:
    """As ALTER … OWNER leaves an access list: the new owner is where the old one was."""
    return [
        one._replace(
            grantee=after if one.grantee == before else one.grantee,
            grantor=after if one.grantor == before else one.grantor,
        )
        for one in rights
    ]


def _by_grantee(some: set[tuple[str | None, str]] | set[tuple[str, str]]) -> list[tuple[str | None, list[str]]]:
    out: dict[str | None, list[str]] = {}
    for grantee, privilege in sorted(some, key=lambda one: (one[0] or "", one[1])):
        out.setdefault(grantee, []).append(privilege)
    return list(out.items())
