"""Configurations as three people write them, and what each is told: nothing, or each fault in one line, once.

They go through the door of settings.yml: a file of variables, read by Ansible's loader, rendered by its templar.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.parsing import FIELDS
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.tried_keys import MEANT, OTHERWISE
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.variables import check

from project import PROJECT
from settings import Workshop

GOOD: tuple[str, ...] = ()

# --- A developer with one app -------------------------------------------------------------------------------------

# Keys below `name: shop` and `server_names: [shop.test]`, and what is told of them after "web_apps: 'shop' ".
AN_APP: list[tuple[str, str]] = [
    # What is right, in YAML's many ways.
    ("processes: 8", ""),
    ("processes: 0x8", ""),
    ("tls: off", ""),
    ("tls: self_signed", ""),
    ("preload: no", ""),
    ("purge: False", ""),
    ("callable: app", ""),
    ("environment: {DEBUG: 'false', WORKERS: 4}", ""),
    ("environment: {}", ""),
    ("headers: {X-Frame-Options: ''}", ""),
    ("redirect_names: []", ""),
    ("prefix: ''", ""),
    ("static_url: /", ""),
    ("ref: ''", ""),
    ("hosts: [one]", ""),
    ("hosts: [all]", ""),
    ("state: absent", ""),
    ("timers: {clean: {command: flask clean, calendar: daily}}", ""),
    ("workers: {mail: python -m mail}", ""),
    ("memory_max: 512M", ""),
    ("reload_on_rss: 300M", ""),
    ("request_limits: {/login: 10/m}", ""),
    ("max_body: 20m", ""),
    ("cache: {paths: [/, /news], seconds: 1}", ""),
    ("request_timeout: 1:30", ""),
    ("source: file:///gone.git\n    state: absent", ""),
    ("uwsgi_options: {cheaper: 1}", ""),
    # A number, a text, a word: YAML's own idea of it.
    ("processes: eight", "has 'processes': \"eight\", but it must be a whole number from 1 to 512"),
    ("processes: '8'", "has 'processes': \"8\", but it must be a whole number from 1 to 512"),
    ("processes: 2.0", "has 'processes': 2.0, but it must be a whole number from 1 to 512"),
    ("processes: -1", "has 'processes': -1, but it must be a whole number from 1 to 512"),
    ("processes:", "has 'processes': null, but it must be a whole number from 1 to 512"),
    ("processes: [8]", "has 'processes': [8], but it must be a whole number from 1 to 512"),
    ("processes: auto", "has 'processes': \"auto\", but it must be a whole number from 1 to 512"),
    ("request_timeout: 30s", "has 'request_timeout': \"30s\", but it must be a whole number of seconds from 1 to 3600"),
    ("memory_max: 512", "has 'memory_max': 512, but it must be a whole number of K, M, G or T (512M)"),
    ("reload_on_rss: 300", "has 'reload_on_rss': 300, but it must be a whole number of M or G (300M)"),
    ("uwsgi_options: {reload-on-rss: 300}", "must not set 'reload-on-rss': the key 'reload_on_rss' says it"),
    ("memory_max: 512MB", "has 'memory_max': \"512MB\", but it must be a whole number of K, M, G or T (512M)"),
    ("cpu_quota: 1.5", "has 'cpu_quota': 1.5, but it must be a share of one processor in percent (150%)"),
    ("max_body: 20MB", "has 'max_body': \"20MB\", but it must be a size as nginx writes it (1m, 512k)"),
    ("preload: 'no'", "has 'preload': \"no\", but it must be true or false"),
    ("python: 3.12", "has 'python': 3.12, but it must be a version of Python in quotes"),
    ("python: python3.12", "has 'python': \"python3.12\", but it must be a version of Python in quotes"),
    (
        "ref: 1.10",
        "has 'ref': 1.1, but it must be the name of a branch or a tag, or a commit; in quotes if it looks like",
    ),
    ("ref: 2026-01-01", "has 'ref': \"2026-01-01\", but it must be the name of a branch"),
    ("tls: on", "has 'tls': true, but it must be one of off, self_signed, files, acme; did you mean 'acme'?"),
    (
        "tls: letsencrypt",
        "has 'tls': \"letsencrypt\", but it must be one of off, self_signed, files, acme; did you mean",
    ),
    ("tls: {certificate: a.pem, key: b.pem}", "has 'tls', but it must be one of off, self_signed, files, acme"),
    ("tls: files", "has 'tls: files', which needs the key 'tls_certificate' too"),
    ("tls_certificate: a.pem", "has 'tls_certificate', which needs 'tls: files'"),
    ("hsts: 300", "has 'hsts' without 'tls': browsers would ask by HTTPS, and nobody would answer"),
    # Names and addresses.
    ("redirect_names: www.shop.test", "has 'redirect_names': \"www.shop.test\", but it must be a list of host names"),
    ("redirect_names: [https://www.shop.test]", "isn't; write 'www.shop.test'"),
    ("redirect_names: ['www.shop.test:80']", "isn't; write 'www.shop.test': nginx listens on web_http_port for every"),
    ("redirect_names: [WWW.shop.test]", "\"WWW.shop.test\" isn't; write 'www.shop.test'"),
    ("redirect_names: ['2001:db8::7']", "\"2001:db8::7\" isn't; write '[2001:db8::7]'"),
    ("redirect_names: [shop.test]", "has 'shop.test' in 'server_names' and in 'redirect_names'; keep one"),
    ("redirect_names: [shop_1.test]", '"shop_1.test" isn\'t'),
    ("prefix: shop", "has 'prefix': \"shop\", but it must be a URL path that begins with '/'"),
    (
        "prefix: /shop\n    health_path: /shop/health",
        "has 'health_path': '/shop/health', but 'prefix' stands before it",
    ),
    ("static_url: static", "has 'static_url': \"static\", but it must be a URL path that begins and ends with '/'"),
    ("health_path: health", "has 'health_path': \"health\", but it must be a URL path that begins with '/' (/health)"),
    (
        "health_path: http://shop.test/health",
        "has 'health_path': \"http://shop.test/health\", but it must be a URL path",
    ),
    ("media: [/media]", "has 'media': [\"/media\"], but it must be a dictionary of URL paths and folders"),
    ("media: {/media: /var/lib/shop/up}", "has 'media', but it must give each URL path a folder below the app's data"),
    ("media: {/static: up}", "has 'media': '/static' and '/static' of 'static_url': one is in the other"),
    ("cache: 1", "has 'cache': 1, but it must be a dictionary with 'paths' (paths: [/, /news], seconds: 1)"),
    ("cache: {path: /}", "has 'cache', but it must be a dictionary with 'paths'"),
    ("cache: {paths: [/static]}", "has 'cache': '/static' is in '/static' of 'static_url', and nginx serves the files"),
    ("streaming: [/static/live]", "has 'streaming': '/static/live' and 'static_url' '/static/': one is in the other"),
    ("headers: {Server: me}", "has 'headers', but it must not set Server, which is nginx's and the app's own"),
    ("headers: {Strict-Transport-Security: max-age=9}", "must not set Strict-Transport-Security; the key 'hsts' does"),
    ("headers: {X-A: 1}", "has 'headers', but it must give X-A a text in ASCII"),
    # Where the code is, and what is called.
    (
        "source: shpo",
        "has 'source': there is no folder '{folder}/shpo'; give one, relative to the playbook or absolute",
    ),
    ("source: ''", "has 'source': \"\", but it must be the path of a folder or an archive, or a URL"),
    ("source: http://git.test/shop.git", "begins with https://, ssh:// or file://"),
    ("source: https://me:hunter2@git.test/shop.git", "must be a URL without a user or password; put a token into"),
    ("source: git@git.test/shop.git", "git@git.test:shop.git"),
    ("source: git.test/me/shop", "https://git.test/me/shop"),
    ("source: shop.tar.gz", "has 'source': there is no archive '{folder}/shop.tar.gz'; give one, or a folder"),
    ("source: https://a.test/shop.tar.gz", "has 'source', a URL of an archive, which needs the key 'sha256' too"),
    ("sha256: " + "1" * 64, "has 'sha256': (not shown), but it must be the SHA-256 of the archive"),
    ("sha256: " + "a" * 64, "has 'sha256', which is for an archive; its 'source' is a folder; leave it out"),
    ("module: shop", "has 'module': 'shop', but there is no such module in '{folder}/shop'. Known modules: flask_wsgi"),
    ("module: flask_wsgi.py", "there is no such module in '{folder}/shop'; did you mean 'flask_wsgi'?"),
    ("module: flask_wsgi:app", "but it names a callable too; write 'module: flask_wsgi' and 'callable: app'"),
    ("module: web/flask_wsgi.py", "write 'web.flask_wsgi'"),
    ("callable: flask_wsgi:app", "but it names a module too; write 'module: flask_wsgi' and 'callable: app'"),
    ("callable: create_app()", "'create_app', but 'flask_wsgi' has no such name. Known names: app"),
    ("callable: ap", "has 'callable': 'ap', but 'flask_wsgi' has no such name; did you mean 'app'?"),
    ("callable: app(", "has 'callable': \"app(\", but it must be a name or a call with plain values"),
    ("requirements: pyproject.toml", "has 'requirements': there is no file 'pyproject.toml' in '{folder}/shop'"),
    ("requirements: requirments.txt", "did you mean 'requirements.txt'?"),
    ("requirements: [flask]", "has 'requirements': [\"flask\"], but it must be a path inside the source"),
    ("extras: [web]", "has 'extras': a requirements file has none; they are for pyproject.toml"),
    ("package: httpbin", "has 'package', so it needs the key 'module' too"),
    ("chdir: src", "has 'chdir': there are no files in '{folder}/shop/src'. Known folders: static"),
    ("static_folder: assets", "has 'static_folder': there are no files in '{folder}/shop/assets'"),
    ("exclude: .git", "has 'exclude': \".git\", but it must be a list of patterns"),
    # What it needs and does.
    ("environment: [A=1]", "has 'environment', but it must be a dictionary of NAME: value"),
    ("environment: {DEBUG: false}", "has 'environment', but it must hold strings; put the value of 'DEBUG' in quotes"),
    ("environment: {VERSION: 3.10}", "must hold strings; put the value of 'VERSION' in quotes"),
    ("environment: {A-B: hunter2}", "must have names of letters, digits and underscores; 'A-B' isn't one"),
    ("environment: {PATH: /hunter2}", "has 'environment', but it must not set 'PATH': the virtualenv's programs"),
    ("environment: {A: }", "has 'environment', but it must hold strings; put the value of 'A' in quotes"),
    ("required_environment: [TOKEN]", "has 'required_environment': 'TOKEN' is set neither in 'environment' nor in"),
    ("before_live: flask db upgrade", "has 'before_live', but it must be a list of shell lines (- flask db upgrade)"),
    ("workers: [celery -A shop worker]", "has 'workers', but it must be a dictionary of command lines by name"),
    (
        "workers: {mail: {cmd: work}}",
        "has 'workers', but it has in 'mail' an unknown key 'cmd'; did you mean 'command'?",
    ),
    ("timers: {clean: flask clean}", "has 'timers', but it has in 'clean' no 'calendar' (command:"),
    (
        "timers: {clean: {command: flask clean, calendar: every day}}",
        "but it must be a calendar of systemd's (*-*-* 03:00:00, Mon",
    ),
    (
        "timers: {clean: {command: flask clean, calendar: '0 3 * * *'}}",
        "but it must be a calendar of systemd's (*-*-* 03:00:00, Mon",
    ),
    (
        "uwsgi_options: {processes: 4}",
        "has 'uwsgi_options', but it must not set 'processes': the key 'processes' says it",
    ),
    ("sandbox: {PrivateTmp: maybe}", "has 'sandbox', but it has 'PrivateTmp', which must be true or false"),
    ("packages: libpq5", "has 'packages': \"libpq5\", but it must be a list of names of Debian packages"),
    (
        "request_limits: {/login: 10}",
        "has 'request_limits', but it must give /login a number for each second or minute",
    ),
    ("user: root", "has 'user': \"root\", but it must be the name of a user or group other than root (www)"),
    ("user: postgres", "has 'user': \"postgres\", but it must not be an account of the system"),
    ("user: www-data", "has 'user': 'www-data' is nginx's own; name another, or leave it out"),
    ("hosts: one", "has 'hosts': \"one\", but it must be a list of hosts and groups of the inventory"),
    ("hosts: [onne]", "has 'hosts': 'onne' is neither a host nor a group of the inventory; did you mean 'one'?"),
    # Keys by the habit of other tools.
    ("domain: shop.test", "has an unknown key 'domain'; write 'server_names'"),
    ("port: 8000", "has an unknown key 'port'; an app has none: nginx listens on web_http_port and web_https_port for"),
    ("env: {A: hunter2}", "has an unknown key 'env'; write 'environment'"),
    ("secrets: {TOKEN: hunter2}", "has an unknown key 'secrets'; secrets stand beside web_apps, in web_app_secrets"),
    ("workers_count: 4", "has an unknown key 'workers_count'; write 'processes'"),
    ("thread: 4", "has an unknown key 'thread'; did you mean 'threads'?"),
    ("cron: {clean: daily}", "has an unknown key 'cron'; write 'timers'"),
    ("ssl: true", "has an unknown key 'ssl'; write 'tls'"),
    ("repo: https://git.test/shop.git", "has an unknown key 'repo'; write 'source'"),
    ("branch: main", "has an unknown key 'branch'; write 'ref'"),
    ("wsgi: shop.app", "has an unknown key 'wsgi'; write 'callable'"),
    ("health-check: /ping", "has an unknown key 'health-check'; write 'health_path'"),
    ("timeout: 60", "has an unknown key 'timeout'; write 'request_timeout'"),
    ("memory: 1G", "has an unknown key 'memory'; write 'memory_max'"),
    ("database: postgres://u:hunter2@db/shop", "has an unknown key 'database'; list the app in services_postgresql or"),
    ("env_file: .env", "has an unknown key 'env_file'; write the variables into 'environment'"),
    ("microcache: 1", "has an unknown key 'microcache'; write 'cache'"),
    ("websockets: [/ws]", "has an unknown key 'websockets'; write 'streaming'"),
    ("migrate: flask db upgrade", "has an unknown key 'migrate'; write 'before_live'"),
    ("require_hashes: true", "has 'require_hashes', which is gone"),
    ("Processes: 8", "has an unknown key 'Processes'; did you mean 'processes'?"),
    ("8080: on", "has an unknown key 8080. Known keys: name,"),
]


def told(workshop: Workshop, text: str) -> list[str]:
    """What settings.yml says of a host with this file of variables."""
    (workshop.folder / "roles").symlink_to(PROJECT / "roles")
    file = workshop.write("group_vars/web.yml", text)
    try:
        given = DataLoader().load_from_file(str(file), trusted_as_template=True)
    except AnsibleError as error:
        return [error.message]
    known: dict[str, Any] = {
        "playbook_dir": str(workshop.folder),
        "inventory_hostname": "one",
        "group_names": ["web"],
        "groups": {"all": ["one", "two"], "web": ["one", "two"], "ungrouped": []},
        **(given or {}),
    }
    return check(known, Templar(loader=DataLoader(), variables=known).template, DataLoader()).problems


def compare(lines: Sequence[str], parts: Sequence[str]) -> None:
    """Each fault is told in one line, once, and no other."""
    assert len(lines) == len(parts), lines
    for line, part in zip(lines, parts, strict=True):
        assert part in line, lines
        assert "\n" not in line
        assert "hunter2" not in line
        assert "Traceback" not in line


APP = "web_apps:\n  - name: shop\n    server_names: [shop.test]\n"


@pytest.mark.parametrize(("written", "fault"), AN_APP, ids=[written for written, _fault in AN_APP])
def test_a_key_of_an_app(workshop: Workshop, written: str, fault: str) -> None:
    lines = told(workshop, f"{APP}    {written}\n")
    compare(lines, [fault.replace("{folder}", str(workshop.folder))] if fault else [])
    assert all(line.startswith("web_apps: 'shop' ") for line in lines)


def test_what_is_meant_by_habit_is_a_key_and_each_word_means_one() -> None:
    assert MEANT.keys() <= FIELDS.keys()
    words = [word for listed in [*MEANT.values(), *OTHERWISE] for word in listed.split()]
    assert len({*words}) == len(words)
    assert {*words}.isdisjoint(FIELDS)


# --- A team with twelve apps and CI -------------------------------------------------------------------------------

WIKI = "  - name: wiki\n    source: shop\n    server_names: [wiki.test]\n"
TWELVE = "web_apps:\n" + "".join(
    f"  - {{name: app-{number}, source: shop, server_names: [app-{number}.test]}}\n" for number in range(12)
)
# Whole files, and what is told of each.
FILES: list[tuple[str, str, tuple[str, ...]]] = [
    ("twelve apps", TWELVE, GOOD),
    ("what they share", f"{TWELVE}web_app_defaults: {{processes: 4, environment: {{A: b}}}}\n", GOOD),
    ("their secrets", f"{TWELVE}web_app_secrets: {{app-1: {{TOKEN: hunter2-x}}}}\n", GOOD),
    ("their secrets in two files", f"{TWELVE}web_app_secrets_ci: {{app-2: {{TOKEN: hunter2-x}}}}\n", GOOD),
    ("below one name", f"{APP}    prefix: /shop\n{WIKI.replace('wiki.test', 'shop.test')}    prefix: /wiki\n", GOOD),
    ("a proxy in front", f"{APP}    hsts: 300\nweb_trusted_proxies: [10.0.0.0/8]\n", GOOD),
    ("a port by text, as -e has it", f"{APP}web_http_port: '8080'\n", GOOD),
    ("roles' own", f"{APP}nginx_ipv6: false\nnginx_backlog: '512'\nuwsgi_package_list_age: 0\n", GOOD),
    ("somebody else's", f"{APP}nginx_vhosts: []\nnginx_user: web\nhttp_port: 80\nweb_zebra: 1\nservices: []\n", GOOD),
    (
        "ports opened",
        f"{APP}web_firewall_open: [{{port: 9100, from: [10.0.0.0/8]}}, {{port: 53, protocol: udp}}]\n",
        GOOD,
    ),
    # Apps.
    ("no file", "---\n", ("web_apps: is not set, so there is nothing to deploy; list the apps in",)),
    ("no app", "web_apps: []\n", ("web_apps: is empty, so there is nothing to deploy",)),
    ("nothing at all", "web_apps:\n", ("web_apps: is empty, so there is nothing to deploy",)),
    ("apps by name", "web_apps: {shop: {}}\n", ("web_apps: must be a list of dictionaries, one for each app",)),
    ("a mere name", "web_apps: [shop]\n", ("web_apps: must be a list of dictionaries, one for each app",)),
    ("a text", "web_apps: shop\n", ("web_apps: must be a list of dictionaries, one for each app",)),
    ("an app without a name", "web_apps: [{server_names: [a.test]}]\n", ("item 1 is missing the key 'name'",)),
    ("an app without host names", "web_apps: [{name: shop}]\n", ("'shop' is missing the key 'server_names'",)),
    ("its host by another word", "web_apps: [{name: shop, server_name: a.test}]\n", ("did you mean 'server_names'?",)),
    ("its host by habit", "web_apps: [{name: shop, domain: a.test}]\n", ("key 'domain'; write 'server_names'",)),
    ("the name by habit", "web_apps: [{nmae: shop, server_names: [a.test]}]\n", ("key 'nmae'; did you mean 'name'?",)),
    ("twice the same app", f"{APP}{WIKI.replace('wiki', 'shop', 1)}", ("the name 'shop' appears twice",)),
    (
        "twice the same host",
        f"{APP}{WIKI.replace('wiki.test', 'shop.test')}",
        ("'wiki' and 'shop' both have 'shop.test'",),
    ),
    (
        "a name of the system",
        "web_apps: [{name: postfix, source: shop, server_names: [a.test]}]\n",
        ("'name': \"postfix\", but it must not be a name that the system uses itself; add a word",),
    ),
    (
        "a name of ours",
        "web_apps: [{name: web-acme, source: shop, server_names: [a.test]}]\n",
        ("must not be a name that the system uses itself",),
    ),
    (
        "a name with capitals",
        "web_apps: [{name: Shop, source: shop, server_names: [a.test]}]\n",
        ("must be lower-case letters, digits and single hyphens",),
    ),
    (
        "a number for a name",
        "web_apps: [{name: 7, source: shop, server_names: [a.test]}]\n",
        ("item 1 has 'name': 7",),
    ),
    (
        "yes for a name",
        "web_apps: [{name: yes, source: shop, server_names: [a.test]}]\n",
        ("item 1 has 'name': true",),
    ),
    (
        "one fault in each of two",
        f"{APP}    processes: 0\n{WIKI}    threads: 0\n",
        ("'shop' has 'processes': 0", "'wiki' has 'threads': 0"),
    ),
    ("two faults in one", f"{APP}    processes: 0\n    procceses: 1\n", ("unknown key 'procceses'", "'processes': 0")),
    # What they share.
    (
        "a shared name",
        f"{APP}web_app_defaults: {{server_names: [a.test]}}\n",
        ("'server_names', which belongs to each",),
    ),
    (
        "a shared fault is told once",
        f"{TWELVE}web_app_defaults: {{processes: many}}\n",
        ("web_app_defaults: has 'processes': \"many\", but it must be",),
    ),
    (
        "a shared key that there isn't",
        f"{TWELVE}web_app_defaults: {{env: {{}}}}\n",
        ("unknown key 'env'; write 'environm",),
    ),
    ("shared as a list", f"{APP}web_app_defaults: [processes]\n", ("web_app_defaults: must be a dictionary of keys",)),
    # Secrets.
    (
        "secrets of nobody",
        f"{APP}web_app_secrets: {{shpo: {{A: hunter2}}}}\n",
        ("'shpo' is not an app; did you mean 'shop'?",),
    ),
    (
        "secrets as a list",
        f"{APP}web_app_secrets: [hunter2]\n",
        ("web_app_secrets: must be a dictionary with an app's",),
    ),
    (
        "secrets without an app",
        f"{APP}web_app_secrets: {{TOKEN: hunter2}}\n",
        ("web_app_secrets: 'TOKEN' is not an app",),
    ),
    ("a secret number", f"{APP}web_app_secrets: {{shop: {{PIN: 12.5}}}}\n", ("put the value of 'PIN' in quotes",)),
    (
        "a secret that is short",
        f"{APP}web_app_secrets: {{shop: {{PIN: abc}}}}\n",
        ("a value of less than 4 characters in 'PIN'",),
    ),
    (
        "twice the same",
        f"{APP}    environment: {{A: b}}\nweb_app_secrets: {{shop: {{A: hunter2}}}}\n",
        ("sets 'A', and so does",),
    ),
    ("a secret in a URL", f"{APP}    health_path: /?t=hunter2\n", ("has 'health_path': (not shown), but it must be",)),
    # Variables that nothing reads.
    (
        "web_secrets",
        f"{APP}web_secrets: {{shop: {{A: hunter2}}}}\n",
        ("web_secrets: nothing reads this variable; did you mean 'web_app_s",),
    ),
    ("web_app", f"{APP}web_app: []\n", ("web_app: nothing reads this variable; did you mean 'web_apps'?",)),
    (
        "web_tls",
        f"{APP}web_tls: acme\n",
        ("web_tls: nothing reads this variable; 'tls' is a key of each app in web_apps",),
    ),
    ("what another role may read", f"{APP}app_secrets: {{}}\ntrusted_proxies: []\nfirewall_open: []\n", GOOD),
    ("services_postgres", f"{APP}services_postgres: [shop]\n", ("did you mean 'services_postgresql'?",)),
    ("web_services_redis", f"{APP}web_services_redis: [shop]\n", ("did you mean 'services_redis'?",)),
    ("services_mysql", f"{APP}services_mysql: [shop]\n", ("there are services_postgresql and services_redis",)),
    ("nginx_worker_conections", f"{APP}nginx_worker_conections: 1\n", ("did you mean 'nginx_worker_connections'?",)),
    # Values that can't work.
    (
        "connections by a word",
        f"{APP}nginx_worker_connections: many\n",
        ('nginx_worker_connections: is "many", but it must be a whole number from 64 to 1048576',),
    ),
    ("no connections", f"{APP}nginx_worker_connections: 0\n", ("nginx_worker_connections: is 0, but it must be",)),
    ("no backlog", f"{APP}nginx_backlog: 0\n", ("nginx_backlog: is 0, but it must be a whole number of connections",)),
    ("IPv6 by a word", f"{APP}nginx_ipv6: 'false'\n", ('nginx_ipv6: is "false", but it must be true or false',)),
    ("an age before now", f"{APP}nginx_package_list_age: -1\n", ("nginx_package_list_age: is -1, but it must be",)),
    (
        "an age by a word",
        f"{APP}flask_app_package_list_age: 1d\n",
        ('flask_app_package_list_age: is "1d", but it must',),
    ),
    ("SSH's port", f"{APP}web_http_port: 22\n", ("web_http_port: is 22, but it must not be 22, where SSH listens",)),
    (
        "one port for both",
        f"{APP}web_https_port: 80\n",
        ("web_https_port: is 80, as web_http_port is; nginx needs one",),
    ),
    ("a port by a word", f"{APP}web_http_port: http\n", ('web_http_port: is "http", but it must be a whole number',)),
    (
        "a port and an address",
        f"{APP}web_http_port: 127.0.0.1:80\n",
        ('web_http_port: is "127.0.0.1:80", but it must',),
    ),
    ("everybody a proxy", f"{APP}web_trusted_proxies: [0.0.0.0/0]\n", ("must not list everybody; 0.0.0.0/0 is every",)),
    (
        "a proxy by name",
        f"{APP}web_trusted_proxies: [lb.test]\n",
        ('list of addresses or networks (10.0.0.0/8); "lb.test" isn\'t',),
    ),
    (
        "a protocol nobody speaks",
        f"{APP}web_proxy_protocol: true\n",
        ("web_proxy_protocol: is true, but web_trusted_proxies is",),
    ),
    (
        "prot",
        f"{APP}web_firewall_open: [{{prot: 9100}}]\n",
        ("its item 1 has an unknown key 'prot'; did you mean 'port'?",),
    ),
    (
        "a bare port",
        f"{APP}web_firewall_open: [9100]\n",
        ("web_firewall_open: is [9100], but it must be a list of {port:",),
    ),
    (
        "open to an app",
        f"{APP}web_firewall_open: [{{port: 1, from: shop}}]\n",
        ("in its item 1 'from' must be a list of",),
    ),
    (
        "another protocol",
        f"{APP}web_firewall_open: [{{port: 1, protocol: icmp}}]\n",
        ("must have a 'protocol' of tcp or udp",),
    ),
    (
        "a root of a home",
        f"{APP}web_app_root: ~/apps\n",
        ('web_app_root: is "~/apps", but it must be an absolute path',),
    ),
    (
        "sockets elsewhere",
        f"{APP}web_run_root: /tmp\n",
        ('web_run_root: is "/tmp", but it must be /run or a path below it',),
    ),
    (
        "an account of nobody",
        f"{APP}web_nginx_user: root\n",
        ('web_nginx_user: is "root", but it must be the name of a user',),
    ),
    (
        "a CA by a word",
        f"{APP}web_acme_directory: staging\n",
        ("that of Let's Encrypt's staging environment is https://",),
    ),
    (
        "an account without @",
        f"{APP.replace('shop.test', 'shop.example.com')}    tls: acme\nweb_acme_email: ops\n",
        ('web_acme_email: is "ops", but it must be',),
    ),
    ("no account", f"{APP.replace('shop.test', 'shop.example.com')}    tls: acme\n", ("web_acme_email",)),
    (
        "a name no CA knows",
        f"{APP}    tls: acme\nweb_acme_email: ops@example.com\n",
        ("'tls: acme' and shop.test in 'server_names': no public CA gives a certificate for it",),
    ),
    (
        "pip's variables as a list",
        f"{APP}web_build_environment: [PIP_INDEX_URL=https://u:hunter2@a.test]\n",
        ("web_build_environment: must be a dictionary of NAME: value",),
    ),
    (
        "a token without a host",
        f"{APP}web_source_tokens: hunter2\n",
        ("web_source_tokens: must be a dictionary of a token by",),
    ),
    (
        "a Python by number",
        f"{APP}web_lock_python: 3.13\n",
        ("web_lock_python: is 3.13, but it must be a version of Python",),
    ),
    (
        "a sandbox that is off",
        f"{APP}web_nginx_sandbox: off\n",
        ("web_nginx_sandbox: is false, but it must be a dictionary",),
    ),
]


@pytest.mark.parametrize(("text", "parts"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_whole_file(workshop: Workshop, text: str, parts: tuple[str, ...]) -> None:
    compare(told(workshop, text), parts)


# --- An engineer who inherits it in three years -------------------------------------------------------------------

TEMPLATES: list[tuple[str, str, tuple[str, ...]]] = [
    ("values of their own", f"{APP}    processes: '{{{{ cores * 2 }}}}'\ncores: 2\n", GOOD),
    (
        "apps from two lists",
        "web_apps: '{{ old + new }}'\nold: [{name: shop, server_names: [a.test]}]\nnew: []\n",
        GOOD,
    ),
    ("a secret by lookup", f"{APP}web_app_secrets: {{shop: {{A: \"{{{{ lookup('env', 'HOME') }}}}-x\"}}}}\n", GOOD),
    (
        "what is undefined",
        f"{APP}    processes: '{{{{ cors }}}}'\n",
        ("'shop' has 'processes', which can't be read: 'cors' is un",),
    ),
    (
        "a circle",
        f"{APP}    processes: '{{{{ a }}}}'\na: '{{{{ b }}}}'\nb: '{{{{ a }}}}'\n",
        ("'processes', which can't be read: its template leads back to itself",),
    ),
    (
        "a circle hides nothing",
        f"{APP}    threads: '{{{{ a }}}}'\n{WIKI}    processes: 0\na: '{{{{ a }}}}'\nweb_http_port: x\nweb_tls: 1\n",
        (
            "'shop' has 'threads', which can't be read",
            "web_http_port: is",
            "'wiki' has 'processes': 0",
            "web_tls: nothing reads",
        ),
    ),
    (
        "a file that is gone",
        f"{APP}    max_body: \"{{{{ lookup('file', 'gone') }}}}\"\n",
        ("'shop' has 'max_body', which can't be read",),
    ),
    (
        "an unclosed template",
        f"{APP}    max_body: '{{{{ size'\n",
        ("'shop' has 'max_body', which can't be read: Syntax error in template",),
    ),
    (
        "a filter that there isn't",
        f"{APP}    max_body: '{{{{ 1 | megabytes }}}}'\n",
        ("'shop' has 'max_body', which can't be read",),
    ),
    (
        "a failing secret",
        f"{APP}web_app_secrets: {{shop: {{A: '{{{{ \"hunter2\" | to_datetime }}}}'}}}}\n",
        ("web_app_secrets: can't be read: its template fails (ValueError)",),
    ),
    (
        "a text from a template",
        f"{APP}    processes: '{{{{ cores }}}} '\ncores: 2\n",
        ("'shop' has 'processes': \"2 \", but it must be",),
    ),
    ("unquoted braces", "web_http_port: {{ port }}\n", ("missing quotes around a template",)),
    ("tabs", "web_apps:\n\t- name: shop\n", ("Tabs are usually invalid in YAML",)),
    ("a wrong indent", "web_apps:\n  - name: shop\n   source: x\n", ("YAML parsing failed",)),
]


@pytest.mark.parametrize(("text", "parts"), [row[1:] for row in TEMPLATES], ids=[row[0] for row in TEMPLATES])
def test_templates_and_yaml(workshop: Workshop, text: str, parts: tuple[str, ...]) -> None:
    compare(told(workshop, text), parts)
