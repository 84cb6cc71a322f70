"""What nginx's configuration should be: after a deploy, without some apps, or without anything of ours."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET, PROBE_SOCKET_AGAIN, WEBROOT
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.exchange import Source
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.front import front_of, names_in
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.others import refuse_what_is_kept_from
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    BASE,
    DEFAULT_SITE,
    DROP_IN,
    FORMER,
    MAIN,
    OF_ACME,
    RENEWAL_HOOK,
    TLS_BASE,
    apps_of,
    is_part_of,
    is_pem,
    is_server_block,
    log_name,
    log_names,
    mode_of,
    pem_file,
    sharing,
    site_file,
    sites_without_parts,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.tree import (
    GENERATION,
    digest_of,
    generation_in,
    plain,
    read_tree,
    with_own_digest,
)

# A TCP port that a server block listens on, and whether by the PROXY protocol.
LISTEN = re.compile(r"^ *listen (?:\[::\]:)?(\d+)\b[^;]*?(proxy_protocol)?;", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Aim:
    """What is wanted at each path, in the order in which it is put, so that a run that is cut off leaves a valid tree.

    `generation` is the digest that nginx answers to then, "" if nothing of ours is left. `logs` must be there and
    belong to `user`; `doomed` are the logs to remove. `is_elsewhere` while a lost socket for probes is made anew.
    """

    sources: Mapping[str, Source]
    generation: str = ""
    logs: Sequence[str] = ()
    user: str = ""
    doomed: Sequence[str] = ()
    is_elsewhere: bool = False

    def bystanders(self, ours: Ours) -> dict[str, OwnedFile]:
        """Server blocks of apps that this isn't about, as they are on the disk, if they have the socket for probes.

        Others may be a hand's, in the place of one of ours: they must not be taken for ours. Raises OSError.
        """
        paths = [path for path in ours.files if is_server_block(path) and path not in self.sources]
        places = {path: place for path in paths if (place := ours.root / path).is_file()}
        found = {path: _file(place, place.read_bytes()) for path, place in places.items()}
        return {path: file for path, file in found.items() if PROBE_SOCKET in file.text}

    def along_with(self, others: Mapping[str, OwnedFile]) -> Aim:
        """The same, and other files."""
        return dataclasses.replace(self, sources={**others, **self.sources})

    def listening_elsewhere(self) -> Aim:
        """The same with another socket for probes."""
        sources = {
            path: dataclasses.replace(source, text=source.text.replace(PROBE_SOCKET, PROBE_SOCKET_AGAIN))
            if isinstance(source, OwnedFile) and is_server_block(path)
            else source
            for path, source in self.sources.items()
        }
        return dataclasses.replace(self, sources=sources, doomed=(), is_elsewhere=True)


def deployed(ours: Ours, texts: Mapping[str, str], apps: Sequence[str], absent: Sequence[str], user: str) -> Aim:
    """These texts, and no server blocks of the apps that are absent; what else is there stays. Raises OSError.

    `apps` are those that the texts serve.
    """
    root = ours.root
    texts = {path: with_own_digest(text) if is_server_block(path) else text for path, text in texts.items()}
    going = _of_apps(ours, absent)
    of_run = [*apps, *apps_of(texts)]
    going += [path for path in map(pem_file, of_run) if path in ours.files and path not in texts and path not in going]
    going += [path for app in apps for path in ours.files if is_part_of(path, app) and path not in texts]
    going += [path for path in FORMER if path in ours.files]
    if RENEWAL_HOOK in texts:
        going += [path for path in OF_ACME if path in ours.files and path not in texts]
    if os.path.lexists(root / DEFAULT_SITE):
        going.append(DEFAULT_SITE)
    tree = {path: text for path, text in read_tree(root).items() if path not in going}
    going += [path for path in sites_without_parts(ours.files, [*tree, *texts]) if path not in going]
    tree = {path: text for path, text in tree.items() if path not in going}
    refuse_what_is_kept_from(tree, texts.get(DROP_IN, ""))
    _refuse_other_ports(ours, texts, tree)
    _refuse_taken_names(ours, texts, tree)
    _refuse_half_of_a_change(ours, texts, tree, apps)
    moved = {path: text for path, text in _moved_back(ours, tree).items() if path not in texts}
    tree |= moved
    if not any(map(is_pem, [*tree, *texts])):
        texts = {path: text for path, text in texts.items() if path != TLS_BASE}
    unused = _unused(ours, {**tree, **{path: text.encode(errors="surrogateescape") for path, text in texts.items()}})
    going += unused
    tree = {path: text for path, text in tree.items() if path not in unused}
    below = {path: text.encode() for path, text in texts.items() if not path.startswith("/")}
    generation = digest_of({**tree, **below}, ours.next_load())
    placed = {
        path: OwnedFile(root / path, text.replace(GENERATION, generation), mode_of(path))
        for path, text in texts.items()
    } | {path: _file(root / path, text) for path, text in moved.items()}
    # Units and tmpfiles first: nginx needs them at a boot. Its own nginx.conf is the base of all others. Keys come
    # before what names them, and go after it. The distribution's site must be gone before there is another default
    # server. And what proves the whole comes last: nobody's reload in between may make it true of a half.
    outside = sorted(path for path in texts if path.startswith("/"))
    keys = sorted(filter(is_pem, below))
    others = sorted((path for path in (*below, *moved) if not is_pem(path)), key=lambda path: (path == BASE, path))
    gone_keys, gone = filter(is_pem, going), [path for path in going if not is_pem(path)]
    ordered = [*outside, MAIN, *keys, *gone, *others, *gone_keys]
    return Aim(
        {path: placed.get(path) for path in ordered},
        generation,
        log_names(list(dict.fromkeys([*apps, *_served(ours, absent)]))),
        user,
        [log_name(app) for app in absent if log_name(app) in ours.logs],
    )


def without(ours: Ours, apps: Sequence[str]) -> Aim:
    """What is deployed without some apps: needs nothing but what is on the host. Raises Rejected and OSError."""
    return dataclasses.replace(
        _altered(ours, _of_apps(ours, apps), {}), doomed=[log_name(app) for app in apps if log_name(app) in ours.logs]
    )


def renewed(ours: Ours, pems: Mapping[str, str]) -> Aim:
    """What is deployed with these keys and certificates, by their paths. Raises Rejected and OSError."""
    return _altered(ours, [], {path: text.encode() for path, text in pems.items()})


def _altered(ours: Ours, off: Sequence[str], changes: Mapping[str, bytes]) -> Aim:
    """What is deployed, but for these files. Raises Rejected and OSError."""
    root, texts = ours.root, read_tree(ours.root)
    before = generation_in(texts)
    if not before:
        raise Rejected(f"{root / BASE} isn't as it was deployed, so nothing can be changed; deploy first (site.yml)")
    kept = {path: text for path, text in plain(texts, before).items() if path not in off}
    off = [*off, *sites_without_parts(ours.files, kept)]
    kept = {path: text for path, text in kept.items() if path not in off}
    changes = {**_moved_back(ours, kept), **changes}
    kept |= changes
    going = [*_unused(ours, kept), *off]
    kept = {path: text for path, text in kept.items() if path not in going}
    generation = digest_of(kept, ours.next_load())
    base = kept[BASE].replace(GENERATION.encode(), generation.encode())
    changed = {
        path: OwnedFile(root / path, _as_text(text), mode_of(path)) for path, text in {**changes, BASE: base}.items()
    }
    return Aim({**dict.fromkeys(going), **changed}, generation)


def _unused(ours: Ours, tree: Mapping[str, bytes]) -> list[str]:
    """Files of ours that nothing in this tree needs any more: what is there only for apps with a certificate."""
    useless = [] if any(map(is_pem, tree)) else [TLS_BASE]
    if not any(WEBROOT.encode() in text for path, text in tree.items() if is_server_block(path)):
        useless += OF_ACME
    return [path for path in useless if path in ours.files]


def _refuse_other_ports(ours: Ours, texts: Mapping[str, str], tree: Mapping[str, bytes]) -> None:
    """Raise Rejected if an app that these texts aren't about listens otherwise than the default servers would.

    It would have no default server beside it, or lead a whole port to the PROXY protocol.
    """
    wanted = {found.groups() for path in (BASE, TLS_BASE) for found in LISTEN.finditer(texts.get(path, ""))}
    for path in ours.files:
        if not is_server_block(path) or path in texts or path not in tree:
            continue
        if not {found.groups() for found in LISTEN.finditer(tree[path].decode(errors="replace"))} <= wanted:
            raise Rejected(
                f"{ours.root / path} listens otherwise: web_http_port, web_https_port and web_proxy_protocol change "
                "for all apps at once. Deploy without -e app=, and take off what web_apps no longer names"
            )


def _refuse_taken_names(ours: Ours, texts: Mapping[str, str], tree: Mapping[str, bytes]) -> None:
    """Raise Rejected if an app that these texts aren't about has one of their host names.

    It does where apps begin or cease to share a name, and where one gets the name of another that still serves.
    """
    wanted = {name for path, text in texts.items() if is_server_block(path) for name in names_in(text)}
    for path in ours.files:
        if not is_server_block(path) or path in texts or path not in tree:
            continue
        taken = sorted({*names_in(tree[path].decode(errors="replace"))} & wanted)
        if taken:
            (site,) = apps_of([path])
            whose = sharing(site, tree) or [site]
            raise Rejected(
                f"{', '.join(taken)} leads to {', '.join(whose)} on this host, which this run doesn't deploy anew. "
                "Deploy without -e app=, and take off what web_apps no longer names"
            )


def _refuse_half_of_a_change(
    ours: Ours, texts: Mapping[str, str], tree: Mapping[str, bytes], apps: Sequence[str]
) -> None:
    """Raise Rejected if visitors would come otherwise to an app that shares its host names and isn't of this run.

    It is noted of each app how visitors ask for it, and a rollback asks so.
    """
    for path, text in texts.items():
        if not is_server_block(path) or path not in ours.files or path not in tree:
            continue
        (site,) = apps_of([path])
        others = [app for app in sharing(site, tree) if app not in apps]
        if others and front_of(tree[path].decode(errors="replace"), "") != front_of(text, ""):
            raise Rejected(
                f"{', '.join(others)} shares the host names of {', '.join(apps)} on this host, and visitors would come "
                "otherwise: 'tls' and the ports change for all of them at once. Deploy without -e app="
            )


def _served(ours: Ours, absent: Sequence[str]) -> list[str]:
    """Apps that are served besides those of a run."""
    return [app for app in apps_of(ours.files) if log_name(app) in ours.logs and app not in absent]


def _moved_back(ours: Ours, texts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Our files that still name the other socket for probes, since a run that was cut off: as they should be."""
    again, right = PROBE_SOCKET_AGAIN.encode(), PROBE_SOCKET.encode()
    return {path: text.replace(again, right) for path, text in texts.items() if path in ours.files and again in text}


def _file(place: Path, content: bytes) -> OwnedFile:
    return OwnedFile(place, _as_text(content), 0o644)


def _as_text(content: bytes) -> str:
    return content.decode(errors="surrogateescape")


def _of_apps(ours: Ours, apps: Sequence[str]) -> list[str]:
    """All files of ours that belong to these apps; the server blocks first, which name the keys."""
    blocks, pems = ([path for path in map(of_app, apps) if path in ours.files] for of_app in (site_file, pem_file))
    return [*blocks, *(path for app in apps for path in ours.files if is_part_of(path, app)), *pems]


def nothing(ours: Ours) -> Aim:
    """What was there before us. An edit of ours goes too, and is saved; what others put where we removed stays."""
    wanted: dict[str, Source] = {path: ours.original(path) for path in ours.files}
    wanted |= {
        path: ours.original(path)
        for path, saved in ours.first.items()
        if saved and path not in wanted and not os.path.lexists(ours.root / path)
    }
    outside = sorted(path for path in wanted if path.startswith("/"))
    below = sorted(path for path in wanted if not path.startswith("/") and path != MAIN)
    removed = [path for path in below if wanted[path] is None]
    # The reverse of a deploy, for the same reason.
    ordered = [*removed, *(path for path in below if path not in removed), *({MAIN} & wanted.keys()), *outside]
    return Aim({path: wanted[path] for path in ordered}, doomed=list(ours.logs))
