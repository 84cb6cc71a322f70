"""The server blocks and locations of one app, found in what was rendered."""

from __future__ import annotations

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET

from directives import Directive, parsed, those, values
from rendered import Rendered


def is_for_probes(block: list[Directive]) -> bool:
    return values(block, "listen") == [[f"unix:{PROBE_SOCKET}"]]


def server(made: Rendered) -> list[Directive]:
    """The visitors' server block."""
    (block,) = [block for _words, block in those(parsed(made.conf), "server") if not is_for_probes(block)]
    return block


def probed(made: Rendered) -> list[Directive]:
    """The one for probes."""
    _proof, block = [block for _words, block in those(parsed(made.conf), "server") if is_for_probes(block)]
    return block


def location(made: Rendered, *words: str) -> list[Directive]:
    ((_words, block),) = those(server(made), "location", *words)
    return block
