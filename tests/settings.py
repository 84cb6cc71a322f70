"""Settings as a person writes them, for tests: a good app to start from, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.plan import plan
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import BadSettings, Request

PYTHON = "3.13.5"
HASH = f"--hash=sha256:{'0' * 64}"


def app(**changes: Any) -> dict[str, Any]:
    """A good item of `web_apps` with some keys changed; `...` takes a key out."""
    given = {"name": "shop", "server_names": ["shop.test"], **changes}
    return {name: value for name, value in given.items() if value is not ...}


class Workshop:
    """A folder with one good source, `shop`, and the templates that instances are made from.

    Every method takes the items of `web_apps`, and as keywords other variables by their full names (`web_app_root`),
    with `app` and `restart` as `-e` gives them, `secrets` for web_app_secrets, and `inventory`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "shop"
        self.templates = folder / "templates"
        self.write("shop/flask_wsgi.py", "def app(environ, start_response): ...\n")
        self.write("shop/requirements.txt", f"flask==3.1.3 \\\n    {HASH}  # why\n# a remark\n")
        self.write("shop/static/style.css", "")
        self.write("templates/ini.j2", "processes")

    def write(self, path: str, content: str) -> Path:
        written = self.folder / path
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(content)
        return written

    def request(self, *apps: Any, secrets: Any = ..., **given: Any) -> Request:
        names = ("app", "restart", "refresh", "fill", "is_check", "inventory")
        choices = {name: given.pop(name) for name in names if name in given}
        variables = {"web_apps": list(apps), "web_app_secrets": secrets, **given}
        return Request(
            variables={name: value for name, value in variables.items() if value is not ...},
            base=str(self.folder),
            memory=self.folder / "memory",
            looked_at="list them somewhere",
            **choices,
        )

    def problems(self, *apps: Any, **variables: Any) -> list[str]:
        """What is wrong with these settings, a line for each problem. A plan is refused with the same."""
        _settings, problems = parse(self.request(*apps, **variables))
        refused = []
        try:
            plan(self.request(*apps, **variables), {}, str(self.templates))
        except BadSettings as error:
            refused = str(error).splitlines()
        # Which also shows that each is one line.
        assert refused == problems
        return problems

    def problem(self, *apps: Any, **variables: Any) -> str:
        """The one thing that is wrong."""
        found = self.problems(*apps, **variables)
        assert len(found) == 1, found
        return found[0]

    def plan(
        self,
        *apps: Any,
        host: dict[str, Any] | None = None,
        fleet: dict[str, Any] | None = None,
        python: str = PYTHON,
        **variables: Any,
    ) -> Any:
        """The plan for a host that told `host`, of a run in which all told `fleet`; the good app's if none is given."""
        told = {"python": python, **(host or {})}
        return plan(self.request(*(apps or [app()]), **variables), told, str(self.templates), fleet)

    def item(self, *apps: Any, **options: Any) -> Any:
        """What the plan says of the first app."""
        return self.plan(*apps, **options)["apps"][0]

    def id(self, *apps: Any, **options: Any) -> str:
        """The id of the first app's release."""
        return str(self.item(*apps, **options)["release"]["id"])
