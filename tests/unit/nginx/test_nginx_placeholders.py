"""What depends on a host's nginx is filled in there."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.placeholders import BROTLI_STATIC, for_host
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

# As Debian's package has it.
MODULE = "load_module modules/ngx_http_brotli_static_module.so;\n"


@pytest.fixture
def system(tmp_path: Path) -> System:
    made = System()
    made.modules = tmp_path / "modules-enabled"
    return made


def test_brotlis_files_are_sent_where_nginx_has_the_module(system: System) -> None:
    system.modules.mkdir()
    (system.modules / "50-mod-http-brotli-static.conf").write_text(MODULE)
    assert system.has_brotli()
    assert for_host({"a": BROTLI_STATIC}, (1, 26, 3), 1, has_brotli=True) == {"a": "brotli_static on;"}


@pytest.mark.parametrize("name", ["50-mod-http-geoip2.conf", "50-mod-http-brotli-static.conf.bak"])
def test_and_nowhere_else(system: System, name: str) -> None:
    assert not system.has_brotli()
    system.modules.mkdir()
    (system.modules / name).write_text(MODULE if name.endswith(".bak") else "load_module modules/other.so;\n")
    assert not system.has_brotli()
    (filled,) = for_host({"a": BROTLI_STATIC}, (1, 26, 3), 1, has_brotli=False).values()
    assert filled.startswith("#"), "nginx would refuse a directive that it doesn't know"


def test_a_link_to_a_module_that_was_removed_is_none(system: System) -> None:
    system.modules.mkdir()
    (system.modules / "50-mod-http-brotli-static.conf").symlink_to("/nowhere.conf")
    assert not system.has_brotli()
