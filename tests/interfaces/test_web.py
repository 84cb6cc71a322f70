"""./web: which line each command is, that the line can be pasted, and how it ends."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from project import PROJECT

WEB = PROJECT / "web"
# A shell in which nobody has activated anything.
BARE = {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"}
RUN = ".venv/bin/ansible-playbook -i inventory/production.yml"
SHOWN = f"ANSIBLE_DISPLAY_OK_HOSTS=false ANSIBLE_DISPLAY_SKIPPED_HOSTS=false {RUN}"
NOBODY = {"web": {"hosts": {"192.0.2.1": {"ansible_ssh_common_args": "-o ConnectTimeout=1", "ansible_timeout": 1}}}}


def web(*words: str, cwd: Path = PROJECT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(WEB), *words],
        cwd=cwd,
        env={**BARE, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def line(*words: str, cwd: Path = PROJECT, **environment: str) -> str:
    ended = web(*words, "--dry-run", cwd=cwd, **environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.removesuffix("\n")


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("bootstrap", f"{RUN} bootstrap.yml"),
        (
            "bootstrap --login debian --fingerprint SHA256:a+/B --fingerprint SHA256:c --check",
            f"{RUN} bootstrap.yml -e login=debian -e fingerprint=SHA256:a+/B,SHA256:c --check",
        ),
        ("check shop", f"{RUN} settings.yml -e app=shop"),
        ("deploy", f"{RUN} site.yml"),
        ("deploy -e demo", f"{RUN.replace('production', 'demo')} site.yml"),
        (
            "deploy shop wiki --limit web1 --check --diff",
            f"{RUN} site.yml -e app=shop,wiki --limit=web1 --check --diff",
        ),
        (
            "deploy --restart shop --restart wiki --refresh shop --hooks skip",
            f"{RUN} site.yml -e restart=shop,wiki -e refresh=shop -e hooks=skip",
        ),
        ("rollback", f"{RUN} rollback.yml"),
        (
            "rollback shop --to 3f9a1c0b7d2e --keep-environment",
            f"{RUN} rollback.yml -e app=shop -e release=3f9a1c0b7d2e -e keep_environment=true",
        ),
        ("status", f"{SHOWN} status.yml"),
        ("status shop --json", f"{SHOWN} status.yml -e app=shop -e format=json"),
        ("logs", f"{SHOWN} logs.yml"),
        (
            "logs shop -f --since 10m --grep ' 50[0-9] ' --lines 50",
            f"""{SHOWN} logs.yml -e app=shop -e follow=yes -e since=10m -e '{{"grep": " 50[0-9] "}}' -e lines=50""",
        ),
        (
            "run 'flask db current' --app shop",
            f"""{SHOWN} run.yml -e '{{"command": "flask db current"}}' -e app=shop""",
        ),
        ("maintenance off shop", f"{RUN} maintenance.yml -e state=off -e app=shop"),
        (
            "maintenance on --let-pass 203.0.113.7 --let-pass 2001:db8::/32 --page /etc/hostname",
            f"{RUN} maintenance.yml -e state=on -e let_pass=203.0.113.7,2001:db8::/32 -e page=/etc/hostname",
        ),
        ("libraries --check", f"{RUN} libraries.yml --check"),
        ("firewall --undo-after 30", f"{RUN} firewall.yml -e undo_after=30"),
        ("firewall --off", f"{RUN} firewall.yml -e state=absent"),
        ("services", f"{RUN} services.yml"),
        ("wheelhouse shop --refresh shop", f"{RUN} wheelhouse.yml -e app=shop -e refresh=shop"),
        ("prune shop", f"{RUN} prune.yml -e app=shop"),
        ("teardown shop --purge", f"{RUN} teardown.yml -e confirm=yes -e app=shop -e purge=true"),
        (
            "teardown --yes --remove-packages --remove-users",
            f"{RUN} teardown.yml -e confirm=yes -e remove_packages=true -e remove_users=true",
        ),
    ],
)
def test_each_command_is_one_line(asked: str, shown: str) -> None:
    assert line(*shlex.split(asked)) == shown
    # What is handed over is a word of the playbook.
    words = shlex.split(shown)
    (playbook,) = [word for word in words if word.endswith(".yml") and "/" not in word]
    text = (PROJECT / playbook).read_text()
    given = [re.split('[="]', words[at + 1].removeprefix('{"'))[0] for at, word in enumerate(words) if word == "-e"]
    assert [name for name in given if not re.search(rf"\b{name}\b", text)] == []


def test_words_behind_two_hyphens_are_ansibles() -> None:
    ended = web("deploy", "shop", "--dry-run", "--", "-v", "--tags", "a b", "--", "--check")
    assert ended.stdout == f"{RUN} site.yml -e app=shop -v --tags 'a b' -- --check\n"


def test_the_line_fits_the_folder_and_the_shell(tmp_path: Path) -> None:
    far = f"{PROJECT}/.venv/bin/ansible-playbook -i {PROJECT}/inventory/production.yml {PROJECT}/site.yml"
    assert line("deploy", cwd=tmp_path) == f"ANSIBLE_CONFIG={PROJECT}/ansible.cfg {far}"
    assert line("deploy", cwd=tmp_path, ANSIBLE_CONFIG=f"{PROJECT}/ansible.cfg") == far
    assert line("deploy", ANSIBLE_CONFIG="/etc/other.cfg") == f"ANSIBLE_CONFIG={PROJECT}/ansible.cfg {RUN} site.yml"
    activated = f"{PROJECT}/.venv/bin:/usr/bin:/bin"
    assert line("deploy", PATH=activated) == "ansible-playbook -i inventory/production.yml site.yml"


@pytest.mark.parametrize(("extra", "code"), [(["--syntax-check"], 0), ([], 4), (["--no-such-word"], 2)])
def test_a_pasted_line_ends_as_the_command_does(tmp_path: Path, extra: list[str], code: int) -> None:
    inventory = tmp_path / "some hosts.yml"
    inventory.write_text(yaml.safe_dump(NOBODY))
    words = ["logs", "-e", str(inventory), "--grep", "it's $HOME"]
    pasted = web(*words, "--dry-run", "--", *extra, cwd=tmp_path).stdout
    ended = subprocess.run(["bash", "-c", pasted], cwd=tmp_path, env=BARE, capture_output=True, text=True, check=False)
    own = web(*words, "--", *extra, cwd=tmp_path)
    assert (own.returncode, ended.returncode) == (code, code), ended.stdout + ended.stderr
    assert own.stderr.splitlines()[0] == pasted.removesuffix("\n")
    assert own.stdout == ended.stdout


def test_a_text_is_no_template(tmp_path: Path) -> None:
    """It would be rendered here, not on the server."""
    text = """docker ps --format '{{.Names}}' "{% raw %}" é"""
    words = shlex.split(line("run", text))
    (tmp_path / "show.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n"
        "  tasks: [{ansible.builtin.copy: {content: '{{ command }}', dest: '{{ playbook_dir }}/got'}}]\n"
    )
    ansible = [words[2], "-i", "localhost,", "-c", "local", str(tmp_path / "show.yml"), *words[words.index("-e") :]]
    subprocess.run(ansible, cwd=PROJECT, env=BARE, check=True, capture_output=True)
    assert (tmp_path / "got").read_text() == text


def test_a_teardown_is_asked_about() -> None:
    ended = web("teardown", "shop")
    assert ended.returncode == 1
    assert "Remove shop from production? [y/N]" in ended.stderr
    assert "PLAY" not in ended.stdout


@pytest.mark.parametrize(
    ("asked", "empty"),
    [
        ("teardown '' --yes", "APP"),
        ("teardown ''", "APP"),
        ("deploy shop ' , '", "APP"),
        ("deploy --restart ''", "RESTART"),
        ("rollback shop --to ''", "TO"),
        ("prune --limit ''", "LIMIT"),
    ],
)
def test_what_is_empty_doesn_t_mean_all(asked: str, empty: str) -> None:
    """As in `./web teardown "$APP"` where APP isn't set."""
    ended = web(*shlex.split(asked), "--dry-run")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"{empty} is empty: write it, or leave it out altogether." in ended.stderr


def test_an_environment_that_isn_t_there() -> None:
    ended = web("status", "-e", "prodution")
    assert ended.returncode == 2
    assert "inventory/prodution.yml. Environments: demo, production; ./web init makes one" in " ".join(
        ended.stderr.split()
    )


def test_a_clone_without_the_tools_says_what_is_missing(tmp_path: Path) -> None:
    copy = tmp_path / "web"
    copy.write_bytes(WEB.read_bytes())
    copy.chmod(0o755)
    link = tmp_path / "bin" / "web"
    link.parent.mkdir()
    link.symlink_to(copy)
    ended = subprocess.run([str(link), "status"], env=BARE, capture_output=True, text=True, check=False)
    said = f"web: the tools aren't installed yet: make -C {tmp_path} setup\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", said)


def test_every_command_has_help_with_examples() -> None:
    listed = web("--help").stdout.partition("Commands:\n")[2].splitlines()
    commands = [words[0] for words in map(str.split, listed) if words]
    assert {"init", "bootstrap", "check", "deploy", "rollback", "status", "logs", "run", "maintenance"} < {*commands}
    for command in commands:
        ended = web(command, "--help")
        assert ended.returncode == 0
        assert f"Examples:\n    ./web {command}" in ended.stdout


def completed(*typed: str) -> list[str]:
    ended = web(COMP_WORDS=" ".join(["./web", *typed]), COMP_CWORD=str(len(typed)), _WEB_COMPLETE="bash_complete")
    return [word.partition(",")[2] for word in ended.stdout.splitlines()]


def test_commands_environments_and_apps_are_completed() -> None:
    assert completed("te") == ["teardown"]
    assert completed("status", "-e", "d") == ["demo"]
    assert completed("status", "-e", "demo", "uwsgi-flask-") == ["uwsgi-flask-https"]
    assert "complete -o nosort -F _web_completion web" in web(_WEB_COMPLETE="bash_source").stdout


# --- init -------------------------------------------------------------------------------------------------------------

ANSWERS = ("--hosts", "web1.example.org, web2.example.org:2222", "--user", "deploy", "--app", "shop")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The project as somebody has just cloned it, with an app beside it."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("ansible.cfg", "collections", "plugins", "roles", "hosts.yml", "settings.yml", ".venv"):
        (folder / name).symlink_to(PROJECT / name)
    for name in ("tools", "inventory"):
        shutil.copytree(PROJECT / name, folder / name)
    shutil.copy(WEB, folder)
    shutil.copytree(PROJECT / "uwsgi-flask", tmp_path / "shop", ignore=shutil.ignore_patterns("tests"))
    return folder


def init(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(clone / "web"), "init", *words],
        cwd=clone,
        env=BARE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "place"), [(("-e", "staging"), ""), (("-e", "production"), " (in place of the example)")]
)
def test_init_writes_settings_that_can_be_used(clone: Path, words: tuple[str, ...], place: str) -> None:
    names = ("--source", "../shop", "--server-names", "shop.example.org,*.shop.example.org")
    ended = init(clone, *words, *ANSWERS, *names)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    environment = words[1]
    inventory = yaml.safe_load((clone / f"inventory/{environment}.yml").read_text())
    assert inventory == {
        "web": {"children": {environment: None}},
        environment: {
            "hosts": {"web1.example.org": None, "web2.example.org": {"ansible_port": 2222}},
            "vars": {"ansible_user": "deploy"},
        },
    }
    apps = clone / f"group_vars/{environment}/web_apps.yml"
    app = {"name": "shop", "source": "../shop", "server_names": ["shop.example.org", "*.shop.example.org"]}
    assert yaml.safe_load(apps.read_text()) == {"web_apps": [app]}
    assert ended.stdout.startswith(
        f"Written: inventory/{environment}.yml{place}, group_vars/{environment}/web_apps.yml\n"
    )
    assert ended.stdout.endswith(
        "      ./web deploy\n" if environment == "production" else "      ./web deploy -e staging\n"
    )
    for path in (clone / f"inventory/{environment}.yml", apps):
        kept = path.read_text()
        again = init(clone, *words, *ANSWERS, *names)
        assert again.returncode == 1
        assert f"{path} is there already, and stays as it is" in again.stderr
        assert path.read_text() == kept
        (clone / f"inventory/{environment}.yml").unlink(missing_ok=True)


def test_init_says_what_the_settings_lack(clone: Path) -> None:
    ended = init(clone, "-e", "staging", *ANSWERS, "--source", "../nowhere", "--server-names", "shop.example.org")
    assert ended.returncode == 2
    assert "there is no folder" in ended.stdout
    assert ended.stdout.endswith("Mend what is said above, in these files; then: ./web check -e staging\n")


def test_init_leaves_settings_of_ones_own(clone: Path) -> None:
    """Whatever stands in them."""
    inventory = clone / "inventory/production.yml"
    inventory.write_text("web: {hosts: {web1: {token: !vault x}}}\n")
    ended = init(clone, "-e", "production", *ANSWERS, "--source", "x", "--server-names", "a.test")
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"Error: {inventory} is there already, and stays as it is")


def test_init_takes_no_part_of_an_address_for_a_port(clone: Path) -> None:
    words = ("--hosts", "2001:db8::1,[2001:db8::2]:2222", "--user", "me", "--app", "shop", "--source", "x")
    init(clone, "-e", "six", *words, "--server-names", "a.test")
    hosts = yaml.safe_load((clone / "inventory/six.yml").read_text())["six"]["hosts"]
    assert hosts == {"2001:db8::1": None, "2001:db8::2": {"ansible_port": 2222}}


def test_init_names_what_is_missing_where_nobody_can_be_asked(clone: Path) -> None:
    ended = init(clone, "-e", "staging", *ANSWERS, "--source", "../shop")
    assert ended.returncode == 2
    assert "--server-names is missing, and there is nobody to ask." in ended.stderr
    assert not (clone / "inventory/staging.yml").exists()


@pytest.mark.parametrize("name", ["Staging", "../x", "web", "a-b"])
def test_init_refuses_what_is_no_group(clone: Path, name: str) -> None:
    ended = init(clone, "-e", name, *ANSWERS)
    assert ended.returncode == 2
    assert f"{name!r}: small letters, digits and _" in ended.stderr
