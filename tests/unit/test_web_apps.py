"""What a person writes: refused with the key, the fault and the remedy, or turned into what the roles need."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from web_apps import App, BadSettings, code_files, public_keys, web_plan, web_problems

CONTRACT = {
    "user": "www",
    "group": "www",
    "nginx_group": "www-data",
    "app_root": "/opt",
    "run_root": "/run",
    "http_port": 80,
}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with one good source, `shop`, and the templates that instances are made from."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "ini.j2").write_text("processes")
    shop = tmp_path / "shop"
    (shop / "static").mkdir(parents=True)
    (shop / "flask_wsgi.py").write_text("app = None\n")
    (shop / "requirements.txt").write_text("flask==3.1.3 \\\n    --hash=sha256:00  # why\n# a remark\n")
    return tmp_path


def app(**changes: Any) -> dict[str, Any]:
    given = {"name": "shop", "server_names": ["shop.test"], **changes}
    return {name: value for name, value in given.items() if value is not ...}


def problems(base: Path, *apps: Any, secrets: Any = None) -> str:
    """All problems in one text; nothing if there are none."""
    return "\n".join(
        web_problems(
            list(apps),
            secrets or {},
            base=str(base),
            contract=CONTRACT,
            python="3.13.5",
            recipe=str(base / "templates"),
        )
    )


def plan(base: Path, *apps: Any, secrets: Any = None, python: str = "3.13.5", **contract: Any) -> dict[str, Any]:
    return web_plan(
        list(apps or [app()]),
        secrets or {},
        base=str(base),
        contract={**CONTRACT, **contract},
        python=python,
        recipe=str(base / "templates"),
    )


def release_id(base: Path, *apps: Any, **options: Any) -> str:
    return str(plan(base, *apps, **options)["uwsgi"][0]["id"])


# What is written, the words that the refusal must hold: the key, the fault or the remedy.
REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"procceses": 4}, ["'procceses'", "did you mean 'processes'?", "Known keys: name, server_names"]),
    ({"zzz": 4}, ["unknown key 'zzz'", "Known keys"]),
    ({"name": ...}, ["item 1", "lacks the key 'name'"]),
    ({"server_names": ...}, ["'shop'", "lacks the key 'server_names'"]),
    ({"name": "a/b"}, ["'name'", '"a/b"', "lower-case letters"]),
    ({"name": "Shop"}, ["'name'", "lower-case letters"]),
    ({"name": "shop_2"}, ["'name'", "lower-case letters"]),
    ({"name": "shop-"}, ["'name'", "lower-case letters"]),
    ({"name": "shop-check"}, ["'name'", "not end in -check"]),
    ({"name": ""}, ["'name'"]),
    ({"name": 7}, ["'name'", "7"]),
    ({"name": None}, ["'name'"]),
    ({"name": "../etc"}, ["'name'"]),
    ({"server_names": []}, ["'server_names'", "at least one"]),
    ({"server_names": "shop.test"}, ["'server_names'", "list of host names"]),
    ({"server_names": [""]}, ["'server_names'", "host name"]),
    ({"server_names": ["a; } server {"]}, ["'server_names'"]),
    ({"server_names": ["a b"]}, ["'server_names'"]),
    ({"server_names": ["~^x$"]}, ["'server_names'"]),
    ({"server_names": ["SHOP.test"]}, ["'server_names'", "lower-case"]),
    ({"server_names": ["shop.test\n"]}, ["'server_names'"]),
    ({"server_names": ["a.test", "a.test"]}, ["'server_names'", "twice"]),
    ({"source": "elsewhere"}, ["'source'", "no folder", "elsewhere"]),
    ({"source": 5}, ["'source'"]),
    ({"source": "a\nb"}, ["'source'"]),
    ({"module": "flask_wsgy"}, ["'module'", "did you mean 'flask_wsgi'?"]),
    ({"module": "flask-wsgi"}, ["'module'", "dotted Python name"]),
    ({"module": "os; import x"}, ["'module'"]),
    ({"module": "a%b"}, ["'module'"]),
    ({"callable": "app()"}, ["'callable'", "Python name"]),
    ({"callable": "a.b"}, ["'callable'"]),
    ({"callable": 'a"b'}, ["'callable'"]),
    ({"requirements": "../requirements.txt"}, ["'requirements'", "without '..'"]),
    ({"requirements": "/etc/passwd"}, ["'requirements'", "inside the source"]),
    ({"requirements": "req.txt"}, ["'requirements'", "no file 'req.txt'"]),
    ({"require_hashes": "yes"}, ["'require_hashes'", "true or false"]),
    ({"static_folder": ".."}, ["'static_folder'"]),
    ({"static_folder": "static/../.."}, ["'static_folder'"]),
    ({"static_folder": "a;b"}, ["'static_folder'"]),
    ({"static_folder": ""}, ["'static_folder'"]),
    ({"static_url": "static"}, ["'static_url'", "begins and ends with '/'"]),
    ({"static_url": "/static"}, ["'static_url'"]),
    ({"static_url": "/a b/"}, ["'static_url'"]),
    ({"static_url": "/a{/"}, ["'static_url'"]),
    ({"processes": 0}, ["'processes'", "0", "from 1 to 512"]),
    ({"processes": True}, ["'processes'", "whole number"]),
    ({"processes": 2.5}, ["'processes'", "whole number"]),
    ({"processes": "4"}, ["'processes'", "whole number"]),
    ({"processes": None}, ["'processes'", "whole number"]),
    ({"threads": "many"}, ["'threads'", '"many"', "whole number"]),
    ({"threads": -1}, ["'threads'"]),
    ({"threads": [4]}, ["'threads'"]),
    ({"listen_queue": 1}, ["'listen_queue'", "from 16"]),
    ({"request_timeout": 0}, ["'request_timeout'", "seconds"]),
    ({"request_timeout": "30s"}, ["'request_timeout'"]),
    ({"max_requests": 1}, ["'max_requests'"]),
    ({"max_body": "1M; }"}, ["'max_body'", "a size as nginx writes it"]),
    ({"max_body": 1}, ["'max_body'"]),
    ({"max_body": "0"}, ["'max_body'"]),
    ({"health_path": "health"}, ["'health_path'", "begins with '/'"]),
    ({"health_path": "/a b"}, ["'health_path'"]),
    ({"health_path": "/x\r\nHost: y"}, ["'health_path'"]),
    ({"health_successes": 0}, ["'health_successes'"]),
    ({"start_timeout": 0}, ["'start_timeout'"]),
    ({"keep_releases": 1}, ["'keep_releases'", "from 2"]),
    ({"state": "gone"}, ["'state'", "present, absent"]),
    ({"purge": 1}, ["'purge'", "true or false"]),
    ({"before_live": "flask db upgrade"}, ["'before_live'", "list of shell lines"]),
    ({"before_live": [""]}, ["'before_live'"]),
    ({"after_live": [1]}, ["'after_live'"]),
    ({"environment": ["A=b"]}, ["'environment'", "dictionary of NAME: value"]),
    ({"environment": {"A-B": "x"}}, ["'environment'", "'A-B'"]),
    ({"environment": {"1A": "x"}}, ["'environment'", "'1A'"]),
    ({"environment": {"A": True}}, ["'environment'", "quotes", "'A'"]),
    ({"environment": {"A": None}}, ["'environment'", "quotes"]),
    ({"environment": {"A": ["x"]}}, ["'environment'", "quotes"]),
    ({"environment": {"A": "x\0y"}}, ["'environment'", "NUL"]),
    ({"environment": {"UWSGI_HTTP": ":80"}}, ["'environment'", "'UWSGI_HTTP'"]),
    ({"environment": {"LISTEN_FDS": "3"}}, ["'environment'", "'LISTEN_FDS'"]),
    ({"environment": {"WEB_RELEASE": "x"}}, ["'environment'", "'WEB_RELEASE'"]),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=[str(changes)[:50] for changes, _words in REFUSED])
def test_refused(base: Path, changes: dict[str, Any], words: list[str]) -> None:
    told = problems(base, app(**changes))
    assert all(word in told for word in words), told


@pytest.mark.parametrize("apps", ["shop", {"shop": {}}, ["shop"], None, 3])
def test_not_a_list_of_dictionaries(base: Path, apps: Any) -> None:
    told = web_problems(apps, {}, base=str(base), contract=CONTRACT, python="", recipe=str(base))
    assert told == ["web_apps: must be a list of dictionaries, one for each app (begin each with '- name: …')"]


def test_every_problem_is_told_at_once(base: Path) -> None:
    told = problems(base, app(processes=0, threads="many", procceses=1), app(name="b/c"))
    assert all(word in told for word in ("'processes'", "'threads'", "'procceses'", '"b/c"'))


def test_duplicates(base: Path) -> None:
    assert "the name 'shop' is there twice" in problems(base, app(), app(server_names=["other.test"]))
    clash = problems(base, app(), app(name="shop-2", source="shop"))
    assert "'shop-2' and 'shop' both have 'shop.test' in 'server_names'" in clash


def test_a_name_too_long_for_a_socket(base: Path) -> None:
    assert "too long for a socket" in problems(base, app(name="s" * 80, source="shop"))
    assert problems(base, app(name="s" * 60, source="shop")) == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("flask==3.1.3\n", ["'flask==3.1.3' has no hash", "require_hashes: false"]),
        ("-r other.txt\n", ["'-r other.txt' leads to another file"]),
        ("--editable .\n", ["leads to another file"]),
    ],
)
def test_requirements(base: Path, content: str, words: list[str]) -> None:
    (base / "shop" / "requirements.txt").write_text(content)
    told = problems(base, app())
    assert all(word in told for word in words), told


def test_requirements_without_hashes_if_wanted(base: Path) -> None:
    (base / "shop" / "requirements.txt").write_text("flask\n")
    assert problems(base, app(require_hashes=False)) == ""


@pytest.mark.parametrize("target", ["/etc/passwd", "/etc", "static"])
def test_links_that_a_release_cant_hold(base: Path, target: str) -> None:
    (base / "shop" / "link").symlink_to(target)
    assert "'link' is a link to a folder or out of the source" in problems(base, app())


def test_a_link_to_a_file_of_the_source_counts_as_the_file(base: Path) -> None:
    (base / "shop" / "link.py").symlink_to("flask_wsgi.py")
    files = {file.path: file.sha256 for file in code_files(str(base / "shop"))}
    assert files["link.py"] == files["flask_wsgi.py"]


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        ({"shpo": {"A": "x"}}, ["'shpo' is not an app", "did you mean 'shop'?"]),
        ({"shop": {"A": True}}, ["web_app_secrets: 'shop'", "quotes"]),
        ({"shop": "x"}, ["web_app_secrets: 'shop'", "dictionary"]),
        ({"shop": {"DEBUG": "x"}}, ["sets 'DEBUG'", "keep one"]),
        (["x"], ["web_app_secrets: must be a dictionary"]),
    ],
)
def test_secrets(base: Path, secrets: Any, words: list[str]) -> None:
    told = problems(base, app(environment={"DEBUG": "1"}), secrets=secrets)
    assert all(word in told for word in words), told


def test_bad_settings_carry_each_problem(base: Path) -> None:
    with pytest.raises(BadSettings) as refused:
        plan(base, app(processes=0, threads=0))
    assert len(refused.value.problems) == 2


def test_what_the_roles_get(base: Path) -> None:
    made = plan(base, app(environment={"A": 1}), secrets={"shop": {"B": "hidden"}})
    (code,), (instance,), (site,) = made["flask_app"], made["uwsgi"], made["nginx"]
    assert instance["release"] == code["release"] == f"/opt/shop/releases/{instance['id']}"
    assert instance["socket"] == f"/run/shop/{instance['id']}.sock"
    assert instance["live_socket"] == site["socket"] == "/run/shop/shop.sock"
    assert site["static_root"] == "/opt/shop/current/code/static"
    assert site["read_timeout"] > instance["request_timeout"]
    assert instance["stop_timeout"] > instance["request_timeout"]
    assert made["environments"] == {"shop": {"A": "1"}}
    assert made["secrets"] == {"shop": {"B": "hidden"}}
    assert "hidden" not in str([made["flask_app"], made["uwsgi"], made["nginx"]])


def test_a_wildcard_is_probed_under_a_real_name(base: Path) -> None:
    assert plan(base, app(server_names=["*.shop.test"]))["uwsgi"][0]["front"]["host"] == "probe.shop.test"


def test_an_absent_app_needs_no_more_than_its_name(base: Path) -> None:
    made = plan(base, app(), {"name": "old", "state": "absent", "purge": True})
    places = {"name": "old", "root": "/opt/old", "run": "/run/old", "data": "/var/lib/old", "purge": True}
    assert made["absent"] == [places]
    assert [instance["name"] for instance in made["uwsgi"]] == ["shop"]
    assert [places["name"] for places in made["everything"]] == ["shop", "old"]


def test_equal_inputs_make_equal_ids(base: Path) -> None:
    first = release_id(base)
    shutil.copytree(base, base / "copy", symlinks=True)
    (base / "shop" / "flask_wsgi.py").touch()
    assert release_id(base) == release_id(base / "copy") == first
    assert len(first) == 12


IN_THE_ID: dict[str, dict[str, Any]] = {
    "processes": {"processes": 8},
    "threads": {"threads": 8},
    "environment": {"environment": {"A": "2"}},
    "callable": {"callable": "other"},
    "hooks": {"before_live": ["true"]},
    "queue": {"listen_queue": 100},
    "timeout": {"request_timeout": 31},
}


@pytest.mark.parametrize("name", IN_THE_ID)
def test_what_an_instance_carries_is_in_its_id(base: Path, name: str) -> None:
    assert release_id(base, app(**IN_THE_ID[name])) != release_id(base)


def test_so_are_source_secrets_python_contract_and_templates(base: Path) -> None:
    seen = [release_id(base)]
    (base / "shop" / "flask_wsgi.py").write_text("app = 1\n")
    seen.append(release_id(base))
    (base / "shop" / "flask_wsgi.py").chmod(0o755)
    seen.append(release_id(base))
    (base / "shop" / "new.py").write_text("")
    seen.append(release_id(base))
    (base / "templates" / "ini.j2").write_text("threads")
    seen.append(release_id(base))
    seen.append(release_id(base, secrets={"shop": {"A": "x"}}))
    seen.append(release_id(base, secrets={"shop": {"A": "y"}}))
    seen.append(release_id(base, python="3.13.6"))
    seen.append(release_id(base, user="nobody"))
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    "changes",
    [{"server_names": ["b.test"]}, {"max_body": "9m"}, {"health_path": "/"}, {"keep_releases": 9}, {"static_url": "/"}],
)
def test_what_an_instance_doesnt_carry_makes_no_new_one(base: Path, changes: dict[str, Any]) -> None:
    assert release_id(base, app(**changes)) == release_id(base)


@pytest.mark.parametrize(
    "path", [".git/config", "__pycache__/a.pyc", "a.pyc", ".venv/x", "node_modules/x", ".ruff_cache/x"]
)
def test_what_is_no_code_doesnt_count(base: Path, path: str) -> None:
    before = release_id(base)
    (base / "shop" / path).parent.mkdir(exist_ok=True)
    (base / "shop" / path).write_text("x")
    assert release_id(base) == before


def test_a_virtualenv_depends_on_requirements_and_python_alone(base: Path) -> None:
    def venv(**options: Any) -> str:
        return str(plan(base, **options)["flask_app"][0]["venv"])

    first = venv()
    (base / "shop" / "flask_wsgi.py").write_text("app = 1\n")
    assert venv() == venv(python="3.13.9") == first
    assert venv(python="3.11.2") != first
    (base / "shop" / "requirements.txt").write_text("flask==3.1.2 --hash=sha256:01\n")
    assert venv() != first


def test_every_key_says_what_it_means() -> None:
    assert all(public_keys().values())
    assert set(public_keys()) == set(App.__dataclass_fields__)
