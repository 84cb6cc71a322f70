"""What Lynis, which audits servers, says of a bare one and of the same with an app on it."""

from __future__ import annotations

import re

import pytest
from testinfra.host import Host

from server import Server

# It would have every site use HTTPS, which this one's app chose not to; and it wants an access log of each server
# block, those for root's probes included.
BY_CHOICE = {"HTTP-6710", "HTTP-6712"}


@pytest.fixture(scope="module")
def bare(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The host before anything is deployed."""
    return Server(host, tmp_path_factory.mktemp("bare"))


def audited(server: Server) -> tuple[int, set[str], set[str]]:
    """Its index (the higher, the better), and the names of its warnings and suggestions."""
    server.sh("lynis audit system --quick --quiet --no-colors >/dev/null 2>&1; true")
    report = server.sh("cat /var/log/lynis-report.dat")
    found = re.search(r"^hardening_index=(\d+)$", report, re.MULTILINE)
    assert found, report[-2000:]
    warnings, suggestions = (
        set(re.findall(rf"^{kind}\[\]=([^|]+)", report, re.MULTILINE)) for kind in ("warning", "suggestion")
    )
    return int(found.group(1)), warnings, suggestions


def test_a_deploy_lowers_nothing(bare: Server) -> None:
    bare.sh("apt-get install -qq -y --no-install-recommends lynis >/dev/null 2>&1")
    index, warnings, suggestions = audited(bare)
    bare.deploy()
    index_after, warnings_after, suggestions_after = audited(bare)
    print(
        f"\nLynis: index {index} before the deploy, {index_after} after it; new suggestions: "
        f"{', '.join(sorted(suggestions_after - suggestions)) or 'none'}"
    )
    assert index_after >= index
    assert warnings_after <= warnings
    assert suggestions_after - suggestions <= BY_CHOICE
