"""How a run was started: by which configuration of Ansible, from where, for whom, and with which `-e`."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.inventory.manager import split_host_pattern
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.meant import misspelt_with_e

CONFIGURATION = "ansible.cfg"
COLLECTION = "uwsgi_flask.web"
# What takes a task on all hosts before the next: a hook waits for every host of its app.
IN_STEP = ("linear", "ansible.builtin.linear", "debug", "ansible.builtin.debug")


def faults(known: Mapping[str, Any], given: Mapping[str, Any], playbooks: Sequence[str] = ()) -> Iterator[str]:
    """What is wrong with it, a line each. `known` are the first host's variables, `given` those of `-e`.

    `playbooks` are the files that were named: one of somebody's own may import ours, and read more.
    """
    project = str(known["playbook_dir"])
    hosts = known.get("groups", {}).get("web", [])
    of_hosts = [known["hostvars"].raw_get(host) for host in hosts]
    if wrong := list(_configuration_faults(of_hosts)):
        yield f"{CONFIGURATION}: {'; '.join(wrong)}. {_way_out(project, known.get('ansible_config_file'))}"
    elif not hosts:
        looked = ", ".join(map(str, known.get("ansible_inventory_sources") or [])) or "no inventory at all"
        groups = ", ".join(group for group in known.get("groups", {}) if group not in ("all", "ungrouped"))
        yield (
            f"There is no host in the group 'web'. Looked in {looked}: does it exist, and is the group name spelled "
            f"correctly?{groups and f' Known groups: {groups}'}"
        )
    elif (limit := known.get("ansible_limit")) and not {*hosts} & {*known["ansible_play_hosts_all"]}:
        yield f"--limit {limit}: chooses none of the hosts in the group 'web'; they are {', '.join(hosts)}"
    others = _of_others(playbooks)
    yield from _empty(given)
    yield from [] if others else _tags()
    yield from misspelt_with_e(given, project, [*of_hosts, given, others], () if others else playbooks)


def _of_others(playbooks: Sequence[str]) -> dict[str, str]:
    """The texts of those playbooks that aren't the project's, by path: these use what the collection holds."""
    texts = {path: Path(path).read_text(encoding="utf-8") for path in playbooks if Path(path).is_file()}
    return {path: text for path, text in texts.items() if f"{COLLECTION}." not in text}


def _empty(given: Mapping[str, Any]) -> Iterator[str]:
    """What would mean all, as `-e app=$APP` where APP isn't set."""
    if "app" in given and not str(given["app"]).strip(" ,"):
        yield "-e app: names no app; write its name, or leave `-e app` out if all are meant"
    if (limit := context.CLIARGS.get("subset")) is not None and not any(map(str.strip, _patterns(limit))):
        yield "--limit: names no host; write one, or leave --limit out if all are meant"


def _patterns(limit: str) -> Iterator[str]:
    """What --limit chooses hosts by: words, and the lines of files. As in `"$ONE,$TWO"` where neither is set, or
    `@failed.txt` after a run where nothing failed, there may be none, and Ansible takes all hosts.
    """
    for word in split_host_pattern(limit):
        file = Path(word[1:]) if word.startswith("@") else None
        yield from file.read_text(encoding="utf-8").splitlines() if file else word.split(",")


def _tags() -> Iterator[str]:
    """A run that leaves out all that it is for."""
    if (tags := [*(context.CLIARGS.get("tags") or ())]) not in ([], ["all"]):
        yield (
            f"--tags {','.join(tags)}: no task has a tag here, so all that do the work would be left out; choose apps "
            "with -e app=<name> and hosts with --limit"
        )


def _configuration_faults(hosts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What Ansible was told otherwise than a deploy needs, whoever told it."""
    interpreter = str(constants.config.get_config_value("INTERPRETER_PYTHON"))
    if interpreter.startswith("auto") and not (hosts and all("ansible_python_interpreter" in host for host in hosts)):
        yield f"'interpreter_python' is {interpreter}, so each server's newest Python would be taken, not Debian's"
    strategy = str(constants.config.get_config_value("DEFAULT_STRATEGY"))
    if strategy not in IN_STEP:
        yield f"'strategy' is {strategy}, so servers wouldn't wait for each other"


def _way_out(project: str, read: Any) -> str:
    own = f"{project}/{CONFIGURATION}"
    if read:
        return f"Ansible has read {read}: set it there as {own} does, or export ANSIBLE_CONFIG={own}"
    here = Path.cwd()
    if (here / CONFIGURATION).is_file() and here.stat().st_mode & stat.S_IWOTH:
        why = f"Ansible takes no {CONFIGURATION} from {here}, where everybody may write"
        return f"{why}: chmod o-w {here}, or export ANSIBLE_CONFIG={own}"
    return f"Ansible has read none: run this in {project}, or export ANSIBLE_CONFIG={own}"
