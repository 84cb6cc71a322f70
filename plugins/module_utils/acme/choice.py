"""With which certificate an app is served, while the one that is wanted isn't there."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.lineage import Lineage
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.certificate import Certificate, read
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import is_pem, pem_file
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System


def best(system: System, ours: Ours, app: str, names: Sequence[str], found: Lineage | None) -> str:
    """Key and certificates of the one that is for most of the names, then for longest; "" if none is for any.

    `found` is what certbot has. An app may have another name than before, or names of another app: so what nginx serves
    for others counts too.
    """
    own = pem_file(app)
    places = [own, *(path for path in ours.files if is_pem(path) and path != own)]
    candidates = [(found.certificate, found.pem)] if found else []
    for place in (ours.root / path for path in places):
        there = read(system, place) if place.is_file() else None
        if there:
            candidates.append((there, place.read_text(errors="replace")))

    def worth(candidate: tuple[Certificate, str]) -> tuple[int, float]:
        certificate, _pem = candidate
        return len(certificate.covered(names)), certificate.expires.timestamp()

    chosen = max(candidates, key=worth, default=None)
    return chosen[1] if chosen and chosen[0].covered(names) else ""
