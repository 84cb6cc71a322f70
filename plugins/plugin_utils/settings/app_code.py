"""What an app is made of: its source, the object that serves, what it installs. Keys of an item of `web_apps`."""

from __future__ import annotations

import dataclasses
from dataclasses import field

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.debian import package_names
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.entry import entry
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import key
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.path_rules import (
    file_path,
    relative_folder,
    relative_path,
    start_folder,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import (
    extras,
    maybe,
    module_name,
    package,
    python_version,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import rules as source_rules


@dataclasses.dataclass(frozen=True, kw_only=True)
class Code:
    """Where an app's code is, and what it is started by and with. A part of App."""

    source: str = field(
        default="",
        metadata=key(
            source_rules.source_place,
            "[where the code is](sources.md): a folder or an archive, relative to the playbook or absolute, or the URL "
            "of a git repository or an archive; the app's name if not given",
            carried=False,
        ),
    )
    ref: str = field(
        default="",
        metadata=key(
            source_rules.git_ref,
            "[which commit](sources.md#git) of the source: a branch, a tag or a commit; if not given, the files of a "
            "folder as they are, or what a repository's HEAD leads to",
            carried=False,
        ),
    )
    source_key: str = field(
        default="",
        metadata=key(
            file_path,
            "private SSH key that reads the repository, relative to the playbook or absolute; may be encrypted with "
            "ansible-vault",
            carried=False,
        ),
    )
    sha256: str = field(
        default="",
        metadata=key(
            source_rules.sha256, "of [an archive](sources.md#archives); one from a URL must have it", carried=False
        ),
    )
    exclude: list[str] = field(
        default_factory=list,
        metadata=key(
            source_rules.exclude,
            "[what of the source stays at home](sources.md#what-stays-at-home): patterns as in `.gitignore`",
            carried=False,
        ),
    )
    package: str = field(
        default="",
        metadata=key(
            package,
            "in place of a source, [a package](dependencies.md#a-package-without-a-source) that has the app: "
            "`httpbin==0.10.2`, or the path of a wheel",
        ),
    )
    module: str = field(
        default="flask_wsgi",
        metadata=key(module_name, "Python module that holds the callable; `shop.web` for a package"),
    )
    callable: str = field(
        default="app",
        metadata=key(
            entry,
            "the Flask object in the module, or the function that makes it: `app`, `web.app`, `create_app()`, "
            "`create_app('production', debug=False)`; [more](entry-points.md)",
        ),
    )
    chdir: str = field(
        default="",
        metadata=key(
            start_folder,
            "folder inside the source that the module is in, and in which the app runs: `src`; the source itself if "
            "not given",
        ),
    )
    requirements: str = field(
        default="",
        metadata=key(
            relative_path,
            "what [pip installs](dependencies.md), a path inside the source: a requirements file or a "
            "`pyproject.toml`; `requirements.txt` or else `pyproject.toml` if not given",
        ),
    )
    extras: list[str] = field(
        default_factory=list,
        metadata=key(extras, "extras of the `pyproject.toml` that are installed too"),
    )
    python: str = field(
        default="",
        metadata=key(
            maybe(python_version),
            "the Python that it runs on, where it isn't Debian's own: `\"3.12\"`, [which the host must "
            "have](dependencies.md#another-python)",
        ),
    )
    packages: list[str] = field(
        default_factory=list,
        metadata=key(
            package_names,
            "[Debian's packages](dependencies.md#debians-packages) that the app needs while it runs: `[libmagic1]`",
            carried=False,
        ),
    )
    build_packages: list[str] = field(
        default_factory=list,
        metadata=key(
            package_names,
            "those that are needed to build what pip installs: `[gcc, libpq-dev]`",
            carried=False,
        ),
    )
    static_folder: str = field(
        default="static",
        metadata=key(
            relative_folder,
            "folder that nginx serves itself, a path inside the source; public, so keep code out of it",
        ),
    )
