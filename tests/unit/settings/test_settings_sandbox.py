"""`sandbox` and `web_nginx_sandbox`: which options of systemd's may be set otherwise, and how."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings import sandbox

from project import PROJECT
from settings import Workshop, app


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({}, []),
        ({"MemoryDenyWriteExecute": False, "PrivateUsers": True}, ["MemoryDenyWriteExecute=no", "PrivateUsers=yes"]),
        ({"ProcSubset": "all", "ProtectProc": "default"}, ["ProcSubset=all", "ProtectProc=default"]),
        ({"ProtectHome": "read-only"}, ["ProtectHome=read-only"]),
        ({"ProtectHome": False}, ["ProtectHome=no"]),
        ({"SystemCallFilter": ["@resources", "~@sync"]}, ["SystemCallFilter=@resources", "SystemCallFilter=~@sync"]),
        # Lists of families add up, so the usual ones are taken back first.
        (
            {"RestrictAddressFamilies": ["AF_UNIX", "AF_NETLINK"]},
            ["RestrictAddressFamilies=", "RestrictAddressFamilies=AF_UNIX AF_NETLINK"],
        ),
        (
            {"IPAddressDeny": ["any"], "IPAddressAllow": ["localhost", "10.0.0.0/8", "::1"]},
            ["IPAddressDeny=any", "IPAddressAllow=localhost 10.0.0.0/8 ::1/128"],
        ),
    ],
)
def test_options_become_lines_of_the_units(workshop: Workshop, given: Any, lines: list[str]) -> None:
    assert workshop.item(app(sandbox=given))["release"]["sandbox_lines"] == lines


def test_a_change_makes_a_new_release(workshop: Workshop) -> None:
    assert workshop.id() != workshop.id(app(sandbox={"ProcSubset": "all"}))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["ProcSubset"], "must be a dictionary of systemd's options"),
        ({"MemoryDenyWriteExecutes": False}, "did you mean 'MemoryDenyWriteExecute'?"),
        ({"MemoryDenyWriteExecutes": False}, "Known options: IPAddressAllow, IPAddressDeny, LockPersonality, "),
        ({3: 1}, "has 3, which is no option"),
        ({"PrivateTmp": "no"}, "has 'PrivateTmp', which must be true or false"),
        ({"ProcSubset": "al"}, "has 'ProcSubset', which must be one of pid, all; did you mean 'all'?"),
        ({"ProtectHome": "no"}, "has 'ProtectHome', which must be true, false, read-only or tmpfs"),
        ({"RestrictAddressFamilies": ["AF_INET"]}, "which must hold AF_UNIX"),
        ({"RestrictAddressFamilies": ["AF_UNIX", "AF_PACKET"]}, "which must be one of AF_UNIX, "),
        ({"RestrictAddressFamilies": "AF_UNIX"}, "which must be a list with at least one item"),
        ({"SystemCallFilter": []}, "which must be a list with at least one item"),
        ({"SystemCallFilter": ["@privileged"]}, "which must be one of @chown, "),
        ({"SystemCallFilter": ["@chown\nUser=root"]}, "which must be one of @chown, "),
        ({"IPAddressDeny": ["all"]}, "which must be an address, a network"),
        ({"IPAddressDeny": ["10.0.0.0/8\nUser=root"]}, "which must be an address, a network"),
    ],
)
def test_what_is_none_is_refused(workshop: Workshop, given: Any, told: str) -> None:
    assert told in workshop.problem(app(sandbox=given))


@pytest.mark.parametrize("option", sorted(sandbox.STAYS))
def test_what_all_rests_on_stays_and_it_is_said_why(workshop: Workshop, option: str) -> None:
    told = workshop.problem(app(sandbox={option: False}))
    assert told == f"web_apps: 'shop' has 'sandbox', but it must leave {option!r} as it is: {sandbox.STAYS[option]}"
    assert option not in sandbox.OF_AN_APP


@pytest.mark.parametrize("option", sorted(sandbox.STAYS_OF_NGINX))
def test_so_it_is_with_nginx(workshop: Workshop, option: str) -> None:
    told = workshop.problem(app(), web_nginx_sandbox={option: False})
    assert told.endswith(f"must leave {option!r} as it is: {sandbox.STAYS_OF_NGINX[option]}")
    assert option not in sandbox.OF_NGINX


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({"ReadWritePaths": ["/srv/cache", "/data"]}, ["ReadWritePaths=-/srv/cache", "ReadWritePaths=-/data"]),
        ({"CapabilityBoundingSet": ["CAP_NET_RAW"]}, ["CapabilityBoundingSet=CAP_NET_RAW"]),
        ({"ProtectHome": True}, ["ProtectHome=yes"]),
    ],
)
def test_nginx_has_options_of_its_own(given: Any, lines: list[str]) -> None:
    assert sandbox.lines(sandbox.of_nginx(given)) == lines


@pytest.mark.parametrize(
    "given",
    [
        {"ReadWritePaths": ["srv"]},
        {"ReadWritePaths": ["/srv/a b"]},
        {"ReadWritePaths": ["/srv\nUser=root"]},
        {"CapabilityBoundingSet": ["CAP_SYS_ADMIN"]},
        {"PrivateUsers": True},
    ],
)
def test_and_not_all_that_an_app_has(workshop: Workshop, given: Any) -> None:
    assert "web_nginx_sandbox: is " in workshop.problem(app(), web_nginx_sandbox=given)


def test_the_page_lists_what_may_be_set() -> None:
    page = (PROJECT / "docs/sandbox.md").read_text()
    of_an_app, of_nginx = (block.partition("```")[0].split() for block in page.split("```text\n")[1:])
    assert (of_an_app, of_nginx) == (sorted(sandbox.OF_AN_APP), sorted(sandbox.OF_NGINX))
