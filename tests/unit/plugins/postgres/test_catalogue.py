# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live catalogue as a model, verifiers, and the statements that a difference makes; the rest is tried on a real server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import typing as t
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.postgres import scram
from ansible_collections.enclii.platform.plugins.module_utils.postgres.catalogue import (
    catalogue,
    fresh,
    identifiers,
    request,
)
from ansible_collections.enclii.platform.plugins.module_utils.postgres.declared import declared, settled
from ansible_collections.enclii.platform.plugins.module_utils.postgres.difference import Phase, Plan, name, plan, value
from ansible_collections.enclii.platform.plugins.module_utils.postgres.errors import DatabaseError
from ansible_collections.enclii.platform.plugins.module_utils.postgres.front import databases

NOW = datetime(2026, 11, 23, tzinfo=UTC)
NOTHING: dict[str, t.Any] = {"version": 170004, "roles": {}, "databases": {}, "available": {}}
ROLE: dict[str, t.Any] = {
    "superuser": False, "inherit": True, "createrole": False, "createdb": False, "login": False, "replication": False, "bypassrls": False,
    "connection_limit": -1, "password": None, "valid_until": None, "settings": [],
    "member_of": [], "members": [], "databases": [], "needed_in": {},
}  # fmt: skip


def planned(live: dict[str, t.Any], *roles: dict[str, t.Any], database: dict[str, t.Any] | None = None) -> Plan:
    wanted = declared([database] if database else [], roles, ["demo"])
    settled_roles, passwords = settled(wanted, {one: {"password": b"pencil"} for one in wanted.secrets()})
    return plan(wanted, settled_roles, passwords, catalogue(json.dumps(live)), NOW, lambda size: b"s" * size)


def statements(*words: t.Any, **more: t.Any) -> list[str]:
    return [one.sql for one in planned(*words, **more).changes]


def test_verifier_is_that_of_rfc_7677() -> None:
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    made = scram.verifier("pencil", lambda _size: salt)
    stored, server = (base64.b64decode(one) for one in made.split("$")[2].split(":"))
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    message = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}".encode()
    assert base64.b64encode(hmac.digest(server, message, "sha256")) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    client = bytes(a ^ b for a, b in zip(proof, hmac.digest(stored, message, "sha256"), strict=True))
    assert hashlib.sha256(client).digest() == stored


def test_stored_verifiers_are_compared() -> None:
    made = scram.verifier("pencil", lambda size: b"x" * size)
    assert scram.matches("pencil", made)
    assert not scram.matches("pencils", made)
    broken = [
        None,
        "",
        "pencil",
        "md5" + "0" * 32,
        made[:-4],
        made.replace("4096", "4097"),
        made.replace("4096", "9999999999"),
        made + "x",
    ]
    assert not any(scram.matches("pencil", one) for one in broken)


@pytest.mark.parametrize(
    ("password", "wanted"),
    [("I\u00adX", "IX"), ("\u00aa", "a"), ("\u2168", "IX"), ("a\u00a0b", "a b"), ("\u0627\u0031", "\u0627\u0031"),
     ("é\u0007", "é\u0007"), ("pl ain", "pl ain")],
)  # fmt: skip
def test_saslprep(password: str, wanted: str) -> None:
    assert scram.prepared(password) == wanted


@given(
    st.lists(
        st.text(min_size=1, alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs", "Zs", "Cc"])),
        min_size=1,
    )
)
def test_lists_of_names_come_back(parts: list[str]) -> None:
    assert identifiers(", ".join(name(one) for one in parts)) == tuple(parts)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ()),
        ('""', ("",)),
        ("a, b,c", ("a", "b", "c")),
        ('"$user", public', ("$user", "public")),
        ('"a, ""b', ('a, "b',)),
    ],
)
def test_lists_as_people_write_them(text: str, wanted: tuple[str, ...]) -> None:
    assert identifiers(text) == wanted


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_quotes_never_end_early(text: str) -> None:
    for quote, quoted in (('"', name(text)), ("'", value(text))):
        assert quoted[1:-1].replace(quote * 2, "") == text.replace(quote, "")
        assert quoted[1:-1].replace(quote * 2, quote) == text


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[]",
        "{}",
        "null",
        json.dumps({**NOTHING, "roles": {"x": {}}}),
        json.dumps({**NOTHING, "databases": {"x": []}}),
    ],
)
def test_answer_that_is_none(answer: str) -> None:
    with pytest.raises(DatabaseError, match="is not understood"):
        catalogue(answer)


def test_question_names_no_more_than_it_needs() -> None:
    wanted = declared(
        [{"name": "a", "schemas": [{"name": "s"}], "privileges": [{"role": "r", "schemas": ["s"]}]}],
        [{"name": "r"}],
        ["demo"],
    )
    assert json.loads(request(wanted)) == {
        "roles": ["a", "a_a", "a_b", "r"],
        "databases": {"a": {"schemas": ["public", "s"], "objects": ["s"]}},
    }


def test_new_database_is_closed_until_all_is_done() -> None:
    made = planned(NOTHING, database={"name": "a", "connection_limit": 5})
    phases = [one.phase for one in made.changes]
    assert phases == sorted(phases)
    assert made.changes[-1].sql == 'ALTER DATABASE "a" CONNECTION LIMIT 5'
    assert 'REVOKE CONNECT, TEMPORARY ON DATABASE "a" FROM PUBLIC CASCADE' in [one.sql for one in made.changes]
    groups = made.groups()
    assert [(one["database"], one["alone"], one["quiet"]) for one in groups] == [
        (None, False, False), (None, False, True), (None, True, False), (None, False, False), ("a", False, False), (None, False, False)
    ]  # fmt: skip
    assert sum(len(one["statements"]) for one in groups) == len(made.changes)
    assert [made.change_at(number, 0) is not None for number in range(7)] == [True] * 6 + [False]


def test_only_groups_with_passwords_are_quiet_and_no_password_is_shown() -> None:
    made = planned(NOTHING, database={"name": "a"})
    quiet = [one for one in made.changes if one.phase == Phase.PASSWORDS]
    assert [one.statement for one in quiet] == ["ALTER ROLE \"a_a\" PASSWORD '********'"]
    assert "SCRAM" not in str([one.statement for one in made.changes]) + str(made.diff()) + repr(made)


def test_fresh_database_needs_only_public_to_leave() -> None:
    there = fresh("a", "a")
    assert {(one.grantee, one.privilege) for one in there.rights if one.grantee is None} == {
        (None, "connect"),
        (None, "temporary"),
    }
    assert there.connection_limit == 0


def test_memberships_are_told_as_the_server_knows_them() -> None:
    roles = [{"name": "r", "member_of": ["g"]}, {"name": "g"}]
    row = {"role": "g", "grantor": "boss", "admin_option": True, "inherit_option": False, "set_option": True}
    new = {
        **NOTHING,
        "roles": {"r": {**ROLE, "member_of": [row, {**row, "role": "old", "admin_option": False}]}, "g": ROLE},
    }
    assert statements(new, *roles) == [
        'REVOKE "old" FROM "r" GRANTED BY "boss" CASCADE',
        'REVOKE ADMIN OPTION FOR "g" FROM "r" GRANTED BY "boss" CASCADE',
        'GRANT "g" TO "r" WITH INHERIT TRUE, SET TRUE',
    ]
    row = {"role": "g", "grantor": "boss", "admin_option": False}
    assert (
        statements({**NOTHING, "version": 150000, "roles": {"r": {**ROLE, "member_of": [row]}, "g": ROLE}}, *roles)
        == []
    )


def test_nothing_that_is_not_declared_is_dropped() -> None:
    live = {**NOTHING, "roles": {"other": ROLE}}
    assert statements(live) == []
    assert statements({**NOTHING, "roles": {"r": {**ROLE, "databases": ["d"]}}}, {"name": "r"}) == []


def test_role_that_owns_a_database_stays() -> None:
    with pytest.raises(DatabaseError, match="owns database d"):
        planned({**NOTHING, "roles": {"r": {**ROLE, "databases": ["d"]}}}, {"name": "r", "state": "absent"})


def test_absent_role_leaves_what_it_owned() -> None:
    live = {**NOTHING, "roles": {"r": {**ROLE, "needed_in": {"d": "boss"}}}}
    made = planned(live, {"name": "r", "state": "absent"})
    assert [(one.database, one.sql) for one in made.changes if one.phase == Phase.LEAVE] == [
        ("d", 'REASSIGN OWNED BY "r" TO "boss"'), ("d", 'DROP OWNED BY "r"')
    ]  # fmt: skip
    assert made.changes[-1].sql == 'DROP ROLE "r"'


def test_closed_database_is_somebodys_wish() -> None:
    closed = {"owner": "a", "connection_limit": -1, "allow_connections": False, "template": False, "acl": []}
    with pytest.raises(DatabaseError, match="takes no connections"):
        planned({**NOTHING, "databases": {"a": closed}}, database={"name": "a"})


def test_run_that_changes_nothing_for_good_is_an_error() -> None:
    asked: list[str] = []

    def ask(word: str, _given: str) -> tuple[int, str, str]:
        asked.append(word)
        return 0, json.dumps(NOTHING), ""

    params = {"databases": [], "roles": [{"name": "r"}], "environments": [], "reserved": []}
    with pytest.raises(DatabaseError, match="still not as declared") as caught:
        databases(params, {}, ask, lambda size: b"s" * size, NOW)
    assert caught.value.changed
    assert asked == ["read", "apply", "read"]
