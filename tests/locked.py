"""A project whose app has requirements to lock, for tests."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse

from index import Index
from settings import Workshop, app


class Project:
    """A workshop whose shop has requirements without hashes. Each call is a run of its own."""

    def __init__(self, workshop: Workshop, index: Index) -> None:
        self.workshop, self.index = workshop, index
        self.locks = workshop.folder / "locks"
        self.runs = 0
        self.needs("tiny\n")

    def needs(self, text: str) -> None:
        self.workshop.write("shop/requirements.txt", text)

    def given(self, url: str = "", **variables: Any) -> dict[str, Any]:
        return {"web_build_environment": {"PIP_INDEX_URL": url or self.index.url}, **variables}

    def another_run(self) -> None:
        memory = self.workshop.folder / "memory"
        if memory.exists():
            self.runs += 1
            memory.rename(self.workshop.folder / f"memory-{self.runs}")

    def release(self, *apps: Any, run: str = "another", url: str = "", **variables: Any) -> Any:
        if run == "another":
            self.another_run()
        return self.workshop.item(*(apps or [app()]), **self.given(url, **variables))["release"]

    def text(self, *apps: Any, **variables: Any) -> str:
        return str(self.release(*apps, **variables)["locked"])

    def names(self) -> list[str]:
        return sorted(path.name for path in self.locks.glob("*"))

    def notices(self, *apps: Any, **variables: Any) -> list[str]:
        settings, problems = parse(self.workshop.request(*(apps or [app()]), **self.given(**variables)))
        assert not problems, problems
        return list(settings.notices())

    def problem(self, *apps: Any, url: str = "", **variables: Any) -> str:
        self.another_run()
        return self.workshop.problem(*(apps or [app()]), **self.given(url, **variables))


def pinned(text: str) -> list[str]:
    return re.findall(r"^[\w.-]+==\S+", text, re.MULTILINE)
