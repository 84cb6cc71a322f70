"""Ansible's variables of a host: misspelt ones, unreadable ones, where they may be set, and what stays hidden."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret, VaultSecretsContext
from ansible.template import Templar, trust_as_template
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings import preview
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import meanings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.meant import misspelt, own_variables
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import BadSettings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.folder import Unreadable
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.variable_files import looked_at, unreadable
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.variables import check, request_of

from settings import Workshop, app

PROJECT = Path(__file__).parents[3]
NOBODY = 65534
NAME = "must be lower-case letters, digits and single hyphens, a letter first (shop-2)"


def render(known: dict[str, Any]) -> Any:
    return Templar(loader=DataLoader(), variables=known).template


def told(workshop: Workshop, known: dict[str, Any]) -> list[str]:
    """What the action plugin would return for a host with these variables."""
    known = {"playbook_dir": str(workshop.folder), "inventory_hostname": "one", "group_names": ["web"], **known}
    return check(known, render(known), DataLoader()).problems


def test_a_source_that_cant_be_read_any_more_is_a_fault(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was well when it was checked a moment ago."""

    def fail(*_given: Any) -> None:
        raise Unreadable(OSError(errno.EIO, "Input/output error", "/shop/a.py"))

    assert told(workshop, {"web_apps": [app()]}) == []
    monkeypatch.setattr(preview, "content_of", fail)
    (line,) = told(workshop, {"web_apps": [app()]})
    assert line.startswith("web_apps: 'shop' has 'source': ")


def test_secrets_are_looked_for_once_however_much_is_told(workshop: Workshop) -> None:
    """The preview alone tells two lines of each app, and a secret may come from a password store."""
    known: dict[str, Any] = {"playbook_dir": str(workshop.folder), "inventory_hostname": "one", "group_names": ["web"]}
    known |= {"web_apps": [app()], "web_app_secrets": {"shop": {"TOKEN": "hunter2-hunter2"}}}
    rendered: list[Any] = []

    def rendering(value: Any) -> Any:
        rendered.append(value)
        return render(known)(value)

    assert len(check(known, rendering, DataLoader()).preview) == 1
    # For the apps, and to hide it.
    assert rendered.count(known["web_app_secrets"]) == 2


# --- Misspelt ones ------------------------------------------------------------------------------------------------


def test_what_lacks_our_prefix_may_be_anothers_and_is_told(workshop: Workshop) -> None:
    known: dict[str, Any] = {"playbook_dir": str(workshop.folder), "inventory_hostname": "one", "group_names": ["web"]}
    known |= {"web_apps": [app()], "acme_email": "a@b.test", "app_root": "/srv"}
    checked = check(known, render(known), DataLoader())
    assert checked.problems == []
    assert checked.notices == ["acme_email: nothing here reads this variable; did you mean 'web_acme_email'?"]
    # As in web_acme_email: "{{ acme_email }}".
    known |= {"web_acme_email": trust_as_template("{{ acme_email }}")}
    assert check(known, render(known), DataLoader()).notices == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("web_aps", "web_apps"),
        ("web_app", "web_apps"),
        ("web_secrets", "web_app_secrets"),
        ("web_app_secret", "web_app_secrets"),
        ("web_app_secret_staging", "web_app_secrets_staging"),
        ("web_app_secretsstaging", "web_app_secrets_staging"),
        ("web_app_default", "web_app_defaults"),
        ("web_htp_port", "web_http_port"),
        ("web_build_enviroment", "web_build_environment"),
        ("web_nginx_usr", "web_nginx_user"),
        ("nginx_worker_conections", "nginx_worker_connections"),
    ],
)
def test_a_misspelt_variable_is_named_with_what_was_meant(name: str, meant: str) -> None:
    assert misspelt({name: ""}, str(PROJECT)) == [f"{name}: nothing reads this variable; did you mean '{meant}'?"]


STAGING = "set web_acme_directory to https://acme-staging-v02.api.letsencrypt.org/directory"


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        *((name, STAGING) for name in ("web_acme_staging", "web_letsencrypt_staging", "web_certbot_staging")),
        *(
            (name, "did you mean 'web_acme_email'?")
            for name in ("web_letsencrypt_email", "web_certbot_email", "web_acme_contact", "web_acme_mail")
        ),
        *((name, "did you mean 'web_acme_directory'?") for name in ("web_acme_server", "web_letsencrypt_url")),
        *((name, "did you mean 'web_acme_dns_plugin'?") for name in ("web_certbot_dns_plugin", "web_dns_plugin")),
        *(
            (f"web_{key}", f"{key!r} is a key of each app in web_apps")
            for key in ("tls", "hsts", "tls_key", "tls_certificate")
        ),
        *((name, "'tls' is a key of each app in web_apps") for name in ("web_ssl", "web_https", "web_letsencrypt")),
        ("web_ssl_certificate", "'tls_certificate' is a key of each app in web_apps"),
    ],
)
def test_what_people_try_is_answered_with_what_there_is(name: str, instead: str) -> None:
    assert misspelt({name: ""}, str(PROJECT)) == [f"{name}: nothing reads this variable; {instead}"]


@pytest.mark.parametrize(
    "name",
    [
        "web_name",
        "web_state",
        "web_staging",
        "web_domain",
        "web_email",
        "web_headers",
        "web_server_names",
        "shop_tls",
        "tls",
        "web_zebra",
        "web_hosts",
        "shop_web_apps",
        "nginx_extra",
        # Of the role that people most often have beside ours.
        *(
            "nginx_vhosts",
            "nginx_user",
            "nginx_group",
            "nginx_worker_processes",
            "nginx_remove_default_vhost",
            "nginx_http_params",
        ),
        # Of trellis.
        *("web_user", "web_group"),
        "apps",
        "web",
        "uwsgi_flask_path",
    ],
)
def test_others_are_somebody_elses(name: str) -> None:
    assert misspelt({name: ""}, str(PROJECT)) == []


def test_none_of_ours_is_taken_for_a_misspelt_one() -> None:
    homes = (PROJECT / "roles").glob("*/defaults/main.yml")
    defaults = [name for home in homes for name in DataLoader().load_from_file(str(home))]
    assert "nginx_worker_connections" in defaults
    assert misspelt(dict.fromkeys([*own_variables(), *defaults, "web_app_secrets_staging"]), str(PROJECT)) == []
    assert {f"web_{name}" for name in meanings(Agreement)} | {"web_apps", "web_app_defaults", "web_app_secrets"} == set(
        own_variables()
    )


# --- Those that can't be read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ nothing }}", "'nothing' is undefined"),
        ("{{ 1 / }}", "Syntax error in template: unexpected 'end of print statement'"),
        ("{{ 'hunter2' | to_datetime }}", "its template fails (ValueError); look at each {{ … }} of it"),
        ("{{ {'hunter2': 1}['x'] + 1 }}", "object of type 'dict' has no attribute 'x'"),
        ("{{ again }}", "its template leads back to itself; look at what each {{ … }} of it stands for"),
        ("{{ 'hunter2' | int // 0 }}", "its template fails (ZeroDivisionError); look at each {{ … }} of it"),
    ],
)
@pytest.mark.parametrize(
    "variable", ["web_apps", "web_app_secrets", "web_app_secrets_x", "web_nginx_user", "app", "restart"]
)
def test_a_variable_that_cant_be_rendered(workshop: Workshop, variable: str, template: str, reason: str) -> None:
    value: Any = trust_as_template(template)
    known = {"web_apps": [app()], variable: [{"name": value}] if variable == "web_apps" else value}
    (line,) = told(workshop, {**known, "again": trust_as_template("{{ again }}")})
    of_an_item = "web_apps: item 1 has 'name', which"
    assert line.startswith(f"{of_an_item if variable == 'web_apps' else f'{variable}:'} can't be read: {reason}")
    assert len(line.splitlines()) == 1
    assert "hunter2" not in line


def test_what_cant_be_read_hides_nothing_that_can(workshop: Workshop) -> None:
    broken = trust_as_template("{{ nothing }}")
    known = {
        "web_apps": [app(health_path=broken), app(name="wiki", server_names=["b.test"], procceses=1), app(name="api/")],
        "web_app_secrets": {"shop": {"TOKEN": broken}},
        "web_http_port": 0,
        "nginx_backlog": "many",
    }
    assert [line.partition("; ")[0] for line in told(workshop, known)] == [
        "web_apps: 'shop' has 'health_path', which can't be read: 'nothing' is undefined",
        "web_app_secrets: can't be read: 'nothing' is undefined",
        "web_http_port: is 0, but it must be a whole number from 1 to 65535",
        'nginx_backlog: is "many", but it must be a whole number of connections from 16 to 65535',
        "web_apps: 'wiki' has an unknown key 'procceses'",
        f"web_apps: 'api/' has 'name': \"api/\", but it {NAME}",
    ]


def test_a_folder_isnt_called_missing(workshop: Workshop) -> None:
    """Ansible's own reader doesn't tell the two apart."""
    given = {"web_apps": [app(tls="files", tls_certificate="shop", tls_key="gone")]}
    assert told(workshop, given) == [
        f"web_apps: 'shop' has 'tls_certificate': '{workshop.source}' can't be read: it is a folder",
        f"web_apps: 'shop' has 'tls_key': '{workshop.folder}/gone' can't be read: there is no such file",
    ]


def test_all_of_them_are_named(workshop: Workshop) -> None:
    broken = trust_as_template("{{ nothing }}")
    lines = told(workshop, {"web_apps": broken, "web_nginx_user": broken, "web_aps": 1})
    assert [line.partition(":")[0] for line in lines] == ["web_apps", "web_nginx_user", "web_aps"]
    known = {"playbook_dir": "/", "web_nginx_user": broken}
    with pytest.raises(BadSettings, match=r"^web_nginx_user: can't be read"):
        request_of(known, render(known), DataLoader())


def test_templates_are_rendered_to_plain_values(workshop: Workshop) -> None:
    known = {
        "playbook_dir": trust_as_template("/x"),
        "web_apps": trust_as_template("{{ base + [{'name': 'wiki'}] }}"),
        "base": [{trust_as_template("name"): trust_as_template("{{ 'sh' ~ 'op' }}"), "processes": 2}],
        "web_nginx_user": trust_as_template("{{ 'ww' ~ 'w' }}"),
    }
    request = request_of(known, render(known), DataLoader())
    assert request.variables == {
        "web_apps": [{"name": "shop", "processes": 2}, {"name": "wiki"}],
        "web_nginx_user": "www",
    }
    assert request.names() == ["shop", "wiki"]
    texts = [request.base, request.variables["web_nginx_user"], *request.variables["web_apps"][0]]
    assert {type(text) for text in [*texts, request.variables["web_apps"][0]["name"]]} == {str}
    assert type(request.variables["web_apps"]) is list
    assert type(request.variables["web_apps"][0]) is dict


# --- Where they may be set ----------------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """An inventory and a playbook in folders of their own, and what Ansible says of a host."""
    for folder in ("inventory/group_vars/web", "project/group_vars", "inventory/host_vars"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "inventory" / "hosts.yml").touch()
    told = {
        "ansible_inventory_sources": [str(tmp_path / "inventory" / "hosts.yml"), "one,", str(tmp_path / "gone")],
        "playbook_dir": str(tmp_path / "project"),
        "group_names": ["blue", "web"],
        "inventory_hostname": "one",
    }
    return tmp_path, told


def test_every_place_is_named_with_what_is_there(places: tuple[Path, dict[str, Any]]) -> None:
    folder, known = places
    for path in (
        "inventory/group_vars/web/apps.yml",
        "inventory/group_vars/web/more/z.json",
        "inventory/group_vars/web/README.md",
        "inventory/host_vars/one.yaml",
        "inventory/group_vars/red.yml",
        "project/group_vars/all",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    looked = [
        *("inventory/hosts.yml", "inventory/group_vars/web/apps.yml", "inventory/group_vars/web/more/z.json"),
        *("project/group_vars/all", "inventory/host_vars/one.yaml"),
    ]
    assert looked_at(known) == (
        f"list the apps in {folder}/project/group_vars/blue/web_apps.yml. "
        f"Looked at {', '.join(f'{folder}/{path}' for path in looked)}; "
        f"there is nothing at {folder}/inventory/group_vars/{{all,blue}}, {folder}/project/group_vars/{{blue,web}}"
    )


def test_there_may_be_nothing(places: tuple[Path, dict[str, Any]]) -> None:
    folder, known = places
    known |= {"ansible_inventory_sources": ["one,"], "group_names": ["web"]}
    assert looked_at(known) == (
        f"list the apps in {folder}/project/group_vars/web/web_apps.yml. "
        f"Looked at no file; there is nothing at {folder}/project/group_vars/{{all,web}}"
    )


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """As somebody whom a mode keeps out; root is nobody meanwhile."""
    is_root = os.geteuid() == 0
    if is_root:
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        if is_root:
            os.setresuid(0, 0, 0)


@pytest.mark.parametrize("shut", ["inventory/group_vars", "inventory/group_vars/web", "inventory/group_vars/web/x.yml"])
def test_what_may_not_be_read_is_named(shut: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing is looked for beside a list of hosts, `-i one,`.
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "web.yml").write_text("\t")
    monkeypatch.chdir(tmp_path)
    # pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "inventory/group_vars/web/x.yml")
        file.parent.mkdir(parents=True)
        file.touch()
        Path(folder).chmod(0o755)
        Path(folder, shut).chmod(0)
        with without_rights():
            told = list(unreadable(["one,", f"{folder}/inventory"], folder, {"web": ["one"]}, DataLoader()))
        Path(folder, shut).chmod(0o755)
    assert told == [f"{folder}/{shut}: can't be read; let the user who deploys read it"]


# --- What stays hidden --------------------------------------------------------------------------------------------

SECRETS = [("default", VaultSecret(b"a password"))]


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> VaultLib:
    """The password that `--vault-password-file` would give."""
    monkeypatch.setattr(VaultSecretsContext, "_current", None)
    VaultSecretsContext.initialize(VaultSecretsContext(secrets=SECRETS))
    return VaultLib(SECRETS)


def load(workshop: Workshop, text: str, vault: VaultLib | None = None) -> dict[str, Any]:
    """The variables of a file, which is encrypted as a whole with `vault`."""
    file = workshop.write("variables.yml", vault.encrypt(text).decode() if vault else text)
    loader = DataLoader()
    loader.set_vault_secrets(SECRETS)
    return dict(loader.load_from_file(str(file), trusted_as_template=True))


def inline(vault: VaultLib, text: str) -> str:
    """The text as `ansible-vault encrypt_string` writes it, for a value that is indented."""
    return "!vault |\n" + "\n".join(f"        {line}" for line in vault.encrypt(text).decode().splitlines())


def test_an_encrypted_key_needs_its_password(workshop: Workshop, vault: VaultLib) -> None:
    (workshop.folder / "key").write_bytes(vault.encrypt("-----BEGIN OPENSSH PRIVATE KEY-----\n"))
    known = {"web_apps": [app(source="git@git.test:shop.git", source_key="key")]}
    (line,) = told(workshop, known)
    assert line == (
        f"web_apps: 'shop' has 'source_key', but '{workshop.folder}/key' can't be read: it is encrypted, and can't be "
        "decrypted; give the right --vault-password-file or --ask-vault-pass"
    )


WRONG = """---
web_apps:
  - name: shop
    server_names: [shop.test]
    processes: {0}
    source: {0}
    procceses: {0}
    before_live: {0}
    health_path: {0}
"""


@pytest.mark.parametrize("secret", ["hunter2", 'hun"ter\\2', "größe-x", "h" * 90])
def test_a_vaulted_value_under_a_wrong_key_is_not_shown(workshop: Workshop, vault: VaultLib, secret: str) -> None:
    lines = told(workshop, load(workshop, WRONG.format(inline(vault, secret))))
    assert len(lines) >= 4
    assert not any(spelling in "\n".join(lines) for spelling in _spellings(secret))


def _spellings(secret: str) -> set[str]:
    return {secret, repr(secret)[1:-1], secret.replace("\\", "\\\\").replace('"', '\\"')}


@pytest.mark.parametrize(
    "value", ['"{{ deep }}"', '"{{ deep }}-more"', '"/{{ deep }} x"', '"{{ deep | upper | lower }}"']
)
@pytest.mark.parametrize("whole_file", [True, False])
def test_nor_by_way_of_a_template(workshop: Workshop, vault: VaultLib, value: str, whole_file: bool) -> None:
    if whole_file:
        deep = load(workshop, "deep: hunter2-in-a-file\n", vault)
        deep = {"deep": deep["deep"]}
        # The file that it came from must still be there to be known as a vault.
        (workshop.folder / "variables.yml").rename(workshop.folder / "kept.yml")
        (workshop.folder / "variables.yml").symlink_to("kept.yml")
    else:
        deep = load(workshop, f"deep: {inline(vault, 'hunter2-by-itself')}\n")
    wrong = workshop.write("wrong.yml", WRONG.format(f"'{value}'"))
    lines = told(workshop, {**deep, **DataLoader().load_from_file(str(wrong), trusted_as_template=True)})
    assert len(lines) >= 4
    assert "hunter2" not in str(lines)
    assert "(not shown)" in str(lines)


@pytest.mark.parametrize("variable", ["web_app_secrets", "web_app_secrets_staging", "web_app_secret_staging"])
def test_nor_does_a_secret_in_clear_come_by_a_template(workshop: Workshop, variable: str) -> None:
    """However the variable is spelt."""
    known = {
        "web_apps": [app(health_path=trust_as_template(f"{{{{ {variable}.shop.TOKEN }}}}"))],
        variable: {"shop": {"TOKEN": "hunter2"}},
    }
    (line,) = told(workshop, known)
    assert line.startswith("web_apps: 'shop' has 'health_path': \"(not shown)\", but it must")


def test_an_app_keeps_its_name_in_a_whole_file_that_is_encrypted(workshop: Workshop, vault: VaultLib) -> None:
    known = load(workshop, "web_apps: [{name: shop, server_names: [shop.test], processes: many}]", vault)
    assert told(workshop, known) == [
        "web_apps: 'shop' has 'processes': \"(not shown)\", but it must be a whole number from 1 to 512"
    ]


@pytest.mark.parametrize("value", ["hidden", "12345", "true"])
def test_a_secret_may_be_encrypted_by_itself(workshop: Workshop, vault: VaultLib, value: str) -> None:
    """`!vault` in a file that is in clear, as well as a whole file that is encrypted. It stays the text that it was."""
    text = "web_app_secrets:\n  shop:\n    TOKEN: {}\n"
    for known in (
        load(workshop, text.format(inline(vault, value))),
        load(workshop, text.format(f"'{value}'"), vault),
    ):
        known |= {"web_apps": [app()], "playbook_dir": str(workshop.folder)}
        assert told(workshop, known) == []
        assert request_of(known, render(known), DataLoader()).variables["web_app_secrets"] == {"shop": {"TOKEN": value}}


def test_a_secret_whose_password_is_missing(workshop: Workshop, vault: VaultLib) -> None:
    known = load(workshop, f"web_nginx_user: x\nweb_app_secrets:\n  shop:\n    TOKEN: {inline(vault, 'hunter2')}\n")
    VaultSecretsContext._current = VaultSecretsContext(secrets=[("default", VaultSecret(b"another"))])
    (line,) = told(workshop, {"web_apps": [app()], **known})
    assert line == (
        "web_app_secrets: can't be read: it is encrypted, and can't be decrypted; "
        "give the right --vault-password-file or --ask-vault-pass"
    )
