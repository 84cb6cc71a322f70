"""Debian's packages that apps need: how they are written, what a host lacks, and who is refused without them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.look import installed, provided
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.debian import not_installed
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.settle import Dependencies
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import Settings

from settings import Workshop, app

# dpkg's list on a host: state, name, and after a tab what it provides.
LISTED = """installed libmagic1t64\tlibmagic1 (= 1:5.46-5), libmagic
installed gcc\tc-compiler, gcc-x86-64-linux-gnu (= 4:14.2.0-1)
config-files postgresql\tdatabase
half-configured nginx\thttpd
installed git\t
"""
WIKI = app(name="wiki", source="shop", server_names=["wiki.test"], packages=["libmagic1", "poppler-utils"])
NO_VERSION = "leave the version out: Debian keeps one, and replaces it with each security fix"
MUST = "must be a list of names of Debian packages"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("libmagic1", f"{MUST} ([libmagic1, libpq5])"),
        ({"libmagic1": None}, f"{MUST} ([libmagic1, libpq5])"),
        ([3], f"{MUST} (libmagic1); 3 isn't one"),
        (["a"], f'{MUST} (libmagic1); "a" isn\'t one'),
        (["libmagic1 gcc"], f'{MUST} (libmagic1); "libmagic1 gcc" isn\'t one'),
        # Words that apt takes for more than a name: take it off, all that match, an option, another architecture.
        (["gcc-"], f'{MUST} (libmagic1); "gcc-" isn\'t one'),
        (["lib*"], f'{MUST} (libmagic1); "lib*" isn\'t one'),
        (["--reinstall"], f'{MUST} (libmagic1); "--reinstall" isn\'t one'),
        (["gcc:i386"], f'{MUST} (libmagic1); "gcc:i386" isn\'t one'),
        (["./gcc.deb"], f'{MUST} (libmagic1); "./gcc.deb" isn\'t one'),
        (["libGL1"], f"{MUST} (libmagic1); \"libGL1\" isn't one; did you mean 'libgl1'?"),
        (
            ["gcc=4:14.2.0-1"],
            f"{MUST} (libmagic1); (not shown) isn't one; {NO_VERSION}",
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("key", ["packages", "build_packages"])
def test_a_name_is_refused(workshop: Workshop, key: str, value: Any, why: str) -> None:
    problem = workshop.problem(app(**{key: value}))
    assert problem.startswith(f"web_apps: 'shop' has '{key}'")
    assert problem.endswith(f", but it {why}")


def test_what_is_written_twice_is_meant_once(workshop: Workshop) -> None:
    names = ["g++", "libpq-dev", "g++", "libstdc++6", "python3.11"]
    assert workshop.item(app(packages=names))["app"]["packages"] == ["g++", "libpq-dev", "libstdc++6", "python3.11"]


def test_a_release_is_the_same_with_and_without_them(workshop: Workshop) -> None:
    assert workshop.id(app(packages=["libmagic1"], build_packages=["gcc"])) == workshop.id()


def lacking(workshop: Workshop, *apps: Any, **options: Any) -> list[tuple[str, str, str]]:
    made = workshop.plan(*apps, **options)["packages"]
    return [(one["app"], one["key"], one["package"]) for one in made]


@pytest.mark.parametrize(
    ("host", "left"),
    [
        (
            {},
            [
                ("shop", "build_packages", "gcc"),
                ("wiki", "packages", "libmagic1"),
                ("wiki", "packages", "poppler-utils"),
            ],
        ),
        ({"packages": ["gcc", "libmagic1"]}, [("wiki", "packages", "poppler-utils")]),
        ({"packages": installed(LISTED), "provided": provided(LISTED)}, [("wiki", "packages", "poppler-utils")]),
        ({"packages": ["gcc", "libmagic1", "poppler-utils"]}, []),
    ],
    ids=["nothing is known", "by name", "as dpkg lists them", "all are there"],
)
def test_what_a_host_lacks(workshop: Workshop, host: dict[str, Any], left: list[tuple[str, str, str]]) -> None:
    assert lacking(workshop, app(build_packages=["gcc"]), WIKI, host=host) == left


def test_only_of_apps_that_are_deployed(workshop: Workshop) -> None:
    gone = {"name": "old", "state": "absent", "packages": ["gcc"]}
    assert lacking(workshop, app(packages=["gcc"]), WIKI, gone, app="shop") == [("shop", "packages", "gcc")]


def test_what_dpkg_lists() -> None:
    assert installed(LISTED) == ["gcc", "git", "libmagic1t64"]
    assert provided(LISTED) == ["c-compiler", "gcc-x86-64-linux-gnu", "libmagic", "libmagic1"]


@pytest.mark.parametrize(
    ("requirement", "needs"),
    [
        ("flask @ git+https://git.test/flask@v3", True),
        ("git+https://git.test/flask@v3", True),
        ("flask==3.1.3 --hash=sha256:00  # was git+https://git.test/flask", False),
        ("gitpython==3.1.0 --hash=sha256:00", False),
    ],
)
def test_git_comes_with_requirements_that_it_fetches(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, requirement: str, needs: bool
) -> None:
    locked = f"click==8.1.8 --hash=sha256:00\n{requirement}\n"
    monkeypatch.setattr(Settings, "dependencies", lambda _settings, _app: Dependencies(locked))
    assert lacking(workshop, app()) == ([("shop", "requirements", "git")] if needs else [])
    assert lacking(workshop, app(), host={"packages": ["git"]}) == []


# --- What apt says of them ------------------------------------------------------------------------------------------

LACKING = [
    {"app": "shop", "key": "packages", "package": "libmagicc1"},
    {"app": "shop", "key": "build_packages", "package": "gcc"},
    {"app": "wiki", "key": "build_packages", "package": "gcc"},
    {"app": "wiki", "key": "requirements", "package": "git"},
]


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"libmagicc1": "", "gcc": "", "git": ""}, {}),
        (
            {"libmagicc1": "No package matching 'libmagicc1' is available", "gcc": "", "git": ""},
            {
                "shop": "'packages' names 'libmagicc1', which can't be installed: "
                "No package matching 'libmagicc1' is available"
            },
        ),
        (
            {"libmagicc1": "no", "gcc": "E: the disk is full\nE: and more", "git": "E: the line is lost"},
            {
                "shop": "'packages' names 'libmagicc1', which can't be installed: no; "
                "'build_packages' names 'gcc', which can't be installed: E: the disk is full",
                "wiki": "'build_packages' names 'gcc', which can't be installed: E: the disk is full; "
                "the requirements need 'git', which can't be installed: E: the line is lost",
            },
        ),
    ],
)
def test_who_is_refused_for_what(said: dict[str, str], refused: dict[str, str]) -> None:
    tried = [
        {"flask_app_package": name, **({"msg": text} if text else {"changed": True})} for name, text in said.items()
    ]
    assert not_installed(LACKING, tried) == refused


def test_nobody_is_where_apt_was_content() -> None:
    assert not_installed(LACKING, []) == {}
