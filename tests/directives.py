"""nginx's configuration read as nginx reads it: a tree of directives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

# A directive: its words, and what stands in its braces.
Directive = tuple[list[str], list[Any]]

# A line that is filled in on the host is none here.
TOKEN = re.compile(
    r"""\s+|\#[^\n]*|@\w+@(?=\n)|(?P<mark>[;{}])|"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<word>[^\s;{}"'#]+)"""
)


def parsed(text: str) -> list[Directive]:
    """The tree of directives. Fails where nginx would: a brace or semicolon too many or too few."""
    tokens = list(_tokens(text))
    tree = _block(tokens, is_inner=False)
    assert tokens == []
    return tree


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        assert match, text[position : position + 40]
        position = match.end()
        if match.lastgroup:
            yield match.lastgroup, match[match.lastgroup]


def _block(tokens: list[tuple[str, str]], is_inner: bool) -> list[Directive]:
    directives: list[Directive] = []
    words: list[str] = []
    while tokens:
        kind, word = tokens.pop(0)
        if kind != "mark":
            words.append(word)
        elif word == "}":
            assert is_inner, "a brace too many"
            assert words == [], f"no semicolon after {words}"
            return directives
        else:
            assert words, f"nothing before {word}"
            directives.append((words, _block(tokens, is_inner=True) if word == "{" else []))
            words = []
    assert not is_inner, "a brace too few"
    assert words == [], f"no semicolon after {words}"
    return directives


def those(block: list[Directive], *beginning: str) -> list[Directive]:
    """The directives of a block that begin with these words."""
    return [directive for directive in block if directive[0][: len(beginning)] == list(beginning)]


def values(block: list[Directive], name: str) -> list[list[str]]:
    return [words[1:] for words, _inner in those(block, name)]


def deep(block: list[Directive]) -> Iterator[list[str]]:
    for words, inner in block:
        yield words
        yield from deep(inner)
