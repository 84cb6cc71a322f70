"""The files where a host's variables may be set: which were looked at, and which can't be read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible._internal._datatag._tags import Origin
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader

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


def _files(place: str) -> list[str]:
    """The files of variables that Ansible takes of this name: a file, or what is in a folder. Raises OSError."""
    return [str(path) for path in DataLoader().find_vars_files(os.path.dirname(place), os.path.basename(place))]


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
    shut = {path for path in map(os.path.dirname, paths) if os.path.isdir(path) and not os.access(path, os.X_OK)}
    for path in paths:
        try:
            files = [] if os.path.dirname(path) in shut else _files(path)
        except OSError as error:
            shut.add(str(error.filename))
            continue
        yield from (fault for file in files if (fault := _fault(file, loader)))
    yield from (f"{path}{SHUT}" for path in sorted(shut))


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
