"""What a role's README shows is what the role takes."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.uwsgi_flask.web.plugins.action import nginx_config

from project import PROJECT, ROLES, defaults, options, renderer, specs

by_role = pytest.mark.parametrize("role", ROLES)


def readme(role: str) -> str:
    return (PROJECT / f"roles/{role}/README.md").read_text()


def tasks(role: str) -> list[dict[str, Any]]:
    """Those of the example, in their order."""
    (code,) = re.findall(r"```yaml\n(.*?)```", readme(role), re.DOTALL)
    (play,) = yaml.safe_load(code)
    return [task for given in play["tasks"] for task in [*given.get("block", []), *given.get("always", [])] or [given]]


def example(role: str) -> dict[str, Any]:
    """The variables that the example gives the role."""
    (task,) = [task for task in tasks(role) if "ansible.builtin.import_role" in task]
    assert task["ansible.builtin.import_role"] == {"name": role}
    return dict(task["vars"])


@by_role
def test_the_example_is_one_that_the_role_takes(role: str) -> None:
    given = example(role)
    assert given.keys() <= defaults(role).keys()
    # What comes from another task is what it is there.
    plain = {name: value for name, value in {**defaults(role), **given}.items() if "{{" not in str(value)}
    assert ArgumentSpecValidator(options(role)).validate(plain).error_messages == []


def test_nginx_gets_all_that_its_templates_ask_for() -> None:
    given = example("nginx")
    files = nginx_config.texts(renderer("nginx"), given["nginx_sites"], given["nginx_web"])
    assert "server_name shop.example.com;" in files["conf.d/shop.conf"]
    # What the action plugin asks for besides.
    assert [site["app"]["tls"] for site in given["nginx_sites"]] == ["off"]


def test_nginx_gets_a_lease_that_is_given_back() -> None:
    first, *_between, last = tasks("nginx")
    assert (first["uwsgi_flask.web.lease"], first["register"]) == ({"state": "held"}, "host")
    assert example("nginx")["nginx_lease"] == "{{ host.token }}"
    assert last["uwsgi_flask.web.lease"] == {"state": "free"}


@by_role
def test_every_entry_point_is_told(role: str) -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", readme(role), re.MULTILINE)) == set(specs(role))


@by_role
def test_links_lead_somewhere(role: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", readme(role))
    assert "meta/argument_specs.yml" in links
    assert [link for link in links if not (PROJECT / "roles" / role / link).exists()] == []


@by_role
def test_what_it_says_it_owns_it_knows(role: str) -> None:
    assert re.search(r"^\| owns \| .{20}", readme(role), re.MULTILINE)
    assert re.search(r"^\| knows nothing of \| .{10}", readme(role), re.MULTILINE)
    results = {"flask_app_outcome", "nginx_reported", "nginx_result", "uwsgi_workers"}
    assert set(re.findall(rf"`({role}_\w+)`", readme(role))) <= defaults(role).keys() | results
