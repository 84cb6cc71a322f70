"""A CA that speaks ACME, on a test server itself: pebble, which Let's Encrypt wrote for tests of what asks them."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

from authority import Authority
from server import Server

HOST = "ca.test"
FOLDER = "/root/ca"
SETTINGS = {
    "listenAddress": "127.0.0.1:14000",
    "managementListenAddress": "127.0.0.1:15000",
    "certificate": f"{FOLDER}/api.pem",
    "privateKey": f"{FOLDER}/api.key",
    # Where it asks those who want a certificate.
    "httpPort": 80,
    "tlsPort": 443,
    # Seconds until it wants to be asked again.
    "retryAfter": {"authz": 1, "order": 1},
    "certificateValidityPeriod": 90 * 86400,
}
# It neither sleeps nor refuses at random, and asks for every name every time.
BEHAVIOUR = {"PEBBLE_VA_NOSLEEP": 1, "PEBBLE_WFE_NONCEREJECT": 0, "PEBBLE_AUTHZREUSE": 0}


class Pebble:
    """The CA, and what its host believes of names. What it has signed is trusted by its root alone."""

    def __init__(self, server: Server, folder: Path, names: dict[str, str], *words: str) -> None:
        """`names` has the address to which each name leads; `words` are for pebble's command line."""
        self.server = server
        # Pebble's own pages are under another root than what it signs.
        api = Authority(folder)
        self.bundle = api.folder / "ca.pem"
        made = api.make(HOST)
        server.sh("apt-get install -qqy pebble curl >/dev/null 2>&1")
        # One that starts anew knows nobody who came before.
        server.sh(f"systemctl stop -q pebble.service 2>/dev/null; rm -rf /etc/letsencrypt/accounts; mkdir -p {FOLDER}")
        self._put("ca.pem", self.bundle.read_text())
        self._put("api.pem", Path(made["tls_certificate"]).read_text())
        self._put("api.key", Path(made["tls_key"]).read_text())
        self._put("pebble.json", json.dumps({"pebble": SETTINGS}))
        self.names = names
        self.answers(True)
        setenv = " ".join(f"--setenv={name}={value}" for name, value in BEHAVIOUR.items())
        server.sh(f"systemd-run -q --unit=pebble {setenv} pebble -config {FOLDER}/pebble.json {' '.join(words)}")
        server.sh(f"curl -s --retry 20 --retry-connrefused --retry-delay 1 {self._url('14000/dir')}")

    def settings(self) -> dict[str, Any]:
        """The variables that let a server ask this CA."""
        return {
            "web_acme_directory": f"https://{HOST}:14000/dir",
            "web_acme_email": "ops@flask.test",
            "web_acme_ca_bundle": str(self.bundle),
        }

    def answers(self, is_up: bool) -> None:
        """Let the CA be found, or nobody where it was. It isn't stopped, because it would forget its accounts."""
        leads = {**self.names, HOST: "127.0.0.1" if is_up else "127.0.0.99"}
        lines = "\n".join(f"{address} {name}" for name, address in leads.items())
        # In place, because the file is mounted.
        self.server.sh(
            f"[ -e {FOLDER}/hosts ] || cp /etc/hosts {FOLDER}; (cat {FOLDER}/hosts; echo '{lines}') > /etc/hosts"
        )

    def trusted(self) -> ssl.SSLContext:
        """Who trusts what this CA signs, and nothing else."""
        return ssl.create_default_context(cadata=self.server.sh(f"curl -s {self._url('15000/roots/0')}"))

    def state_of(self, serial: int) -> str:
        """Valid or Revoked, in the CA's own words."""
        said = self.server.sh(f"curl -s {self._url(f'15000/cert-status-by-serial/{serial:x}')}")
        return str(json.loads(said)["Status"])

    def heard(self) -> int:
        """How often anybody has asked it for anything."""
        return int(self.server.sh("journalctl --no-pager --output=cat --unit=pebble | grep -c '/'"))

    def _url(self, path: str) -> str:
        return f"--cacert {FOLDER}/ca.pem --resolve {HOST}:{path[:5]}:127.0.0.1 https://{HOST}:{path}"

    def _put(self, name: str, text: str) -> None:
        self.server.sh(f"cat > {FOLDER}/{name} <<'END'\n{text}\nEND")
