"""services.yml as a person runs it: what is refused before any host is touched, and that the example fits it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from playbook import run_on_nobody
from project import PROJECT

EXAMPLE = "examples/orders/settings.yml"
FIRST_ON_A_HOST = "Install what is used"


def said(folder: Path, **changes: Any) -> str:
    """All that a run with the example's settings, but for these, says. It has to fail."""
    ended = run_on_nobody(folder, "services.yml", "-e", f"@{EXAMPLE}", "-e", json.dumps(changes))
    assert ended.returncode != 0
    return ended.stdout


@pytest.mark.parametrize("key", ["services_postgresql", "services_redis"])
@pytest.mark.parametrize(("value", "told"), [(["orders", "ordrs"], "; unknown: ordrs"), ("orders", "")], ids=str)
def test_what_is_no_list_of_apps(tmp_path: Path, key: str, value: object, told: str) -> None:
    out = said(tmp_path, **{key: value})
    words = f"{key}: must be a list of names of web_apps{told}. Known apps: orders. Nothing was changed."
    assert words in " ".join(out.split())
    assert FIRST_ON_A_HOST not in out


@pytest.mark.parametrize("apps", [{"orders": {}}, [{"nmae": "orders", "server_names": ["a.test"]}]], ids=str)
def test_apps_that_cant_be_read_are_told_as_by_settings_yml(tmp_path: Path, apps: object) -> None:
    out = said(tmp_path, web_apps=apps)
    assert out.count("web_apps: ") == 1
    assert "Refuse what is no list of apps" not in out
    assert "[ERROR]" not in out


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://orders:short@127.0.0.1:6379/0",
        "redis://shop:example-of-a-long-password@127.0.0.1:6379/0",
        "redis://orders:a-password-that-has-%2F-in-it@127.0.0.1:6379/0",
    ],
)
def test_a_url_that_redis_would_not_know(tmp_path: Path, url: str) -> None:
    out = said(tmp_path, web_app_secrets={"orders": {"REDIS_URL": url} if url else {}})
    assert "services_redis: 'orders' needs in web_app_secrets a REDIS_URL of the form" in out
    assert not url or url.split("@")[0].split(":")[-1] not in out
    assert FIRST_ON_A_HOST not in out


def test_the_example_gets_as_far_as_the_host(tmp_path: Path) -> None:
    assert FIRST_ON_A_HOST in said(tmp_path)


def test_the_page_shows_the_example() -> None:
    page = (PROJECT / "docs/backing-services.md").read_text()
    shown = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    given = yaml.safe_load((PROJECT / EXAMPLE).read_text())
    assert shown == {name: value for name, value in given.items() if name != "web_app_secrets"}
