"""What may be opened in the firewall, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.firewall import FORM, openings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue

from settings import Workshop, app

LIST = f"must be a list of {FORM}"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (9100, LIST),
        (["9100"], f"{LIST}; its item 1 isn't one"),
        ([{"port": 1}, {"from": ["10.0.0.0/8"]}], f"{LIST}; its item 2 isn't one"),
        (
            [{"port": 1, "form": []}],
            f"{LIST}; its item 1 has an unknown key 'form'; did you mean 'from'? Known keys: port, protocol, from",
        ),
        (
            [{"port": 1}, {"prot": 9100}],
            f"{LIST}; its item 2 has an unknown key 'prot'; did you mean 'port'? Known keys: port, protocol, from",
        ),
        ([{"port": 1, "protocol": "sctp"}], "must have a 'protocol' of tcp or udp; its item 1 has another"),
        ([{"port": 0}], f"{LIST}; in its item 1 'port' must be a whole number from 1 to 65535"),
        ([{"port": 1, "from": []}], "must not have an empty 'from', which would let in nobody: leave it out in item 1"),
    ],
    ids=str,
)
def test_what_cant_be_opened(value: Any, told: str) -> None:
    with pytest.raises(WrongValue) as refused:
        openings(value)
    assert str(refused.value) == told


def test_whom_it_cant_be_opened_to() -> None:
    with pytest.raises(
        WrongValue, match=r"in its item 1 'from' must be a list of addresses or networks .*lb. isn't one"
    ):
        openings([{"port": 1, "from": ["lb"]}])


def test_what_is_left_out_is_everybody_by_tcp() -> None:
    assert openings([{"port": "9100"}]) == [{"port": 9100, "protocol": "tcp", "from": []}]
    given = {"port": 53, "protocol": "udp", "from": ["192.0.2.0/24", "2001:db8::7"]}
    assert openings([given]) == [given]


def test_a_run_of_site_yml_refuses_it_too(workshop: Workshop) -> None:
    assert workshop.problem(app(), web_firewall_open=9100).startswith(
        "web_firewall_open: is 9100, but it must be a list"
    )
