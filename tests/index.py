"""A package index for tests: wheels in a folder, served by HTTP on this machine, as PEP 503 has it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        pass


class Index:
    """`add` puts a wheel there; `url` is what pip and uv ask."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.asked: list[str] = []
        folder.mkdir(parents=True)

    def add(self, name: str, version: str, needs: Sequence[str] = (), extras: Sequence[str] = ()) -> Path:
        """Publish a version; the path of its wheel."""
        made = wheel(self.folder / name, name, version, needs, extras)
        links = [
            f'<a href="{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">{path.name}</a><br>'
            for path in sorted(made.parent.glob("*.whl"))
        ]
        (made.parent / "index.html").write_text("\n".join(links))
        return made

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        asked = self.asked

        class Noting(Quiet):
            def do_GET(self) -> None:
                asked.append(self.path)
                super().do_GET()

        handler = functools.partial(Noting, directory=str(self.folder))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            self.url = f"http://127.0.0.1:{server.server_port}/"
            try:
                yield self.url
            finally:
                server.shutdown()


def wheel(
    folder: Path, name: str, version: str, needs: Sequence[str] = (), extras: Sequence[str] = (), text: str = ""
) -> Path:
    """A wheel that holds one module of the package's name, with this `text` if it isn't empty; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {need}" for need in needs]
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr(f"{name}.py", text or f"VERSION = {version!r}\n")
        packed.writestr(f"{about}/METADATA", "\n".join(lines) + "\n")
        packed.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr(f"{about}/RECORD", f"{name}.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")
    return made
