"""Rules of the keys that lead to a source: each returns a value in its final form, or raises WrongValue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue, text
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import forms
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.patterns import pattern_fault
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import shown, shown_name

_a_source = text(r"[^\0\n]+", "the path of a folder or an archive, or a URL of git or of an archive")


def source_place(value: Any) -> str:
    """A folder, an archive or a URL."""
    source: str = _a_source(value)
    if fault := forms.fault(source):
        raise WrongValue(fault)
    return source


# git-check-ref-format(1), and a beginning that is no option. Nothing is as good as not given: {{ ref | default('') }}.
git_ref = text(
    r"(?![-/.])(?!.*(\.\.|@\{|//|/\.|\.lock(/|$)))[^\x00-\x20\x7f~^:?*\[\\]+(?<![/.])|",
    "the name of a branch or a tag, or a commit; in quotes if it looks like a number",
)
sha256 = text(r"[0-9a-f]{64}", "the SHA-256 of the archive, 64 digits in small letters (sha256sum shop.tar.gz)")


def exclude(value: Any) -> list[str]:
    """Patterns as in .gitignore; there may be none."""
    if not isinstance(value, list):
        raise WrongValue("must be a list of patterns, as .gitignore has them (- docs/)")
    for line in value:
        if not isinstance(line, str) or not line.strip() or "\n" in line or "\0" in line:
            raise WrongValue(f"must be a list of patterns, as .gitignore has them; {shown(line)} isn't one")
        if fault := pattern_fault(line):
            raise WrongValue(f"must be a list of patterns; {shown(line)} {fault}")
    return [str(line) for line in value]


def tokens(value: Any) -> dict[str, str]:
    """Tokens by host. No message holds one."""
    if not isinstance(value, Mapping):
        raise WrongValue("must be a dictionary of a token by host (git.example.com: …)")
    for host, token in value.items():
        if not isinstance(host, str) or not re.fullmatch(r"[a-z0-9.-]+(:[0-9]{1,5})?", host):
            raise WrongValue(f"must name hosts as URLs do (git.example.com); {shown_name(host)} isn't one")
        if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
            raise WrongValue(f"must hold a token of {host!r} without spaces, or 'user:token'")
    return {str(host): str(token) for host, token in value.items()}
