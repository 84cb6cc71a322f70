"""`./web init`: the two files that a new environment begins with, from five answers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import yaml
from web_line import PROJECT, USUAL, as_text, examples, line_for

# Other groups of an inventory.
TAKEN = ("all", "ungrouped", "web")
INVENTORY = """---
# The servers of {environment}; docs/several-servers.md says more.
web:
  children:
    {environment}:
{environment}:
  hosts:
{hosts}  vars:
    ansible_user: {user}
"""
APPS = """---
# Every key: docs/apps.md.
web_apps:
  - name: {app}
    source: {source}
    server_names: [{names}]
"""


@click.command(
    epilog=examples(
        "init",
        "init -e staging --hosts web1.staging.example.org --user deploy --app shop --source ../shop"
        " --server-names shop.example.org",
    )
)
@click.option("-e", "--environment", metavar="NAME", help="What these servers are for together, e.g. production.")
@click.option("--hosts", metavar="NAMES", help="Their names, with commas; name:2222 where SSH has another port.")
@click.option("--user", metavar="NAME", help="Who deploys: a user of the servers.")
@click.option("--app", metavar="NAME", help="What the app is called.")
@click.option("--source", metavar="FOLDER|URL", help="Where its code is: a folder, a git URL, an archive.")
@click.option("--server-names", metavar="NAMES", help="Under which host names visitors come, with commas.")
def init(
    environment: str | None,
    hosts: str | None,
    user: str | None,
    app: str | None,
    source: str | None,
    server_names: str | None,
) -> None:
    """Write the settings of a new environment, from five answers."""
    environment = environment or ask("--environment", "Environment", USUAL)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", environment) or environment in TAKEN:
        raise click.BadParameter(
            f"{environment!r}: small letters, digits and _, and none of {', '.join(TAKEN)}",
            param_hint="--environment",
        )
    inventory = PROJECT / f"inventory/{environment}.yml"
    apps = PROJECT / f"group_vars/{environment}/web_apps.yml"
    was_example = inventory.exists() and is_example(inventory)
    for path in (apps,) if was_example else (inventory, apps):
        if path.exists():
            raise click.ClickException(f"{path} is there already, and stays as it is: edit it, or choose another name.")
    hosts = hosts or ask("--hosts", "Servers, with commas between them")
    user = user or ask("--user", "User who deploys to them", "deploy")
    app = app or ask("--app", "Name of the app")
    source = source or ask("--source", "Its code: folder, git URL or archive", f"../{app}")
    server_names = server_names or ask("--server-names", "Its host names, with commas between them")
    text = INVENTORY.format(environment=environment, hosts="".join(map(host_lines, words_of(hosts))), user=quoted(user))
    write(inventory, text)
    names = ", ".join(map(quoted, words_of(server_names)))
    write(apps, APPS.format(app=quoted(app), source=quoted(source), names=names))
    settings, line = line_for("settings.yml", environment, {}, [])
    place = " (in place of the example)" if was_example else ""
    click.echo(f"Written: {inventory.relative_to(PROJECT)}{place}, {apps.relative_to(PROJECT)}")
    click.echo(as_text(settings, line), err=True)
    code = subprocess.run(
        ["env", *(f"{name}={value}" for name, value in settings.items()), *line], check=False
    ).returncode
    chosen = "" if environment == USUAL else f" -e {environment}"
    click.echo(
        f"Mend what is said above, in these files; then: ./web check{chosen}"
        if code
        else f"Next: ./web bootstrap{chosen}     where a server has no Python or no such user yet\n"
        f"      ./web deploy{chosen}"
    )
    sys.exit(code)


def ask(option: str, question: str, usual: str | None = None) -> str:
    """A person's answer; where there is nobody to ask, the option is named."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{option} is missing, and there is nobody to ask.")
    return str(click.prompt(question, default=usual, err=True))


def is_example(path: Path) -> bool:
    """Whether an inventory is the one that the project brings: nobody has servers of these names."""
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError:
        # With something of Ansible's in it, such as !vault.
        return False
    groups = content.values() if isinstance(content, dict) else []
    hosts = [host for group in groups for host in (group or {}).get("hosts") or {}]
    return bool(hosts) and all(str(host).endswith(".example.com") for host in hosts)


def words_of(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def host_lines(word: str) -> str:
    """The host, and its port where one stands behind its name or behind [its address]."""
    found = re.fullmatch(r"(?:\[(.+)\]|([^:]+)):(\d+)", word)
    name = found[1] or found[2] if found else word
    return f"    {quoted(name)}:\n" + (f"      ansible_port: {found[3]}\n" if found else "")


def quoted(text: str) -> str:
    """The text as a scalar of YAML."""
    return yaml.safe_dump(text, default_flow_style=True, width=10000).removesuffix("\n").removesuffix("\n...")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
