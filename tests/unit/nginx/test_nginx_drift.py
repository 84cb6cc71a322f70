"""What status reports: in which ways nginx isn't as it was deployed."""

from __future__ import annotations

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.drift import drift
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import BASE

from fake_nginx import Nginx

RUNS_ANOTHER = "nginx runs another configuration than the one that was deployed"


def told(nginx: Nginx) -> list[str]:
    return drift(nginx.root, nginx)


def test_nothing_after_a_deploy_or_after_an_app_was_taken_off(nginx: Nginx) -> None:
    nginx.deploy(shop="", wiki="")
    assert told(nginx) == []
    nginx.take_off("shop")
    assert told(nginx) == []


def test_nothing_on_a_host_without_a_configuration_of_ours(nginx: Nginx) -> None:
    assert told(nginx) == []
    nginx.deploy()
    nginx.tear_down()
    assert told(nginx) == []


def test_the_file_that_names_the_configuration_is_gone(nginx: Nginx) -> None:
    nginx.deploy()
    (nginx.root / BASE).unlink()
    assert told(nginx) == [f"{nginx.root / BASE} is missing"]


@pytest.mark.parametrize("path", ["nginx.conf", BASE, "conf.d/shop.conf"])
def test_a_file_of_ours_is_named(nginx: Nginx, path: str) -> None:
    nginx.deploy()
    place = nginx.root / path
    place.write_text(place.read_text() + "# by hand")
    assert told(nginx) == [f"{place} was changed since the last deploy"]
    nginx.deploy()
    assert told(nginx) == []


def test_one_that_is_gone_or_that_others_may_write(nginx: Nginx) -> None:
    nginx.deploy()
    (nginx.root / "conf.d/shop.conf").unlink()
    nginx.drop_in.chmod(0o666)
    assert set(told(nginx)) == {
        f"{nginx.root / 'conf.d/shop.conf'} is missing",
        f"{nginx.drop_in} has another owner or mode than it was deployed with",
    }


@pytest.mark.parametrize("path", ["mime.types", "conf.d/others.conf"])
def test_other_files_count_too(nginx: Nginx, path: str) -> None:
    nginx.deploy()
    (nginx.root / path).write_text("# by hand")
    assert told(nginx) == [f"other files below {nginx.root} were changed since the last deploy"]


def test_another_configuration_runs(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.loaded = {}
    assert told(nginx) == [RUNS_ANOTHER]


def test_the_socket_for_probes(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.probe_socket.parent.chmod(0o755)
    nginx.probe_socket.unlink()
    assert told(nginx) == [f"{nginx.probe_socket.parent} isn't a directory for root alone (0700)", RUNS_ANOTHER]


def test_a_broken_manifest(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.ours().manifest.write_text("{")
    (line,) = told(nginx)
    assert "can't be read" in line
