"""Write the tables of docs/apps.md from the dataclasses that hold the keys: `apps_page.py [--check]`.

With --check nothing is written; exits with 1 if the page is stale.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from ansible.plugins.loader import init_plugin_loader

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "apps.md"
SETTINGS = "ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings"
MARKED = re.compile(r"(<!-- (?P<name>\w+): written by tools/apps_page.py -->\n).*?(<!-- end -->\n)", re.DOTALL)

Field = dataclasses.Field[Any]


def fresh(page: str) -> str:
    """The page with everything between its markers as the dataclasses have it now. Raises KeyError."""
    init_plugin_loader([str(ROOT / "collections")])
    app = dataclasses.fields(importlib.import_module(f"{SETTINGS}.app").App)
    agreement = importlib.import_module(f"{SETTINGS}.agreement")
    agreed = dataclasses.fields(agreement.Agreement)
    parts = {
        "keys": table("key", app) + not_carried(app),
        "variables": table("variable", agreed, agreement.PREFIX),
    }
    return MARKED.sub(lambda found: f"{found[1]}{parts[found['name']]}{found[3]}", page)


def table(heading: str, fields: tuple[Field, ...], prefix: str = "") -> str:
    """A row for each field: name, default, meaning."""
    rows = [f"| `{prefix}{field.name}` | {default(field)} | {field.metadata['means']} |\n" for field in fields]
    return f"| {heading} | if not given | meaning |\n|---|---|---|\n{''.join(rows)}"


def default(field: Field) -> str:
    """The default as YAML has it."""
    if field.default_factory is not dataclasses.MISSING:
        return f"`{json.dumps(field.default_factory())}`"
    if field.default is dataclasses.MISSING:
        return "required"
    if isinstance(field.default, str):
        return f"`{field.default}`" if field.default else ""
    return f"`{json.dumps(field.default)}`"


def not_carried(fields: tuple[Field, ...]) -> str:
    """Which keys take effect without a new release. An absent app has none, and code counts wherever it comes from."""
    names = [f"`{field.name}`" for field in fields if not field.metadata["carried"]]
    apart = ("source", "ref", "source_key", "sha256", "exclude", "state", "purge")
    kept = [name for name in names if name.strip("`") not in apart]
    sentences = (
        f"A change of {', '.join(kept[:-1])} or {kept[-1]} takes effect with the release that is live. "
        "A change of any other key, of the code or of a secret makes a new release."
    )
    return f"\n{textwrap.fill(sentences, 120)}\n"


def main() -> int:
    page = PAGE.read_text(encoding="utf-8")
    wanted = fresh(page)
    if wanted == page:
        return 0
    if sys.argv[1:] == ["--check"]:
        print("docs/apps.md is stale; run `python tools/apps_page.py`", file=sys.stderr)
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
