"""An app's own data: it belongs to root and the app's group, so the app keeps it whatever user it runs as.

A folder's default ACL decides what is made in it later; a program's umask doesn't count then. Linux keeps an ACL as an
extended attribute (acl(5); its form is that of linux/posix_acl_xattr.h).
"""

from __future__ import annotations

import contextlib
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
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

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
    for as long as somebody may return to it.
    """

    def __init__(self, layout: AppLayout, system: System) -> None:
        self.layout = layout
        self.system = system

    def is_right(self) -> bool:
        """Whether the folder is there, and all that is in it is shared with those who need it."""
        return self.has_its_mode() and read_json(self.layout.registration).get("data") == self._readers()

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
        _share(
            self.layout.data.resolve(),
            files.gid(self.layout.group),
            [pwd.getpwnam(user).pw_uid for user in self._others()],
        )
        os.chown(self.layout.data, os.geteuid(), -1)
        live = Records(self.layout, self.system).live()
        if not live or self._account(live)[0] in ("", self.layout.user):
            content = {**read_json(self.layout.registration), "data": readers}
            self.system.put(OwnedFile(self.layout.registration, json.dumps(content, indent=2) + "\n", mode=0o600))

    def _readers(self) -> dict[str, object]:
        """Who must reach the data, and who the app is."""
        return {"group": self.layout.group, "users": self._others(), "for": self.layout.user}

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


def _share(root: Path, gid: int, uids: list[int]) -> None:
    """Give a tree to a group, and let some users in by name. What belongs to whom stays; only the app may be in there.

    The app may change its files meanwhile, so each is opened once, without following links, and changed as it is.
    A folder comes before what is in it: what is made in it from then on is shared by itself.
    """
    for _path, _folders, names, handle in os.fwalk(root, follow_symlinks=False):
        os.fchown(handle, -1, gid)
        _let_in(handle, MODE, uids)
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
                _let_in(file, (mode & 0o700) | (0o070 if mode & 0o100 else 0o060), uids)
            finally:
                os.close(file)


def _let_in(handle: int, mode: int, uids: list[int]) -> None:
    """Set an open folder's or file's mode and ACL: the group and these users may do the same."""
    os.fchmod(handle, mode)
    entries = [(OWNER, mode >> 6 & 7, NOBODY), (GROUP, mode >> 3 & 7, NOBODY), (OTHER, 0, NOBODY)]
    entries += [(USER, mode >> 3 & 7, uid) for uid in uids]
    entries += [(MASK, mode >> 3 & 7, NOBODY)] if uids else []
    acl = struct.pack("<I", VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in sorted(entries))
    is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
    for name in (ACCESS, DEFAULT) if is_folder else (ACCESS,):
        try:
            os.setxattr(handle, name, acl)
        except OSError as error:
            # Without ACLs, the units' umask does it, but for a user who must be let in by name.
            if uids or error.errno != errno.ENOTSUP:
                raise
