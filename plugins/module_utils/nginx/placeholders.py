"""What a template can't know, because it depends on the host's nginx: filled in there."""

from __future__ import annotations

from collections.abc import Mapping

# Stands in nginx.conf for the number of connections of a worker.
CONNECTIONS = "@worker_connections@"
# Stand for HTTP/2 in a `listen` and in a line of its own. Of two forms, each nginx wants one.
LISTEN_HTTP2 = "@listen_http2@"
HTTP2 = "@http2@"
# Stands where nginx shall look for files that Brotli has made: only a module knows the directive.
BROTLI_STATIC = "@brotli_static@"
# The first with `http2 on`, which warns of the older form.
HAS_HTTP2_DIRECTIVE = (1, 25, 1)


def for_host(
    texts: Mapping[str, str], version: tuple[int, ...], connections: int, has_brotli: bool = False
) -> dict[str, str]:
    """The texts for a host with this version of nginx; () if none is installed yet, which only a rehearsal meets.

    `has_brotli` is whether it loads the module that sends files that Brotli has made.
    """
    is_new = not version or version >= HAS_HTTP2_DIRECTIVE
    values = {
        CONNECTIONS: str(connections),
        LISTEN_HTTP2: "" if is_new else " http2",
        # A comment, because a line that isn't needed must not leave half a directive.
        HTTP2: "http2 on;" if is_new else "# With HTTP/2, by the `listen` above.",
        BROTLI_STATIC: "brotli_static on;" if has_brotli else "# No .br: this nginx has no module for it.",
    }
    return {path: _filled(text, values) for path, text in texts.items()}


def _filled(text: str, values: Mapping[str, str]) -> str:
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text
