"""Settings as a person writes them, for tests: a good app to start from, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from web_apps import web_plan, web_problems

CONTRACT = {
    "user": "www",
    "group": "www",
    "nginx_group": "www-data",
    "app_root": "/opt",
    "run_root": "/run",
    "http_port": 80,
}

PYTHON = "3.13.5"


def app(**changes: Any) -> dict[str, Any]:
    """A good item of `web_apps` with some keys changed; `...` takes a key out."""
    given = {"name": "shop", "server_names": ["shop.test"], **changes}
    return {name: value for name, value in given.items() if value is not ...}


class Workshop:
    """A folder with one good source, `shop`, and the templates that instances are made from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "shop"
        self.recipe = folder / "templates"
        self.write("shop/flask_wsgi.py", "app = None\n")
        self.write("shop/requirements.txt", "flask==3.1.3 \\\n    --hash=sha256:00  # why\n# a remark\n")
        self.write("shop/static/style.css", "")
        self.write("templates/ini.j2", "processes")

    def write(self, path: str, content: str) -> Path:
        written = self.folder / path
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(content)
        return written

    def _circumstances(self, python: str = PYTHON, **contract: Any) -> dict[str, Any]:
        return {
            "base": str(self.folder),
            "recipe": str(self.recipe),
            "python": python,
            "contract": {**CONTRACT, **contract},
        }

    def problems(self, *apps: Any, secrets: Any = None, **contract: Any) -> list[str]:
        """What is wrong with these apps, each fault in its sentence."""
        return web_problems(list(apps), secrets or {}, **self._circumstances(**contract))

    def problem(self, *apps: Any, secrets: Any = None, **contract: Any) -> str:
        """The one thing that is wrong."""
        found = self.problems(*apps, secrets=secrets, **contract)
        assert len(found) == 1, found
        return found[0]

    def plan(self, *apps: Any, secrets: Any = None, **circumstances: Any) -> dict[str, Any]:
        """What the roles get."""
        return web_plan(list(apps or [app()]), secrets or {}, **self._circumstances(**circumstances))

    def id(self, *apps: Any, **options: Any) -> str:
        """The id of the first app's release."""
        return str(self.plan(*apps, **options)["uwsgi"][0]["id"])
