"""The files where a host's variables may be set: which were looked at, and which can't be read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible._internal._datatag._tags import Origin
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader

# As Ansible takes them for files of variables.
EXTENSIONS = ("", ".yml", ".yaml", ".json")
SHUT = ": can't be read; let the user who deploys read it"
LOCKED = "it is encrypted, and can't be decrypted; give the right --vault-password-file or --ask-vault-pass"


def looked_at(task_vars: Mapping[str, Any]) -> str:
    """Where the apps of this host can be listed, which files were looked at, and where there was none.

    Hosts in the same groups get the same words.
    """
    groups = ["all", *task_vars.get("group_names", [])]
    sources = [str(source) for source in task_vars.get("ansible_inventory_sources") or []]
    project = str(task_vars["playbook_dir"])
    folders = list(dict.fromkeys([*_folders(sources), project]))
    hosts = [f"{folder}/host_vars/{task_vars.get('inventory_hostname')}" for folder in folders]
    places = [f"{folder}/group_vars/{group}" for folder in folders for group in groups]
    files = [source for source in sources if os.path.isfile(source)]
    files += [path for place in [*places, *hosts] for path in _files(place)]
    missing = [f"{folder}/group_vars/{{{','.join(empty)}}}" for folder in folders if (empty := _empty(folder, groups))]
    best = next((group for group in groups if group not in ("all", "web")), "web")
    return (
        f"list the apps in {project}/group_vars/{best}/web_apps.yml. "
        f"Looked at {', '.join(files) or 'no file'}; there is nothing at {', '.join(missing) or 'no other place'}"
    )


def _folders(sources: Iterable[str]) -> list[str]:
    """Where Ansible looks beside inventories; one may be a list of hosts, and no file."""
    existing = [source for source in sources if os.path.exists(source)]
    return [source if os.path.isdir(source) else os.path.dirname(source) for source in existing]


def _empty(folder: str, groups: Iterable[str]) -> list[str]:
    return [group for group in groups if not any(_files(f"{folder}/group_vars/{group}"))]


def _files(place: str) -> Iterator[str]:
    """The files of variables that Ansible finds under a name: a file, or everything in a folder."""
    for extension in EXTENSIONS:
        path = Path(place + extension)
        if path.is_file():
            yield str(path)
        elif path.is_dir() and not extension:
            yield from sorted(str(file) for file in path.rglob("*") if file.is_file() and file.suffix in EXTENSIONS)


# --- Those that can't be read -----------------------------------------------------------------------------------------


def unreadable(
    sources: Iterable[str], project: str, groups: Mapping[str, Sequence[str]], loader: DataLoader
) -> Iterator[str]:
    """A line for each file with variables of the hosts in `groups['web']` that Ansible couldn't load.

    Its own error names no file.
    """
    web = {*groups.get("web", [])}
    places = [f"group_vars/{name}" for name, hosts in groups.items() if name == "all" or web & {*hosts}]
    places += [f"host_vars/{host}" for host in sorted(web)]
    folders = _folders(sources)
    paths = [os.path.join(folder, place) for folder in dict.fromkeys([*folders, project]) for place in places]
    shut = {path for path in paths for path in (os.path.dirname(path), path) if _is_shut(path)}
    yield from (f"{path}{SHUT}" for path in sorted(shut))
    for path in paths:
        if shut.isdisjoint((os.path.dirname(path), path)):
            yield from (fault for file in _files(path) if (fault := _fault(file, loader)))


def _is_shut(folder: str) -> bool:
    return os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK)


def _fault(path: str, loader: DataLoader) -> str:
    if not os.access(path, os.R_OK):
        return f"{path}{SHUT}"
    try:
        content = loader.load_from_file(path, cache="none")
    except AnsibleError as error:
        return f"{path}{_reason(error)}"
    if content is None or isinstance(content, Mapping):
        return ""
    return f"{path}: holds no variables; write each as 'name: value' at the beginning of a line"


def _reason(error: AnsibleError) -> str:
    """Without what Ansible quotes of the file, which may be a secret."""
    if "vault" in type(error).__name__.lower():
        return f": {LOCKED}"
    origin = error.obj if isinstance(error.obj, Origin) else Origin.get_tag(error.obj)
    where = f":{origin.line_num}:{origin.col_num}" if origin and origin.line_num else ""
    told = " ".join(error.message.removeprefix("YAML parsing failed: ").split())
    return f"{where}: {told}"
