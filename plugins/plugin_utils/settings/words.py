"""How messages quote what a person wrote: recognisable and short, and never a secret."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "(not shown)"
# A longer value isn't read but skipped, and may be a key.
SHOWN_LENGTH = 60
# So many names a message lists, where there may be hundreds.
LISTED = 12
# A shorter secret is in half of all that is printed: masking it would hide the message, not the secret.
SECRET_LENGTH = 4

# What stands in a name, a path, a pattern. After any other character there may be a password:
# DATABASE_URL=postgres://u:p@db.
_NOT_PLAIN = re.compile(r"[^\w./*-]")
# What stands before the host in a URL. The first half also finds a password that holds a slash or an @.
_CREDENTIALS = re.compile(r"(?<=\w)://(?!git@)([^\s'\"]*:[^\s'\"]*|[^\s'\"/@]*)@")
# Where a URL holds a user, a password or a token, and where a setting holds its value.
_MAY_HOLD_A_SECRET = re.compile(r"://|@|=")
# What has room for none: a URL without a user, a query and a fragment, and the SSH URLs of git's own user.
_HOLDS_NONE = re.compile(r"\w[\w+.-]*://(git@)?[\w.-]+(:\d{1,5})?(/[\w./~-]*)?|git@[\w.-]+[:/][\w./~-]*", re.ASCII)


def shown(value: Any) -> str:
    """The value as a person recognises it. Not shown are dictionaries, long values, and what may be secret."""
    if _may_be_secret(value):
        return HIDDEN
    text = json.dumps(value, default=str, ensure_ascii=False)
    return HIDDEN if len(text) > SHOWN_LENGTH else text


def _may_be_secret(value: Any) -> bool:
    if isinstance(value, list):
        return any(_may_be_secret(item) for item in value)
    return isinstance(value, Mapping) or bool(
        isinstance(value, str) and _MAY_HOLD_A_SECRET.search(value) and not _HOLDS_NONE.fullmatch(value)
    )


def without_credentials(line: str) -> str:
    """The line without what URLs hold before their host. `git` is the user of everybody's SSH URLs."""
    return _CREDENTIALS.sub(f"://{HIDDEN}@", line)


def shown_name(name: Any) -> str:
    """A key or a name in quotes, cut where it ceases to look like one."""
    if not isinstance(name, str):
        return repr(name) if isinstance(name, int | float | None) else HIDDEN
    plain = _NOT_PLAIN.split(name, maxsplit=1)[0]
    if len(plain) > SHOWN_LENGTH:
        return HIDDEN
    return repr(plain if plain == name else f"{plain}…")


def nearest(word: Any, known: Iterable[str], kind: str, listed: int = 999) -> str:
    """What follows a word that is wrong: which of the known names is meant, and all of them, or so many."""
    names = list(known)
    near = difflib.get_close_matches(str(word), names, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    more = ", …" if len(names) > listed else ""
    return f"{hint} Known {kind}: {', '.join(names[:listed]) or 'none'}{more}"


def masked(lines: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """The lines without these texts, however they are escaped: the last guard behind `shown`."""
    long_first = sorted({text for text in secrets if len(text) >= SECRET_LENGTH}, key=len, reverse=True)
    spellings = [
        spelling
        for text in long_first
        for spelling in dict.fromkeys(
            (text, repr(text)[1:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
        )
    ]
    if not spellings:
        return list(lines)
    any_of_them = re.compile("|".join(map(re.escape, spellings)))
    return [any_of_them.sub(HIDDEN, line) for line in lines]
