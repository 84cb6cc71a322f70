"""A name server on a test server itself: bind, which is asked for names below .test, and changed by who has its key."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from server import Server

ADDRESS = "127.0.0.1"
# Who may change what is proven by DNS, and nothing else.
KEY = "acme"
FOLDER = "/etc/bind"
SETTINGS = f"""
include "{FOLDER}/acme.key";
zone "test" {{
    type primary;
    file "/var/lib/bind/test.zone";
    update-policy {{ grant {KEY} zonesub TXT; }};
}};
"""
# Nobody who asks may remember the answer.
ZONE = """\
$TTL 0
@ SOA ns hostmaster 1 3600 900 86400 0
@ NS ns
ns A 127.0.0.1
"""
# Where a secret may be written by mistake.
WRITABLE = "/etc /home /opt /root /run /tmp /var"
COMMAND_LINES = "/run/seen-command-lines"
SECRET = "/run/secret-of-acme"


class Nameserver:
    """The server for the zone test, and where the secret of its key shows."""

    def __init__(self, server: Server, names: Mapping[str, str]) -> None:
        """`names` has the address to which each name leads."""
        self.server = server
        records = "".join(f"{name}. A {address}\n" for name, address in names.items())
        server.sh("apt-get install -qqy bind9 >/dev/null 2>&1")
        # It is made there, because sudo would write it into the journal.
        server.sh(
            f"umask 077; tsig-keygen -a hmac-sha512 {KEY} > {FOLDER}/acme.key; chown bind {FOLDER}/acme.key;"
            f" sed -n 's/.*secret \"\\(.*\\)\";/\\1/p' {FOLDER}/acme.key > {SECRET};"
            f" echo '{SETTINGS}' > {FOLDER}/named.conf.local;"
            f" printf %s '{ZONE}{records}' > /var/lib/bind/test.zone; chown bind /var/lib/bind/test.zone;"
            f" chmod 644 {FOLDER}/named.conf.local; systemctl restart named"
        )
        self.secret = server.sh(f"cat {SECRET}")
        assert self.secret

    def settings(self) -> dict[str, Any]:
        """The variables that let names be proven here."""
        return {
            "web_acme_dns_plugin": "rfc2136",
            "web_acme_dns_credentials": (
                f"dns_rfc2136_server = {ADDRESS}\n"
                f"dns_rfc2136_name = {KEY}           # the key's name\n"
                f"dns_rfc2136_secret = {self.secret}\n"
                "dns_rfc2136_algorithm = HMAC-SHA512\n"
            ),
            "web_acme_dns_seconds": 1,
        }

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Remember every command line on the server that lasts for a moment."""
        look = f"while sleep 0.2; do cat /proc/[0-9]*/cmdline >> {COMMAND_LINES} 2>/dev/null; done"
        self.server.sh(f"systemd-run -q --unit=watch sh -c '{look}'")
        try:
            yield
        finally:
            self.server.sh("systemctl stop watch.service")

    def command_lines(self) -> str:
        """Those that were seen."""
        return self.server.sh(f"tr '\\0' '\\n' < {COMMAND_LINES} | sort -u")

    def written(self) -> list[str]:
        """The files that hold the secret, each with its mode and owner, and the journal if it does."""
        files = f"find {WRITABLE} -xdev -type f -size -9M -exec grep -lFf {SECRET} {{}} + | xargs stat -c '%n %a %U'"
        journal = f"journalctl --no-pager --output=cat | grep -qFf {SECRET} && echo journal"
        return sorted(self.server.sh(f"{files}; {journal}; true").splitlines())
