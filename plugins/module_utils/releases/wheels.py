"""Wheels that were sent for an app's virtualenv, for a host that reaches no index."""

from __future__ import annotations

import dataclasses
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System


@dataclasses.dataclass(frozen=True)
class Wheels:
    """The folder that keeps them, and what it should hold: SHA-256 by name.

    A lock that is made anew shares most of them with the one before, so only what is new must be sent.
    """

    folder: Path
    wanted: Mapping[str, str]

    def lacking(self) -> list[str]:
        """Names of those that aren't there as they should be."""
        return [name for name, digest in self.wanted.items() if not self._is_intact(self.folder / name, digest)]

    def place(self, system: System, archive: Path | None) -> list[Path]:
        """Unpack what was sent beside what is there, and remove what isn't wanted; the paths of all that are.

        Raises OSError and ValueError.
        """
        if not self.wanted:
            system.remove(self.folder)
            return []
        system.make_directory(self.folder, 0o700, "root")
        for path in [*self.folder.iterdir()]:
            if path.name not in self.wanted:
                system.remove(path)
        if archive is not None:
            system.changing(f"place {self.folder}")
            with tarfile.open(archive) as tar:
                for name in self.lacking():
                    self._unpack(tar, name)
        if lacking := self.lacking():
            raise ValueError(f"the wheelhouse changed while it was read: {', '.join(lacking[:5])}; run again")
        return [self.folder / name for name in self.wanted]

    def _unpack(self, tar: tarfile.TarFile, name: str) -> None:
        """What is cut off here is found by its hash."""
        if name in tar.getnames() and (packed := tar.extractfile(name)):
            files.remove(self.folder / name)
            with packed, (self.folder / name).open("xb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)

    @staticmethod
    def _is_intact(path: Path, digest: str) -> bool:
        return path.is_file() and not path.is_symlink() and files.sha256(path) == digest
