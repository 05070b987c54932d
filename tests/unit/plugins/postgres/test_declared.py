# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says of databases and roles, and what is wrong with it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.enclii.platform.plugins.filter.declared_databases import declared_databases
from ansible_collections.enclii.platform.plugins.module_utils.postgres.declared import Source, declared, settled
from ansible_collections.enclii.platform.plugins.module_utils.postgres.errors import DatabaseError
from ansible_collections.enclii.platform.plugins.module_utils.postgres.front import DATABASES

ROLE = Path(__file__).resolve().parents[4] / "roles" / "patroni"
Obj = dict[str, t.Any]


def one(*databases: Obj, roles: t.Sequence[Obj] = (), environments: t.Sequence[str] = ("demo",)) -> t.Any:
    return declared(databases, roles, environments, ["replicator"])


def complaint(*databases: Obj, **more: t.Any) -> str:
    with pytest.raises(DatabaseError) as caught:
        one(*databases, **more)
    return str(caught.value)


def test_application_is_an_owner_and_two_logins() -> None:
    wanted = one({"name": "orders", "login": {"settings": {"statement_timeout": "30s"}, "connection_limit": 5}})
    owner, first, second = wanted.roles
    assert (owner.name, owner.login, owner.password, owner.members) == ("orders", False, None, ("orders_a", "orders_b"))
    assert [role.name for role in (first, second)] == ["orders_a", "orders_b"]
    assert first.settings == {"statement_timeout": "30s", "role": "orders"}
    assert (first.member_of, first.connection_limit) == (("orders",), 5)
    assert wanted.databases[0].secret == Source("demo", "orders-database")
    assert [schema.name for schema in wanted.databases[0].schemas] == ["public"]
    assert wanted.secrets() == [("demo", "orders-database")]


@pytest.mark.parametrize(
    "items", [{"password": b"p"}, {"password": b"p", "username": b"orders_a"}], ids=["alone", "named"]
)
def test_first_login_is_in_use_at_first(items: dict[str, bytes]) -> None:
    roles, passwords = settled(
        one({"name": "orders", "login": {"valid_until": "2030-01-01"}}), {("demo", "orders-database"): items}
    )
    named = {role.name: role for role in roles}
    assert passwords == {"orders_a": "p"}
    assert (named["orders_a"].login, named["orders_a"].valid_until) == (True, "2030-01-01T00:00:00Z")
    assert (named["orders_b"].login, named["orders_b"].password, named["orders_b"].valid_until) == ("", "", "")


def test_secret_names_the_login_in_use() -> None:
    roles, passwords = settled(
        one({"name": "orders"}), {("demo", "orders-database"): {"password": b"p", "username": b"orders_b"}}
    )
    assert passwords == {"orders_b": "p"}
    assert [role.login for role in roles] == [False, "", True]


def test_check_mode_knows_no_password_yet() -> None:
    roles, passwords = settled(one({"name": "orders"}), {}, check=True)
    assert passwords == {}
    assert roles[1].login is True


@pytest.mark.parametrize(
    ("value", "words"),
    [(b"", "empty"), (b"p\n", "control character"), (b"\xff", "no UTF-8"), (None, "not there")],
)
def test_password_that_is_none(value: bytes | None, words: str) -> None:
    items = {"username": b"orders_a"} | ({} if value is None else {"password": value})
    with pytest.raises(DatabaseError, match=words) as caught:
        settled(one({"name": "orders"}), {("demo", "orders-database"): items})
    assert caught.value.reason == "secret"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, None), ("infinity", None), ("2027-01-31", "2027-01-31T00:00:00Z"), ("2027-01-31T01:00:00+02:00", "2027-01-30T23:00:00Z"),
        ("2027-01-31 00:00:00+00:00", "2027-01-31T00:00:00Z"),
    ],
)  # fmt: skip
def test_moment(given: str | None, wanted: str | None) -> None:
    assert one(roles=[{"name": "r", "valid_until": given}]).roles[0].valid_until == wanted


def test_settings_become_text() -> None:
    given = {"JIT": False, "Work_Mem": 4096, "search_path": ["a", "b"], "app.x": 1.5}
    assert one(roles=[{"name": "r", "settings": given}]).roles[0].settings == {
        "jit": "off", "work_mem": "4096", "search_path": ("a", "b"), "app.x": "1.5"
    }  # fmt: skip


WRONG: list[tuple[Obj, str]] = [
    ({"name": ""}, "has no name"),
    ({"name": "postgres"}, "belongs to the server itself"),
    ({"name": "x" * 62}, "more than 61 bytes"),
    ({"name": "ü" * 31}, "more than 61 bytes"),
    ({"name": "a\nb"}, "control character"),
    ({"name": "pg_x"}, "keeps this name"),
    ({"name": "replicator"}, "the cluster itself uses"),
    ({"name": "Upper"}, "is no name of a Secret"),
    ({"name": "a", "namespace": "Not One"}, "is no namespace"),
    ({"name": "a", "connection_limit": -2}, "connection_limit -2"),
    ({"name": "a", "login": {"valid_until": "tomorrow"}}, "valid_until 'tomorrow'"),
    ({"name": "a", "login": {"valid_until": "2027-01-31T00:00:00"}}, "with its zone"),
    ({"name": "a", "login": {"settings": {"role": "b"}}}, "'role' cannot be set"),
    ({"name": "a", "login": {"settings": {"x; y": "b"}}}, "cannot be set"),
    ({"name": "a", "login": {"settings": {"x": None}}}, "x has no value"),
    ({"name": "a", "purge": "a"}, "with state absent"),
    ({"name": "a", "state": "absent", "purge": "b"}, "takes its name"),
    ({"name": "a", "schemas": [{"name": "pg_mine"}]}, "keeps this name"),
    ({"name": "a", "schemas": [{"name": "s"}, {"name": "s"}]}, "schema s twice"),
    ({"name": "a", "schemas": [{"name": "s", "owner": "nobody"}]}, "its owner nobody is not declared"),
    ({"name": "a", "extensions": [{"name": "e", "schema": "s"}]}, "schema s is not declared"),
    ({"name": "a", "extensions": [{"name": "e"}, {"name": "e"}]}, "extension e twice"),
    ({"name": "a", "privileges": [{"role": "a_b"}]}, "acts as who does"),
    ({"name": "a", "privileges": [{"role": "r"}]}, "role is not declared"),
    ({"name": "a", "privileges": [{"role": "r", "tables": ["all"]}]}, "tables know no 'all'"),
    ({"name": "a", "privileges": [{"role": "r", "schemas": ["s"]}]}, "schema s is not declared"),
    ({"name": "a", "privileges": [{"role": "r", "schemas": [], "tables": ["select"]}]}, "in no schema"),
    ({"name": "a", "privileges": [{"role": "r"}, {"role": "r"}]}, "in schema public twice"),
]


@pytest.mark.parametrize(("database", "words"), WRONG, ids=[words for _, words in WRONG])
def test_wrong_database(database: Obj, words: str) -> None:
    assert words in complaint(database)


WRONG_ROLES: list[tuple[list[Obj], str]] = [
    ([{"name": "public"}], "keeps this name"),
    ([{"name": "r", "secret": {"name": "s"}}], "does not log in"),
    (
        [{"name": "r", "login": True, "secret": {}}, {"name": "r", "login": True, "secret": {"name": "_"}}],
        "declared 2 times",
    ),
    ([{"name": "r", "login": True, "secret": {"name": "_"}}], "no name of a Secret"),
    ([{"name": "r", "member_of": ["pg_execute_server_program"]}], "and with them everything"),
    ([{"name": "r", "member_of": ["g"]}], "member_of g, which is not declared"),
    ([{"name": "r", "member_of": ["g"]}, {"name": "g", "member_of": ["r"]}], "a member of itself"),
]


@pytest.mark.parametrize(("roles", "words"), WRONG_ROLES, ids=[words for _, words in WRONG_ROLES])
def test_wrong_roles(roles: list[Obj], words: str) -> None:
    assert words in complaint(roles=roles)


def test_all_that_is_wrong_is_in_one_error() -> None:
    said = complaint(
        {"name": "postgres"}, {"name": "a"}, {"name": "a_a"}, {"name": "a"}, roles=[{"name": "none"}], environments=()
    )
    assert said.startswith("The declared databases and roles: ")
    for words in (
        "database a: declared 2 times",
        "role a_a: declared 3 times",
        "role none",
        "in which one is its Secret?",
        "Nothing was changed",
    ):
        assert words in said


def test_absent_needs_no_secret() -> None:
    assert one({"name": "Old App", "state": "absent"}, environments=()).secrets() == []


def test_secrets_are_declared_as_components_declare_theirs() -> None:
    roles = [
        {"name": "r", "login": True, "secret": {"name": "shared", "item": "r"}},
        {"name": "s", "login": True, "secret": {"name": "shared", "item": "s"}},
        {"name": "old", "state": "absent", "login": True, "secret": {"name": "gone"}},
    ]
    found = declared_databases([{"name": "orders"}], roles=roles, environments=["demo"])
    made = {"generator": "random", "length": 40}
    assert found == {
        "problem": "",
        "secrets": [
            {"name": "orders-database", "namespace": "demo", "consumers": ["orders"], "keys": [{"name": "password", **made}]},
            {"name": "shared", "namespace": "demo", "consumers": ["r", "s"], "keys": [{"name": "r", **made}, {"name": "s", **made}]},
        ],
    }  # fmt: skip


def test_survey_hears_all_that_is_wrong_before_anything_is_changed() -> None:
    found = declared_databases([{"name": "orders"}], reserved=["orders"])
    assert "the cluster itself uses this role" in found["problem"]
    assert "in which one is its Secret?" in found["problem"]
    for odd in (["orders"], [{"name": "o", "login": 3}], [{"name": "o", "namespace": "d", "connection_limit": "many"}]):
        assert "argument spec" in declared_databases(odd)["problem"]
    assert declared_databases([]) == {"problem": "", "secrets": []}


def bare(options: Obj) -> Obj:
    """An argument spec without its prose, as module and role share it."""
    return {
        name: {key: bare(value) if key == "options" else value for key, value in option.items() if key != "description"}
        for name, option in options.items()
    }


@pytest.mark.parametrize("name", ["databases", "roles"])
def test_variable_of_the_role_is_what_the_module_takes(name: str) -> None:
    spec = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"][
        "options"
    ]
    assert bare({name: spec[f"patroni_{name}"]}) == bare({name: DATABASES[name]})
