"""nginx's configuration as one transaction, on a directory and an nginx made of a few lines."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from ansible.module_utils.nginx_tree import DISTRIBUTION, Configuration, Rejected, drift
from ansible.module_utils.web_files import OwnedFile

PROOF = "server { server_name @generation@.invalid; }\n"
FILES = {"nginx.conf": "include conf.d/*.conf;\n", "conf.d/00-default.conf": PROOF, "conf.d/shop.conf": "shop\n"}


@dataclasses.dataclass
class Nginx:
    """An nginx that loads what is on the disk when it is reloaded, unless it is told to refuse."""

    root: Path
    said: str = ""
    takes_it: bool = True
    loaded: str = ""
    active: str = "active"
    clock: float = 0.0
    reloads: int = 0

    def test(self, root: Path) -> tuple[int, str]:
        texts = "".join(path.read_text() for path in root.rglob("*") if path.is_file())
        return (1, f"{root}/nginx.conf: [emerg] nonsense") if "nonsense" in texts else (0, self.said)

    def systemctl(self, *words: str) -> tuple[int, str]:
        if words[0] == "reload-or-restart":
            self.reloads += 1
            proof = self.root / "conf.d/00-default.conf"
            if self.takes_it and proof.exists():
                self.loaded = proof.read_text()
        return 0, ""

    def show(self) -> dict[str, str]:
        return {"ActiveState": self.active, "UnitFileState": "enabled", "NeedDaemonReload": "no"}

    def answers_to(self, generation: str, address: str) -> bool:
        return f"{generation}.invalid" in self.loaded

    def error_log(self) -> str:
        return "bind() failed"

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """/etc/nginx as the distribution brings it."""
    root = tmp_path / "nginx"
    (root / "conf.d").mkdir(parents=True)
    (root / "sites-enabled").mkdir()
    (root / "nginx.conf").write_text("the distribution's\n")
    (root / "sites-enabled/default").symlink_to("/etc/nginx/sites-available/default")
    return root


@pytest.fixture
def nginx(root: Path) -> Nginx:
    return Nginx(root)


def configuration(nginx: Nginx, files: dict[str, str] | None = None, absent: tuple[str, ...] = ()) -> Configuration:
    drop_in = OwnedFile(nginx.root.parent / "nginx.service.d/restart.conf", "Restart=always\n")
    unwanted = ("sites-enabled/default", *absent)
    return Configuration(nginx.root, files or FILES, unwanted, "127.0.0.1:80", drop_in, nginx)


def tree(root: Path) -> dict[str, str]:
    found = {}
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = path.read_text()
    return found


def test_puts_in_place_and_proves(nginx: Nginx) -> None:
    made = configuration(nginx)
    assert not made.is_live()
    made.apply()
    assert configuration(nginx).is_live()
    assert made.generation in (nginx.root / "conf.d/00-default.conf").read_text()
    assert not (nginx.root / "sites-enabled/default").is_symlink()
    assert made.drop_in.is_right()


def test_a_wrong_one_changes_nothing(nginx: Nginx) -> None:
    before = tree(nginx.root)
    for _again in range(2):
        with pytest.raises(Rejected, match=rf"{nginx.root}/nginx.conf: \[emerg\] nonsense"):
            configuration(nginx, {**FILES, "conf.d/shop.conf": "nonsense"}).apply()
        assert tree(nginx.root) == before
    assert nginx.reloads == 0


def test_so_does_somebody_elses_broken_snippet(nginx: Nginx) -> None:
    (nginx.root / "conf.d/other.conf").write_text("nonsense")
    with pytest.raises(Rejected):
        configuration(nginx).apply()


def test_a_name_that_is_there_twice_is_wrong_too(nginx: Nginx) -> None:
    nginx.said = 'nginx: [warn] conflicting server name "shop.test" on 0.0.0.0:80, ignored'
    with pytest.raises(Rejected, match="conflicting server name"):
        configuration(nginx).apply()


def test_one_that_isnt_taken_is_taken_back(nginx: Nginx) -> None:
    configuration(nginx).apply()
    before = tree(nginx.root)
    nginx.takes_it = False
    with pytest.raises(Rejected, match=r"bind\(\) failed"):
        configuration(nginx, {**FILES, "conf.d/shop.conf": "listen 81\n"}).apply()
    assert tree(nginx.root) == before


@pytest.mark.parametrize("edit", ["nginx.conf", "conf.d/shop.conf", "mime.types", "conf.d/others.conf"])
def test_an_edit_of_any_file_is_seen(nginx: Nginx, edit: str) -> None:
    (nginx.root / "mime.types").write_text("types")
    configuration(nginx).apply()
    assert drift(nginx.root, "", nginx) == []
    (nginx.root / edit).write_text("by hand")
    assert not configuration(nginx).is_live()
    assert drift(nginx.root, "", nginx) == [f"files below {nginx.root} were changed since the last deploy"]
    configuration(nginx).apply()
    assert configuration(nginx).is_live()


def test_a_mode_counts(nginx: Nginx) -> None:
    configuration(nginx).apply()
    (nginx.root / "nginx.conf").chmod(0o666)
    assert not configuration(nginx).is_live()


def test_an_older_configuration_that_runs_is_seen(nginx: Nginx) -> None:
    configuration(nginx).apply()
    nginx.loaded = ""
    assert not configuration(nginx).is_live()
    assert drift(nginx.root, "", nginx) == ["nginx runs another configuration than the one that was deployed"]


def test_an_nginx_that_doesnt_run_is_seen(nginx: Nginx) -> None:
    configuration(nginx).apply()
    nginx.active = "failed"
    assert not configuration(nginx).is_live()


def test_a_site_that_must_not_be_there_goes(nginx: Nginx) -> None:
    configuration(nginx).apply()
    without = {path: text for path, text in FILES.items() if "shop" not in path}
    configuration(nginx, without, absent=("conf.d/shop.conf",)).apply()
    assert not (nginx.root / "conf.d/shop.conf").exists()


def test_all_can_be_put_back(nginx: Nginx) -> None:
    before = tree(nginx.root)
    made = configuration(nginx)
    assert not made.is_ours()
    made.apply()
    assert (nginx.root / DISTRIBUTION / "nginx.conf").read_text() == "the distribution's\n"
    configuration(nginx, {**FILES, "conf.d/later.conf": "later\n"}).apply()
    torn_down = configuration(nginx, {**FILES, "conf.d/later.conf": ""})
    assert torn_down.is_ours()
    torn_down.restore()
    assert tree(nginx.root) == before
    assert not torn_down.is_ours()


def test_the_diff_shows_what_goes(nginx: Nginx) -> None:
    configuration(nginx).apply()
    (nginx.root / "conf.d/wiki.conf").write_text("wiki\n")
    (shown,) = configuration(nginx, absent=("conf.d/wiki.conf",)).diff()
    assert (shown["before"], shown["after"], shown["after_header"]) == ("wiki\n", "", "/dev/null")
    assert shown["before_header"] == str(nginx.root / "conf.d/wiki.conf")
