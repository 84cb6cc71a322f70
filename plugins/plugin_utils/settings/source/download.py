"""An archive from a web server: by HTTPS alone, and with a token for one host if there is one."""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.archive import LARGEST, BadArchive
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.command import user_and_token

# Seconds without a byte.
SILENCE = 30


class _Secure(urllib.request.HTTPRedirectHandler):
    """Follows no redirect to a place without TLS. The token isn't passed on: it is a header of the first request."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.startswith("https://"):
            raise BadArchive("can't be got: the server redirects to a place without HTTPS")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(url: str, target: Path, token: str = "") -> None:
    """Write what the server sends to `target`. Raises BadArchive with one line."""
    request = urllib.request.Request(url, headers={"User-Agent": "uwsgi-flask", "Accept": "*/*"})
    if token:
        login = base64.b64encode(":".join(user_and_token(token)).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {login}")
    opener = urllib.request.build_opener(_Secure())
    try:
        with opener.open(request, timeout=SILENCE) as answer, target.open("wb") as file:
            left = LARGEST
            while part := answer.read(1 << 20):
                left -= len(part)
                if left < 0:
                    raise BadArchive(f"can't be got: it is larger than {LARGEST >> 30} GiB")
                file.write(part)
    except urllib.error.HTTPError as error:
        with error:
            hint = "; give a token in 'web_source_tokens'" if error.code in (401, 403, 404) and not token else ""
            raise BadArchive(f"can't be got: the server answers {error.code}{hint}") from None
    except (OSError, http.client.HTTPException, ssl.SSLError) as error:
        reason = getattr(error, "reason", error)
        raise BadArchive(f"can't be got: {' '.join(str(reason).split())}") from None
