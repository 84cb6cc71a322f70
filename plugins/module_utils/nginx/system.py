"""nginx and its service, as the transaction sees them. Tests put another in its place."""

from __future__ import annotations

import http.client
import os
import re
import resource
import subprocess
import time
from pathlib import Path

ERROR_LOG = Path("/var/log/nginx/errors/error.log")
# What the unit asks for; a host may give less.
DESCRIPTORS = 65536
# Lines that tell of the configuration; all others may hold what a visitor sent.
OF_CONFIGURATION = re.compile(r"\[(emerg|alert)\]")


class System:
    """What is asked of nginx and of systemd."""

    def test(self, root: Path) -> tuple[int, str]:
        """`nginx -t` of the tree at `root`: exit code and what it said, one fault a line."""
        return self._run(["nginx", "-t", "-q", "-c", os.fspath(root / "nginx.conf")])

    def systemctl(self, *words: str) -> tuple[int, str]:
        return self._run(["systemctl", *words])

    def show(self) -> dict[str, str]:
        wanted = "--property=ActiveState,UnitFileState,NeedDaemonReload,MainPID"
        _code, printed = self.systemctl("show", wanted, "nginx.service")
        return dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)

    def make_temporary_files(self, configuration: Path) -> None:
        """Make what a file of tmpfiles.d says, as at boot. Raises OSError."""
        code, printed = self._run(["systemd-tmpfiles", "--create", os.fspath(configuration)])
        if code != 0:
            raise OSError(f"systemd-tmpfiles: {printed}")

    def descriptors(self) -> int:
        """How many files nginx may open: what the running master has, or what it would get at a start."""
        master = self.show().get("MainPID", "0")
        try:
            limits = Path(f"/proc/{master}/limits").read_text()
            return int(re.findall(r"^Max open files\s+(\d+)", limits, re.MULTILINE)[0])
        except (OSError, IndexError):
            return self.descriptors_at_start()

    def descriptors_at_start(self) -> int:
        """systemd gives as much of LimitNOFILE= as it may itself."""
        _soft, hard = resource.prlimit(1, resource.RLIMIT_NOFILE)
        return DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)

    def answers_to(self, generation: str, address: str) -> bool:
        """Whether the running nginx has loaded the configuration with this digest."""
        name, _colon, port = address.rpartition(":")
        connection = http.client.HTTPConnection(name, int(port), timeout=2.0)
        try:
            connection.request("GET", "/", headers={"Host": f"{generation}.invalid", "Connection": "close"})
            return connection.getresponse().status == 204
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def complaints(self) -> str:
        """What nginx last said of its configuration. Its log holds requests too, which must not be shown."""
        if not ERROR_LOG.exists():
            return ""
        lines = ERROR_LOG.read_text(errors="replace").splitlines()[-50:]
        return "\n".join([line for line in lines if OF_CONFIGURATION.search(line)][-10:])

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    @staticmethod
    def _run(words: list[str]) -> tuple[int, str]:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()
