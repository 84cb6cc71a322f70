"""Makes the libraries that run on hosts importable by the names that they have there."""

from __future__ import annotations

from pathlib import Path

import ansible.module_utils

PROJECT = Path(__file__).parents[2]

ansible.module_utils.__path__ += [
    str(folder) for folder in [PROJECT / "plugins/module_utils", *PROJECT.glob("roles/*/module_utils")]
]
