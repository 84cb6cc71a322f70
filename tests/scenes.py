"""What is so before a page is read, and what happens after its commands, so that what it shows can be seen.

A page without a scene is read as things stand. The scenes come in the order in which the pages are read.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from pages import PROJECT, blocks
from reader import SERVERS, Reader, as_root


def nothing(reader: Reader) -> None:
    """No scene."""


@dataclass(frozen=True)
class Scene:
    """What the reader does that the page doesn't say. Of its settings she writes those that hold `writes`."""

    before: Callable[[Reader], None] = nothing
    after: Callable[[Reader], None] = nothing
    writes: str = ""


def an_app_of_her_own(reader: Reader) -> None:
    text = blocks(PROJECT / "README.md", "yaml")[0].text
    reader.writes("group_vars/production/web_apps.yml", text)
    reader.apps = yaml.safe_load(text)["web_apps"]


def it_serves(reader: Reader) -> None:
    for server in SERVERS:
        assert reader.at_home(f"curl -sS -H 'Host: shop.example.com' http://{server}/") == "shop"
    reader.apps[0]["environment"] = {"FLASK_APP": "flask_wsgi"}
    reader.saves()


def a_staging_server(reader: Reader) -> None:
    reader.writes(
        "inventory/staging.yml", "web: {children: {staging: {hosts: {web2.example.com: {ansible_user: deploy}}}}}\n"
    )
    reader.writes("group_vars/staging/web_apps.yml", yaml.safe_dump({"web_apps": reader.apps}))
    reader.at_home("echo not-a-secret > .vault-password && chmod 600 .vault-password")


def a_second_app_that_breaks(reader: Reader) -> None:
    reader.at_home("cp -r shop wiki && rm -rf wiki/.git")
    reader.apps.append({"name": "wiki", "source": "../wiki", "server_names": ["wiki.example.com"]})
    reader.saves()
    reader.deploys()
    reader.edits("again")
    reader.at_home("sed -i '1i import stripe_client' wiki/flask_wsgi.py")
    assert reader.types("ansible-playbook site.yml") != 0
    # Two runs at a time.
    first = "ansible-playbook site.yml -e restart=shop > /tmp/first 2>&1 &"
    # It takes the lease then, and would be done before the second one asks for it.
    until = "timeout 60 sh -c 'until grep -q \"see what the host has\" /tmp/first; do sleep 0.1; done'; kill -STOP $!"
    assert reader.types(f"{first} {until}; ansible-playbook site.yml; code=$?; kill -CONT $!; wait; exit $code") != 0
    assert reader.types("ansible-playbook teardown.yml -e confirm=yes -e app=wiki") == 0
    del reader.apps[1:]
    reader.saves()


def five_good_releases(reader: Reader) -> None:
    for words in ("one", "two", "three", "four", "five"):
        reader.edits(words)
        reader.deploys()
        if words == "two":
            reader.ids["e8f95a32a2d7"] = reader.live()


def none_is_left(reader: Reader) -> None:
    assert reader.types("ansible-playbook rollback.yml -e release=0123456789ab") != 0
    for _times in range(5):
        if reader.types("ansible-playbook rollback.yml") != 0:
            return
    raise AssertionError("a rollback always found one more")


BROKEN = {
    # As Flask's tutorial has it.
    "import": "sed -i '/^app = /a import os; os.makedirs(app.instance_path)' flask_wsgi.py",
    "probe": 'sed -i \'s/return "ok.*"/raise RuntimeError("no database at db1:5432")/\' flask_wsgi.py',
    "check": "sed -i '1i from stripe_client import charge' flask_wsgi.py",
    "virtualenv": f"echo 'flask==3.9.0 --hash=sha256:{'0' * 64}' > requirements.txt",
}
UNBROKEN = "cd shop && git checkout -q -- ."


def all_that_can_be_refused(reader: Reader) -> None:
    as_root(SERVERS[0], "DEBIAN_FRONTEND=noninteractive apt-get -qq install curl jq >/dev/null")
    reader.at_home(UNBROKEN)
    reader.deploys()
    for step, change in BROKEN.items():
        reader.at_home(f"{UNBROKEN} && {change}")
        assert reader.types("ansible-playbook site.yml") != 0
        refused = re.findall(r"shop: release (\w{12}) was refused", reader.shown[-1])[0]
        assert reader.types(f"sudo cat /opt/shop/releases/{refused}/failure.log") == 0
        if step == "probe":
            # It can be started, so it stands for whichever release a page looks at.
            reader.ids["66f4c12d294f"] = refused


def the_mended_one(reader: Reader) -> None:
    reader.at_home(UNBROKEN)
    reader.deploys()
    # A rollback is in the history that status shows.
    reader.edits("for a while")
    reader.deploys()
    assert reader.types("ansible-playbook rollback.yml") == 0
    reader.at_home(UNBROKEN)


def a_request_with_an_id(reader: Reader) -> None:
    answer = reader.at_home(f"curl -sSi -H 'Host: shop.example.com' http://{SERVERS[0]}/")
    found = re.search(r"(?i)^x-request-id: (\w+)", answer, re.MULTILINE)
    assert found
    reader.ids["5d3b1e0f6c8a4f2b9e7d1c0a8b6f4e2d"] = found[1]


def what_cannot_be_installed(reader: Reader) -> None:
    wanting = "cd shop && git checkout -q -- . && echo {} >> requirements.txt"
    reader.at_home(wanting.format("colorama==0.4.6"))
    assert reader.types("ansible-playbook site.yml") != 0
    reader.writes("group_vars/production/main.yml", "{}\n")
    reader.deploys()
    reader.at_home(wanting.format("flsk"))
    assert reader.types("ansible-playbook site.yml") != 0
    reader.at_home(UNBROKEN)
    reader.apps[0]["packages"] = ["libmagicc1"]
    reader.saves()
    assert reader.types("ansible-playbook site.yml") != 0
    del reader.apps[0]["packages"]
    reader.saves()
    reader.deploys()


def what_a_job_has(reader: Reader) -> None:
    """The CI's two secrets, and a checkout in which all is committed."""
    reader.at_home("cd uwsgi-flask && git add . && git commit -qm settings")
    exported = 'DEPLOY_KEY="$(cat ~/.ssh/id_ed25519)" VAULT_PASSWORD="$(cat ~/.vault-password)"'
    assert reader.types(f"export {exported}; unset ANSIBLE_VAULT_PASSWORD_FILE") == 0


def a_secret_in_the_source(reader: Reader) -> None:
    reader.at_home("touch shop/.env")
    assert reader.types("ansible-playbook settings.yml") == 0
    reader.at_home("rm shop/.env")


def edits_by_hand(reader: Reader) -> None:
    """What drift is: a unit, the code, the virtualenv, a socket's mode, a drop-in, and nginx's files."""
    live = reader.live()
    release = f"/opt/shop/releases/{live}"
    # What watches the socket would put its mode back.
    as_root(
        SERVERS[0],
        f"""
        systemctl stop shop@{live}-watch.path
        echo '# by hand' >> /etc/systemd/system/shop@{live}.service
        echo '# by hand' >> {release}/code/flask_wsgi.py
        echo '# by hand' >> $(readlink -f {release}/venv)/bin/flask
        mkdir -p /etc/systemd/system/shop@{live}.service.d
        printf '[Service]\nNice=5\n' > /etc/systemd/system/shop@{live}.service.d/own.conf
        systemctl daemon-reload
        chmod 0666 /run/shop/{live}.sock
        echo '# by hand' >> /etc/nginx/conf.d/shop.conf
        """,
    )
    other = reader.live(SERVERS[1])
    units = f"shop@{other}-watch.path shop@{other}.target shop@{other}.socket shop@{other}.service"
    as_root(SERVERS[1], f"echo '# by hand' >> /etc/nginx/mime.types; systemctl stop {units}")
    assert reader.types("ansible-playbook status.yml") == 0
    as_root(SERVERS[0], f"rm -r /etc/systemd/system/shop@{live}.service.d; systemctl daemon-reload")
    reader.deploys()


def a_worker_and_a_timer(reader: Reader) -> None:
    own = {
        "workers": {"mail": "sleep 100000"},
        "timers": {"clean": {"command": "flask count-orders", "calendar": "*:*:0/5"}},
    }
    reader.apps[0] |= own
    reader.saves()
    reader.deploys()
    time.sleep(6)


def neither(reader: Reader) -> None:
    del reader.apps[0]["workers"], reader.apps[0]["timers"]
    reader.saves()
    reader.deploys()


def wiki_moves(reader: Reader) -> None:
    reader.at_home("rm -rf wiki && cp -r shop wiki && rm -rf wiki/.git")
    reader.apps.append({"name": "wiki", "source": "../wiki", "server_names": ["wiki.example.com"]})
    reader.saves()
    reader.deploys()
    reader.apps[1]["hosts"] = ["web1.example.com"]
    reader.saves()
    reader.deploys()


def wiki_is_forgotten(reader: Reader) -> None:
    del reader.apps[1:]
    reader.saves()
    assert reader.types("ansible-playbook status.yml") == 0


SCENES = {
    "README.md": Scene(an_app_of_her_own, it_serves),
    "deploying.md": Scene(a_staging_server, a_second_app_that_breaks, writes="# group_vars/production/secrets.yml"),
    "rolling-back.md": Scene(five_good_releases, none_is_left),
    "reading-a-failed-deploy.md": Scene(all_that_can_be_refused, the_mended_one),
    "status.md": Scene(after=edits_by_hand),
    "logs.md": Scene(a_request_with_an_id),
    "dependencies.md": Scene(after=what_cannot_be_installed, writes="web_wheelhouse: wheelhouse"),
    "workers.md": Scene(a_worker_and_a_timer, neither),
    "ci.md": Scene(what_a_job_has),
    "sources.md": Scene(a_secret_in_the_source),
    # All others stand here.
    "several-servers.md": Scene(wiki_moves),
    "removing.md": Scene(wiki_is_forgotten),
}
LAST = ("several-servers.md", "removing.md")
