"""Where the app's files are, and what it reads from its environment."""

import os
from pathlib import Path
from typing import TypedDict

_ROOT = Path(__file__).resolve().parent.parent
STATIC_DIR = _ROOT / "static"
TEMPLATES_DIR = _ROOT / "templates"


class Settings(TypedDict):
    """The app's settings, each under the name of its environment variable."""

    WEB_APP: str
    WEB_RELEASE: str
    TOKEN_MD5: str


def from_environment() -> Settings:
    """Read the settings anew on each call.

    The values stay the strings that they are: Flask's `from_prefixed_env` would parse each as JSON and turn the
    token `12345` into a number. An unset token is the empty one, which opens nothing.
    """
    return {
        "WEB_APP": os.environ.get("WEB_APP") or "development",
        "WEB_RELEASE": os.environ.get("WEB_RELEASE") or "development",
        "TOKEN_MD5": os.environ.get("TOKEN_MD5", ""),
    }
