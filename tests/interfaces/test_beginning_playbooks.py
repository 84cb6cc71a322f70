"""Every playbook as a person starts it: what misses what was meant is red before any host is touched, and says why."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.beginning import COLLECTION

from clone import Clone
from project import PLAYBOOKS
from settings import Workshop

REACHED = ("UNREACHABLE", "Failed to connect", "lease")
APPS = "web_apps: [{name: shop, server_names: [shop.test]}]\n"


@pytest.fixture
def clone(workshop: Workshop) -> Clone:
    clone = Clone(workshop)
    clone.write("group_vars/web.yml", APPS)
    (clone.folder / "shop").symlink_to(workshop.source)
    return clone


def said(ended: subprocess.CompletedProcess[str]) -> str:
    """All that a red run says; no host was touched."""
    output = ended.stdout + ended.stderr
    assert ended.returncode not in (0, 4), output
    assert not any(word in output for word in REACHED), output
    assert "Traceback" not in output
    return " ".join(output.split())


# --- From where, and with which configuration ---------------------------------------------------------------------


@pytest.mark.parametrize("name", [path.name for path in PLAYBOOKS])
@pytest.mark.parametrize("limit", [(), ("--limit", "one")], ids=["all hosts", "one host"])
def test_every_playbook_says_what_is_wrong_with_its_start(
    clone: Clone, tmp_path: Path, name: str, limit: tuple[str, ...]
) -> None:
    """`-e confirm=yes -e aap=shop` would remove every app."""
    given = ("-e", "confirm=yes", "-e", "aap=shop", "-e", "processes=8", *limit)
    told = said(clone.run(f"{clone.folder}/{name}", *given, folder=tmp_path, configuration=""))
    assert told.count("-e 'aap': nothing reads this variable; did you mean 'app'?") == 1
    assert told.count("-e 'processes': nothing reads this variable; 'processes' is a key of an app") == 1
    assert told.count(f"run this in {clone.folder}, or export ANSIBLE_CONFIG={clone.folder}/ansible.cfg") == 1


@pytest.mark.parametrize("name", [path.name for path in PLAYBOOKS])
@pytest.mark.parametrize(("empty", "limit"), [("", ""), (" , ", ","), ("", " : "), ("", "@none,"), ("", "@blank")])
def test_what_is_empty_doesn_t_mean_all(clone: Clone, name: str, empty: str, limit: str) -> None:
    """As in `-e app=$APP --limit "$ONE,$TWO"` where none is set."""
    clone.write("none", "")
    clone.write("blank", "\n \n")
    told = said(clone.run(name, "-e", f"app='{empty}'", "--limit", limit))
    assert told.count("-e app: names no app; write its name, or leave `-e app` out if all are meant") == 1
    assert told.count("--limit: names no host; write one, or leave --limit out if all are meant") == 1


@pytest.mark.parametrize("name", [path.name for path in PLAYBOOKS])
def test_a_limit_to_servers_of_another_kind_is_no_run_without_work(clone: Clone, name: str) -> None:
    clone.inventory.write_text(clone.inventory.read_text() + "database: {hosts: {two: }}\n")
    told = said(clone.run(name, "-e", "confirm=yes", "--limit", "two"))
    assert told.count("--limit two: chooses none of the hosts in the group 'web'; they are one") == 1


@pytest.mark.parametrize("name", [path.name for path in PLAYBOOKS])
def test_no_task_has_a_tag_to_be_chosen_by(clone: Clone, name: str) -> None:
    told = said(clone.run(name, "-e", "confirm=yes", "-e", "state=on", "--tags", "shop"))
    assert told.count("shop: no task has a tag here, so all that do the work would be left out; choose apps with") == 1


def test_a_playbook_of_ones_own_may_have_tags(clone: Clone, workshop: Workshop) -> None:
    own = f"- ansible.builtin.import_playbook: {clone.folder}/settings.yml\n  tags: web\n"
    workshop.write("clone/all.yml", own)
    assert clone.run("all.yml", "--tags", "web").returncode == 0


def test_a_folder_that_everybody_may_write_to_is_named(clone: Clone) -> None:
    clone.folder.chmod(0o777)
    told = said(clone.run("site.yml", configuration=""))
    assert f"Ansible takes no ansible.cfg from {clone.folder}, where everybody may write: chmod o-w" in told
    assert clone.run("settings.yml").returncode == 0


def test_without_an_inventory_the_configuration_is_the_fault(clone: Clone, tmp_path: Path) -> None:
    told = said(clone.run(f"{clone.folder}/site.yml", folder=tmp_path, configuration="", inventory="/dev/null"))
    assert f"export ANSIBLE_CONFIG={clone.folder}/ansible.cfg" in told
    assert "There is no host in the group" not in told


def test_a_configuration_of_ones_own_may_say_what_is_needed(clone: Clone) -> None:
    clone.write("own.cfg", "[defaults]\ninterpreter_python = /usr/bin/python3\n")
    assert clone.run("settings.yml", configuration="own.cfg").returncode == 0
    clone.write("own.cfg", "[defaults]\ninterpreter_python = /usr/bin/python3\nstrategy = free\n")
    assert "'strategy' is free, so servers wouldn't wait for each other" in said(
        clone.run("settings.yml", configuration="own.cfg")
    )


def test_a_playbook_elsewhere_may_import_one(clone: Clone, workshop: Workshop) -> None:
    """Without the configuration Ansible can't even read it, and shows the remark that stands there."""
    workshop.write("elsewhere/all.yml", f"- ansible.builtin.import_playbook: {clone.folder}/settings.yml\n")
    elsewhere = workshop.folder / "elsewhere"
    ended = clone.run("all.yml", folder=elsewhere, configuration="")
    assert ended.returncode == 4, ended.stdout
    assert "export ANSIBLE_CONFIG=<the folder of this file>/ansible.cfg" in ended.stderr
    assert clone.run("all.yml", folder=elsewhere).returncode == 0


# --- Files that Ansible can't load --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "content", "fault"),
    [
        ("group_vars/web.yml", "web_apps:\n\t- name: shop\n", ":2:1: Tabs are usually invalid in YAML."),
        (
            "group_vars/all/x.yml",
            "a: 1\nb: {{ c }}\n",
            ":2:4: This may be an issue with missing quotes around a template",
        ),
        ("inventory/host_vars/one.yml", "a: 1\na: 2\n", ":2:1: Found duplicate mapping key 'a'."),
        ("group_vars/web.yml", "- a\n", ": holds no variables; write each as 'name: value' at the beginning of a line"),
    ],
    ids=["tabs", "braces", "twice", "a list"],
)
def test_the_file_is_named_with_the_line(clone: Clone, place: str, content: str, fault: str) -> None:
    file = clone.write(place, content)
    told = said_before_a_play(clone.run("status.yml"))
    assert told.count(f"{file}{fault}") == 1, told


@pytest.mark.parametrize("password", ["", "another"])
def test_an_encrypted_file_is_named_with_the_remedy(clone: Clone, workshop: Workshop, password: str) -> None:
    secret = VaultLib([("default", VaultSecret(b"right"))]).encrypt(APPS).decode()
    file = clone.write("group_vars/web.yml", secret)
    words = ["--vault-password-file", str(workshop.write("password", password))] if password else []
    told = said_before_a_play(clone.run("status.yml", *words))
    remedy = "it is encrypted, and can't be decrypted; give the right --vault-password-file or --ask-vault-pass"
    assert told.count(f"{file}: {remedy}") == 1
    right = str(workshop.write("password", "right"))
    assert clone.run("settings.yml", "--vault-password-file", right).returncode == 0


def test_files_of_others_are_left_alone(clone: Clone) -> None:
    clone.write("group_vars/database.yml", "\t\n")
    clone.hosts({"one": {}})
    clone.inventory.write_text(clone.inventory.read_text() + "database: {hosts: {two: }}\n")
    assert clone.run("settings.yml").returncode == 0


def test_what_ansible_leaves_out_is_left_out(clone: Clone) -> None:
    """What an editor or a file manager leaves in a folder, and a file behind a folder of the same name."""
    clone.write("group_vars/all/.DS_Store", "\x00\x01Bud1\n")
    clone.write("group_vars/all/.git/HEAD", "\t\n")
    clone.write("group_vars/all.yml", "\t\n")
    assert clone.run("settings.yml").returncode == 0


def said_before_a_play(ended: subprocess.CompletedProcess[str]) -> str:
    output = ended.stdout + ended.stderr
    assert ended.returncode != 0, output
    assert "PLAY [" not in output, output
    assert "Traceback" not in output
    return " ".join(output.split())


# --- Variables ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["firewall.yml", "services.yml", "site.yml"])
def test_so_is_a_misspelt_variable_where_settings_are_read(clone: Clone, name: str) -> None:
    clone.hosts({"one": {"web_firewal_open": [9100]}, "two": {}})
    told = said(clone.run(name))
    assert told.count("one: web_firewal_open: nothing reads this variable; did you mean 'web_firewall_open'?") == 1


def test_what_a_template_of_a_host_reads_is_its_owners(clone: Clone) -> None:
    clone.write("group_vars/all.yml", 'acme_email: a@example.com\nweb_acme_email: "{{ acme_email }}"\n')
    told = "acme_email: nothing here reads this variable; did you mean 'web_acme_email'?"
    assert told not in clone.run("settings.yml").stdout
    clone.write("group_vars/all.yml", "acme_email: a@example.com\n")
    ended = clone.run("settings.yml")
    assert (ended.returncode, told in ended.stdout) == (0, True)


def test_what_ones_own_playbook_reads_may_be_given_with_e(clone: Clone) -> None:
    begun = '- {name: Begin, hosts: "{{ target }}", gather_facts: false, tasks: []}\n'
    clone.write("own.yml", f"{begun}- ansible.builtin.import_playbook: settings.yml\n")
    assert clone.run("own.yml", "-e", "target=web").returncode == 0
    assert "-e 'host': nothing reads this variable" in said(clone.run("site.yml", "-e", "host=web"))


def test_the_projects_own_playbooks_are_told_from_others() -> None:
    assert [path.name for path in PLAYBOOKS if f"{COLLECTION}." not in path.read_text()] == []


def test_a_wrong_port_is_told_once_for_all_hosts(clone: Clone) -> None:
    clone.hosts({"one": {}, "two": {}}, vars={"web_firewall_open": [{"prot": 9100}]})
    told = said(clone.run("firewall.yml"))
    assert told.count("its item 1 has an unknown key 'prot'; did you mean 'port'?") == 1
    assert "one:" not in told
    assert "Origin:" not in told
