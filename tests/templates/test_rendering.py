"""What becomes of values in templates."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jinja2
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.rendering import Renderer

TASK_VARS = {"name": "shop", "ansible_managed": "deployed on Monday", "other": "unread"}


@pytest.fixture
def render(tmp_path: Path) -> Any:
    """Renders a text as a template of a role."""
    action = SimpleNamespace(_templar=Templar(loader=DataLoader(), variables=TASK_VARS))

    def render(text: str, **variables: Any) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        (folder / "it.j2").write_text(text)
        return Renderer(cast(ActionBase, action), str(folder), TASK_VARS, ["name"]).text("it.j2", **variables)

    return render


def test_a_value_that_looks_like_a_template_stays_as_it_is(render: Any) -> None:
    assert render("{{ it }}\n", it="{{ 1 + 1 }}") == "{{ 1 + 1 }}\n"


def test_what_is_not_there_is_a_fault(render: Any) -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("{{ other }}\n")


def test_a_files_head_is_the_same_every_day(render: Any) -> None:
    assert render("{{ ansible_managed | comment }}\n{{ name }}\n") == "#\n# Ansible managed\n#\nshop\n"


@pytest.mark.parametrize("text", ["a\n", "{% if true %}\na\n{% endif %}\n", "a{% if false %}b{% endif %}\n"])
def test_a_file_ends_in_one_newline(render: Any, text: str) -> None:
    assert render(text) == "a\n"
