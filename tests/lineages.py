"""/etc/letsencrypt in a folder, as certbot leaves it: real certificates, and links to the newest of each."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from authority import Authority

DIRECTORY = "https://ca.test/directory"


class Certbots:
    """What certbot has. A certificate began 60 days ago."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "letsencrypt"
        (folder / "authority").mkdir()
        self.authority = Authority(folder / "authority")
        self.made: dict[str, int] = {}

    def renew(self, app: str, *names: str, days: float = 60, authenticator: str = "webroot") -> str:
        """A new certificate for an app in place of the one that it has: the key and the chain."""
        archive, live = self.folder / f"archive/web-{app}", self.folder / f"live/web-{app}"
        for folder in (archive, live, self.folder / "renewal"):
            folder.mkdir(parents=True, exist_ok=True)
        self.made[app] = number = self.made.get(app, 0) + 1
        signed = self.authority.make(*(names or (f"{app}.test",)), days=days)
        for kind, made in (("privkey", signed["tls_key"]), ("fullchain", signed["tls_certificate"])):
            shutil.copy(made, archive / f"{kind}{number}.pem")
            self.lead(app, kind, number)
        self.settings(app).write_text(
            f"version = 4.0.0\nprivkey = {live}/privkey.pem\n[renewalparams]\nauthenticator = {authenticator}\n"
            f"server = {DIRECTORY}\n"
        )
        return "".join((archive / f"{kind}{number}.pem").read_text() for kind in ("privkey", "fullchain"))

    def lead(self, app: str, kind: str, number: int) -> None:
        """Let certbot's link lead to what it got the `number`-th time."""
        link = self.folder / f"live/web-{app}/{kind}.pem"
        link.unlink(missing_ok=True)
        link.symlink_to(f"../../archive/web-{app}/{kind}{number}.pem")

    def got(self, app: str, days_ago: float) -> None:
        """Let it look as if certbot had got it then."""
        when = time.time() - days_ago * 86400
        for link in (self.folder / f"live/web-{app}").iterdir():
            os.utime(link, (when, when), follow_symlinks=False)

    def settings(self, app: str) -> Path:
        return self.folder / f"renewal/web-{app}.conf"
