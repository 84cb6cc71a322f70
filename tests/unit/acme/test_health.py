"""What status.yml says of certificates that come from a CA."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme import health
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.renewal import lineages
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import WEBROOT
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import ACME_NOTES, pem_file

from fake_nginx import Nginx
from lineages import Certbots

# As systemctl answers, in an order of its own.
SYSTEMCTL = """\
#!/bin/sh
cd {folder}
echo asked >> times
case "$*" in
    "show --timestamp=unix --property="*" certbot.service certbot.timer")
        echo "Result=$(cat result)"
        echo "ExecMainStartTimestamp=$(cat began)"
        printf '%s\\n' Id=certbot.service ActiveState=inactive InvocationID=0a1b ""
        printf '%s\\n' Result=success Id=certbot.timer "ActiveState=$(cat timer)" InvocationID=ffff
        echo "LoadState=$(cat load)"
        ;;
esac
"""
JOURNALCTL = """\
#!/bin/sh
case "$*" in *_SYSTEMD_INVOCATION_ID=0a1b) cat {folder}/journal ;; esac
"""
JOURNAL = """\
Failed to renew certificate web-shop-2 with error: of another
Failed to renew certificate {name} with error: Some challenges have failed.
All renewals failed. The following certificates could not be renewed:
"""


class Host:
    """One that serves shop by ACME and blog by plain HTTP, and its systemd, which says what a test wants."""

    def __init__(self, folder: Path, certbots: Certbots) -> None:
        self.nginx, self.certbots, self.folder = Nginx(folder), certbots, folder / "bin"
        self.nginx.deploy(shop=f"root {WEBROOT};\n", blog="")
        self.notes.ask("shop")
        self.folder.mkdir()
        for name, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
            (self.folder / name).write_text(text.format(folder=self.folder))
            (self.folder / name).chmod(0o755)
        # Its last run began when all that a test does is past.
        self.says(result="success", timer="active", load="loaded", journal="", began="@32503680000")
        self.renew()

    @property
    def notes(self) -> Notes:
        return Notes.read(self.nginx.root / ACME_NOTES)

    def says(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.folder / name).write_text(f"{text}\n")

    def renew(self, days: float = 60, *, is_served: bool = True, days_ago: float = 0) -> None:
        pem = self.certbots.renew("shop", days=days)
        self.certbots.got("shop", days_ago)
        if is_served:
            (self.nginx.root / "tls").mkdir(exist_ok=True)
            (self.nginx.root / pem_file("shop")).write_text(pem)

    def faults(self) -> Mapping[str, str]:
        return health.failures(self.nginx.ours(), self.nginx)[0]

    def failed_renewals(self) -> list[str]:
        return health.failures(self.nginx.ours(), self.nginx)[1]


@pytest.fixture
def host(tmp_path: Path, certbots: Certbots, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(health, "lineages", functools.partial(lineages, certbots=certbots.folder))
    return Host(tmp_path, certbots)


def test_one_that_is_as_it_should_be_isnt_told(host: Host) -> None:
    assert host.faults() == {}


def test_systemctl_is_asked_once_whatever_the_apps_are(host: Host) -> None:
    host.nginx.deploy(shop=f"root {WEBROOT};\n", wiki=f"root {WEBROOT};\n")
    assert list(host.faults()) == ["wiki"]
    assert (host.folder / "times").read_text() == "asked\n"


def test_a_host_that_has_never_renewed_has_nothing_to_complain_of(host: Host) -> None:
    host.says(began="")
    assert host.faults() == {}


def test_without_apps_by_acme_nobody_is_asked(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.nginx.take_off("shop")
    monkeypatch.setattr("subprocess.run", None)
    assert host.faults() == {}


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        (lambda host: host.notes.note("shop", "no address"), "no address"),
        (lambda host: host.notes.forget("shop"), "certbot has none, or none that is whole; deploy again"),
        (
            lambda host: host.certbots.settings("shop").unlink(),
            "certbot has none, or none that is whole; deploy again",
        ),
        (lambda host: host.renew(is_served=False), "it was renewed, and nginx doesn't serve the new one"),
        (
            lambda host: host.renew(days=17, days_ago=2),
            "it should have been renewed by now; see journalctl -u certbot.service",
        ),
        (lambda host: host.says(timer="inactive"), "it won't be renewed: certbot.timer doesn't run"),
        (
            lambda host: host.says(timer="inactive", load="masked"),
            "it won't be renewed: certbot.timer is masked; systemctl unmask certbot.timer",
        ),
        (
            lambda host: host.says(result="exit-code", journal=JOURNAL.format(name="web-shop")),
            "it can't be renewed: Some challenges have failed.",
        ),
    ],
)
def test_what_is_wrong_is_told_of_its_app(host: Host, happened: Any, told: str) -> None:
    happened(host)
    faults = host.faults()
    assert list(faults) == ["shop"]
    assert faults["shop"].startswith(told)


def test_of_a_run_that_went_well_or_of_another_certificate_nothing_is_told(host: Host) -> None:
    host.says(journal=JOURNAL.format(name="web-shop"))
    assert host.faults() == {}
    host.says(result="exit-code", journal=JOURNAL.format(name="web-wiki"))
    assert host.faults() == {}


def test_what_else_failed_is_told_of_the_host(host: Host) -> None:
    """What is ours changes certbot's service, and nobody else may look at it."""
    host.says(journal=JOURNAL.format(name="web-wiki"))
    assert host.failed_renewals() == []
    others = "another certificate's renewal failed on this host: "
    host.says(result="exit-code", journal=JOURNAL.format(name="mail.test"))
    assert host.failed_renewals() == [
        f"{others}web-shop-2: of another",
        f"{others}mail.test: Some challenges have failed.",
    ]
    host.says(journal="Failed to renew certificate web-shop with error: ours")
    assert host.failed_renewals() == []
    host.says(journal="Traceback")
    assert host.failed_renewals() == ["certbot.service failed on this host; see journalctl -u certbot.service"]


def test_what_it_has_got_since_settles_a_failed_renewal(host: Host) -> None:
    host.says(result="exit-code", journal=JOURNAL.format(name="web-shop"), began="@1")
    assert host.faults() == {}
