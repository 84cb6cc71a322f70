"""Code that this machine's Python doesn't take: whether that of any server could."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import warnings

# The newest that a server may have, Debian 13's. Newer Pythons take all that older ones do.
NEWEST = (3, 13)
# What newer ones have gained since 3.11, as tokens with a space between them: type statements and parameters (PEP 695,
# 696). A lone quotation mark behind an f is an f-string that goes on in the next line (PEP 701).
_NEW = re.compile(r"""\btype \w|\b(def|class) \w+ \[|\b[rR]?[fF][rR]? ['"]""")


def no_server_takes(code: bytes) -> bool:
    """Whether no Python of a server can parse what this one can't. False where that isn't certain.

    ast.parse(feature_version=…) would tell what older Pythons don't take, but nobody says which ones the servers have.
    """
    if sys.version_info[:2] >= NEWEST:
        return True
    strings: list[str] = []
    others: list[str] = []
    try:
        for token in tokenize.tokenize(io.BytesIO(code).readline):
            (strings if token.type == tokenize.STRING else others).append(token.string)
    except (tokenize.TokenError, IndentationError):
        # What comes before that counts.
        pass
    except SyntaxError:
        return False
    # A newer f-string may hold the quotation mark that it begins with, which looks like its end: a brace stays open.
    return not _NEW.search(" ".join(others)) and all(map(_parses, strings))


def _parses(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True
