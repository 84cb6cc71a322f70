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
REACH = "look whether that server answers this machine"


class _Secure(urllib.request.HTTPRedirectHandler):
    """Follows no redirect to a place without TLS. The token isn't passed on: it is a header of the first request."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.startswith("https://"):
            raise BadArchive("can't be got: the server redirects to a place without HTTPS; give another URL")
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
            raise BadArchive(f"can't be got: the server answers {error.code}; {_remedy(error.code, token)}") from None
    except (OSError, http.client.HTTPException, ssl.SSLError) as error:
        reason = getattr(error, "reason", error)
        told = " ".join(str(reason).split())
        remedy = "name the CA's certificates on this machine in SSL_CERT_FILE" if "CERTIFICATE" in told else REACH
        raise BadArchive(f"can't be got: {told}; {remedy}") from None
    with target.open("rb") as file:
        if file.read(100).lstrip().startswith(b"<"):
            remedy = "give the URL of the file itself, or a token in 'web_source_tokens' if that page is to log in"
            raise BadArchive(f"can't be got: the server sends a web page in its place; {remedy}")


def _remedy(code: int, token: str) -> str:
    if code in (401, 403):
        return f"give {'another' if token else 'a'} token in 'web_source_tokens'"
    private = "" if token else ", or give a token in 'web_source_tokens' if it is private"
    return f"mend the URL{private}" if code == 404 else REACH
