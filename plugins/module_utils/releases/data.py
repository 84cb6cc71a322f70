"""An app's own data: it belongs to root and the app's group, so the app keeps it whatever user it runs as.

A folder's default ACL decides what is made in it later; a program's umask doesn't count then. Linux keeps an ACL as an
extended attribute (acl(5); its form is that of linux/posix_acl_xattr.h).
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import pwd
import re
import stat
import struct
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records, read_json
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import NO_MEDIA, Media

# What is made in the folder is the group's too.
MODE = 0o2770

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
VERSION = 2
OWNER, USER, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
NOBODY = 0xFFFFFFFF
# Of a file of somebody's, only what is no link may be opened, and a pipe must not be waited for.
AS_IT_IS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


class Data:
    """The folder of an app's data.

    A release that was made before the app had a group of its own runs with another one. Its user is let in by name,
    for as long as somebody may return to it. nginx's user may read the media, and reaches nothing else.
    """

    def __init__(self, layout: AppLayout, system: System, media: Media = NO_MEDIA) -> None:
        self.layout = layout
        self.system = system
        self.media = media

    def is_right(self) -> bool:
        """Whether the folder is there, and all that is in it is shared with those who need it."""
        noted = read_json(self.layout.registration).get("data")
        return self.has_its_mode() and noted == self._readers() and self._shows_its_media()

    def has_its_mode(self) -> bool:
        """Whether the folder itself is there, with owner, group and mode."""
        with contextlib.suppress(FileNotFoundError):
            status = self.layout.data.stat()
            owner = (os.geteuid(), files.gid(self.layout.group))
            return (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFDIR | MODE, *owner)
        return False

    def share(self) -> None:
        """Make the folder, or share what is in it with those who need it. Raises OSError.

        While a release of another user is live, it may make files that aren't shared, so then it isn't noted as done:
        the next call does it again.
        """
        if self.is_right():
            return
        readers = self._readers()
        self.system.changing(f"make {self.layout.data}")
        files.make_directory(self.layout.data, 0o700)
        # A link there is root's own, to a larger disk say.
        root = self.layout.data.resolve()
        visitors = self._visitors(root)
        for folder in visitors.folders:
            _make(root, folder)
        others = [pwd.getpwnam(user).pw_uid for user in self._others()]
        _share(root, files.gid(self.layout.group), others, visitors)
        os.chown(self.layout.data, os.geteuid(), -1)
        live = Records(self.layout, self.system).live()
        if not live or self._account(live)[0] in ("", self.layout.user):
            content = {**read_json(self.layout.registration), "data": readers}
            self.system.put(OwnedFile(self.layout.registration, json.dumps(content, indent=2) + "\n", mode=0o600))

    def _readers(self) -> dict[str, object]:
        """Who must reach the data, and who the app is."""
        readers: dict[str, object] = {"group": self.layout.group, "users": self._others(), "for": self.layout.user}
        # Without media, what earlier versions have noted is as it should be.
        media = self._media()
        return {**readers, "media": [media.reader, *media.folders]} if media.folders else readers

    def _media(self) -> Media:
        """What nginx's user may read; nothing as long as there is no such user."""
        return self.media if _is_there(self.media.reader) else NO_MEDIA

    def _visitors(self, root: Path) -> Visitors:
        media = self._media()
        return Visitors(root, pwd.getpwnam(media.reader).pw_uid if media.folders else -1, media.folders)

    def _shows_its_media(self) -> bool:
        """Whether nginx may read each folder: the app may have removed one and made another."""
        root = self.layout.data.resolve()
        visitors = self._visitors(root)
        return all(_lets_in(root / folder, visitors.uid) for folder in visitors.folders)

    def _others(self) -> list[str]:
        """Users of releases that don't have the app's group."""
        accounts = [self._account(release) for release in Records(self.layout, self.system).releases()]
        return sorted({user for user, group in accounts if user and group != self.layout.group and _is_there(user)})

    def _account(self, release: str) -> tuple[str, str]:
        """User and group of a release, as its unit has them; "" where it says nothing."""
        with contextlib.suppress(OSError):
            text = self.layout.release(release).unit_file("service").read_text()
            found = dict(re.findall(r"^(User|Group)=(.+)$", text, re.MULTILINE))
            return found.get("User", ""), found.get("Group", "")
        return "", ""


def _is_there(user: str) -> bool:
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False


@dataclasses.dataclass(frozen=True)
class Visitors:
    """Those who ask nginx, as its user: they may read what is in these folders of `root`, and pass to them."""

    root: Path
    uid: int = -1
    folders: tuple[str, ...] = ()

    def rights(self, path: str | Path) -> tuple[int, int]:
        """What they may do in a folder, and in what is made there later: r is 4, x is 1."""
        inside = Path(path).relative_to(self.root)
        if any(inside.is_relative_to(folder) for folder in self.folders):
            return 5, 5
        return (1 if any(Path(folder).is_relative_to(inside) for folder in self.folders) else 0), 0


def _make(root: Path, inner: str) -> None:
    """Make a folder in the data, which the app may change meanwhile: no link is followed. Raises Refused."""
    with contextlib.ExitStack() as opened:
        handle = os.open(root, AS_IT_IS | os.O_DIRECTORY)
        opened.callback(os.close, handle)
        for name in inner.split("/"):
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=handle)
            try:
                handle = os.open(name, AS_IT_IS | os.O_DIRECTORY, dir_fd=handle)
            except OSError as error:
                raise Refused("place", f"{root / inner}, a folder of 'media', is none ({error.strerror})") from None
            opened.callback(os.close, handle)


def _share(root: Path, gid: int, uids: list[int], visitors: Visitors) -> None:
    """Give a tree to a group, and let some users in by name. What belongs to whom stays; only the app may be in there.

    The app may change its files meanwhile, so each is opened once, without following links, and changed as it is.
    A folder comes before what is in it: what is made in it from then on is shared by itself.
    """
    for path, _folders, names, handle in os.fwalk(root, follow_symlinks=False):
        here, later = visitors.rights(path)
        os.fchown(handle, -1, gid)
        _let_in(handle, MODE, uids, {visitors.uid: here}, {visitors.uid: later})
        for name in names:
            try:
                file = os.open(name, AS_IT_IS, dir_fd=handle)
            except OSError as error:
                # A link, a socket, or one that has just gone.
                if error.errno not in (errno.ELOOP, errno.ENXIO, errno.ENOENT):
                    raise
                continue
            try:
                mode = stat.S_IMODE(os.fstat(file).st_mode)
                os.fchown(file, -1, gid)
                _let_in(file, (mode & 0o700) | (0o070 if mode & 0o100 else 0o060), uids, {visitors.uid: later & 4}, {})
            finally:
                os.close(file)


def _let_in(handle: int, mode: int, uids: list[int], here: dict[int, int], later: dict[int, int]) -> None:
    """Set an open folder's or file's mode and ACL: the group and these users may do the same.

    Others may do what `here` says, by their number, and in a folder with what is made there what `later` says.
    """
    os.fchmod(handle, mode)
    shared = dict.fromkeys(uids, mode >> 3 & 7)
    is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
    for name, more in ((ACCESS, here), (DEFAULT, later)) if is_folder else ((ACCESS, here),):
        named = {**{uid: may for uid, may in more.items() if may}, **shared}
        try:
            os.setxattr(handle, name, _acl(mode, named))
        except OSError as error:
            # Without ACLs, the units' umask does it, but for a user who must be let in by name.
            if named or error.errno != errno.ENOTSUP:
                raise


def _acl(mode: int, named: dict[int, int]) -> bytes:
    """As Linux keeps it: owner and group may do what `mode` says, and users what stands beside their number."""
    group = mode >> 3 & 7
    entries = [(OWNER, mode >> 6 & 7, NOBODY), (GROUP, group, NOBODY), (OTHER, 0, NOBODY)]
    entries += [(USER, may, uid) for uid, may in named.items()]
    entries += [(MASK, group, NOBODY)] if named else []
    return struct.pack("<I", VERSION) + b"".join(map(_entry, sorted(entries)))


def _entry(entry: tuple[int, int, int]) -> bytes:
    return struct.pack("<HHI", *entry)


def _lets_in(folder: Path, uid: int) -> bool:
    """Whether a folder's ACL lets a user read it."""
    try:
        return _entry((USER, 5, uid)) in os.getxattr(folder, ACCESS, follow_symlinks=False)
    except OSError:
        return False
