"""`./web`: each command is one line of ansible-playbook, which is printed before it is run, and whose exit code counts.

Nothing is decided here that the playbooks don't decide.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click
import yaml
from click.shell_completion import CompletionItem
from web_init import init
from web_line import PROJECT, USUAL, Variables, as_text, environments, examples, inventory_of, line_for

# --- Completion ------------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """Reads a file of settings whatever Ansible's tags stand in it, such as !vault."""


_Loader.add_multi_constructor("!", lambda _loader, _tag, _node: None)


def apps_of(environment: str) -> list[str]:
    """The names in `web_apps` of an environment, as far as they stand there in clear."""
    names = set()
    for path in sorted(PROJECT.glob(f"group_vars/{environment}/*.yml")):
        try:
            settings = yaml.load(path.read_text(), _Loader)
        except (OSError, ValueError, yaml.YAMLError):
            continue
        items = settings.get("web_apps") if isinstance(settings, dict) else None
        names |= {str(item.get("name", "")) for item in items or [] if isinstance(item, dict)}
    return sorted(names - {""})


def complete_app(context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    names = apps_of(context.params.get("environment") or USUAL)
    return [CompletionItem(name) for name in names if name.startswith(begun)]


class Environment(click.ParamType[str]):
    name = "name"

    def convert(self, value: str, parameter: click.Parameter | None, context: click.Context | None) -> str:
        if not inventory_of(value).is_file():
            known = ", ".join(environments())
            self.fail(
                f"there is no {inventory_of(value)}. Environments: {known}; ./web init makes one", parameter, context
            )
        return value

    def shell_complete(self, _context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in environments() if name.startswith(begun)]


# --- The commands ----------------------------------------------------------------------------------------------------


class Commands(click.Group):
    """Words after `--` are ansible-playbook's, whatever they are."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        context.obj = args[at + 1 :]
        return super().parse_args(context, args[:at])

    def list_commands(self, _context: click.Context) -> list[str]:
        """In the order in which one comes to need them."""
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def web() -> None:
    """Deploy Flask apps to your servers, and look after them.

    Each command is one line of ansible-playbook, which is printed before it is run; --dry-run only prints it. Words
    after -- are added to it.
    """


def refuse_empty(given: Mapping[str, Any]) -> None:
    """What is left out means all: `./web teardown "$APP" --yes` must not, where APP isn't set."""
    for name, value in given.items():
        if any(
            isinstance(word, str) and not word.strip(" ,") for word in (value if isinstance(value, tuple) else [value])
        ):
            raise click.UsageError(f"{name.upper()} is empty: write it, or leave it out altogether.")


def playbook(
    name: str, *shown: str, rehearses: bool = True, quiet: bool = False
) -> Callable[[Callable[..., Variables]], click.Command]:
    """Make a command of a function that tells which variables a playbook gets."""

    def made(variables: Callable[..., Variables]) -> click.Command:
        @functools.wraps(variables)
        def run(
            environment: str, limit: str, dry_run: bool, check: bool = False, diff: bool = False, **given: Any
        ) -> None:
            refuse_empty({**given, "limit": limit})
            wanted = variables(**given)
            words = [f"--limit={limit}"] if limit else []
            words += ["--check"] * check + ["--diff"] * diff + click.get_current_context().find_root().obj
            settings, line = line_for(name, environment, wanted, words, quiet)
            click.echo(as_text(settings, line), err=not dry_run)
            if not dry_run:
                os.execvpe(line[0], line, {**os.environ, **settings})

        options = [
            click.option("-e", "--environment", type=Environment(), default=USUAL, show_default=True, is_eager=True,
                         help="Which servers: a file of inventory/."),
            click.option("--limit", metavar="HOSTS", help="Only these of them."),
            *([click.option("--check", is_flag=True, help="Change nothing, and tell what would be."),
               click.option("--diff", is_flag=True, help="Show how files change.")] if rehearses else []),
            click.option("--dry-run", is_flag=True, help="Only print the line."),
        ]  # fmt: skip
        command: Any = run
        for option in reversed(options):
            command = option(command)
        return web.command(epilog=examples(*shown))(command)

    return made


one_app = click.argument("app", required=False, shell_complete=complete_app)
some_apps = click.argument("app", nargs=-1, metavar="[APP]...", shell_complete=complete_app)

web.add_command(init)


@playbook("bootstrap.yml", "bootstrap", "bootstrap --login debian", "bootstrap --fingerprint SHA256:47DEQpj8HBSa…")
@click.option("--login", metavar="USER", help="Who is let in by now; root if not given.")
@click.option("--fingerprint", metavar="SHA256:…", multiple=True, help="Of a host key, for a run that asks nobody.")
@click.option(
    "--public-key", metavar="FILE", type=click.Path(exists=True, resolve_path=True), help="Yours, if not usual."
)
def bootstrap(login: str, fingerprint: tuple[str, ...], public_key: str) -> Variables:
    """Make bare servers ready: Python, the deploy user, its key and sudo."""
    return {"login": login, "fingerprint": fingerprint, "public_key": public_key}


@playbook("settings.yml", "check", "check shop -e staging", rehearses=False)
@some_apps
def check(app: tuple[str, ...]) -> Variables:
    """Check the settings, without a connection to any server."""
    return {"app": app}


@playbook("site.yml", "deploy", "deploy shop wiki", "deploy --check --diff", "deploy --restart shop", "deploy -- -v")
@some_apps
@click.option("--restart", metavar="APP", multiple=True, shell_complete=complete_app,
              help="Start a new instance though nothing has changed.")  # fmt: skip
@click.option("--refresh", metavar="APP", multiple=True, shell_complete=complete_app,
              help="Lock anew what the app installs.")  # fmt: skip
@click.option("--hooks", type=click.Choice(["run", "skip"]), help="Run hooks that have been run, or none.")
def deploy(app: tuple[str, ...], restart: tuple[str, ...], refresh: tuple[str, ...], hooks: str) -> Variables:
    """Make the servers as the settings say."""
    return {"app": app, "restart": restart, "refresh": refresh, "hooks": hooks}


@playbook("rollback.yml", "rollback", "rollback shop --to 3f9a1c0b7d2e")
@one_app
@click.option("--to", metavar="RELEASE", help="Its id, as status shows it; the last good one if not given.")
@click.option("--keep-environment", is_flag=True, help="With the environment of today.")
def rollback(app: str, to: str, keep_environment: bool) -> Variables:
    """Go back to a release that was good."""
    return {"app": app, "release": to, "keep_environment": keep_environment}


@playbook("status.yml", "status", "status shop", "status --json | grep '^{'", rehearses=False, quiet=True)
@one_app
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def status(app: str, as_json: bool) -> Variables:
    """Show what is live, and what visitors get."""
    return {"app": app, "format": "json" if as_json else ""}


@playbook("logs.yml", "logs shop", "logs shop -f", "logs --since 10m --grep ' 50[0-9] '", rehearses=False, quiet=True)
@one_app
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--since", metavar="WHEN", help="10m, 2h, today, or another form of journalctl's.")
@click.option("--grep", metavar="PATTERN", help="Only lines in which this regular expression is found.")
@click.option("--lines", metavar="NUMBER", help="At most so many, the last ones; 200 if not given.")
def logs(app: str, follow: bool, since: str, grep: str, lines: str) -> Variables:
    """Show the logs of an app and of nginx, of all servers, by time."""
    return {"app": app, "follow": "yes" if follow else "", "since": since, "grep": grep, "lines": lines}


@playbook("run.yml", 'run "flask db current"', 'run "flask shell-command" --app shop --limit web2.example.com',
          quiet=True, rehearses=False)  # fmt: skip
@click.argument("command")
@click.option("--app", shell_complete=complete_app, help="May be left out where there is one.")
def run(command: str, app: str) -> Variables:
    """Run a command in the live release, on one server."""
    return {"command": command, "app": app}


@playbook("maintenance.yml", "maintenance on shop", "maintenance on --let-pass 203.0.113.7 --page closed.html",
          "maintenance off shop")  # fmt: skip
@click.argument("state", type=click.Choice(["on", "off"]))
@one_app
@click.option("--let-pass", metavar="ADDRESS", multiple=True, help="Who sees the app nevertheless.")
@click.option("--page", type=click.Path(exists=True, resolve_path=True), help="What the others see.")
def maintenance(state: str, app: str, let_pass: tuple[str, ...], page: str) -> Variables:
    """Close an app to visitors, or open it."""
    return {"state": state, "app": app, "let_pass": let_pass, "page": page}


@playbook("libraries.yml", "libraries", "libraries --check")
@one_app
def libraries(app: str) -> Variables:
    """Restart what runs with replaced libraries, after security upgrades."""
    return {"app": app}


@playbook("firewall.yml", "firewall --check --diff", "firewall", "firewall --off")
@click.option("--undo-after", metavar="SECONDS", help="When rules that lock you out are taken back; 60 if not given.")
@click.option("--off", is_flag=True, help="Take it off.")
def firewall(undo_after: str, off: bool) -> Variables:
    """Close every port but SSH, HTTP, HTTPS and those you name."""
    return {"undo_after": undo_after, "state": "absent" if off else ""}


@playbook("services.yml", "services")
def services() -> Variables:
    """Serve PostgreSQL and Redis to the apps."""
    return {}


@playbook("wheelhouse.yml", "wheelhouse", "wheelhouse shop", rehearses=False)
@some_apps
@click.option(
    "--refresh", metavar="APP", multiple=True, shell_complete=complete_app, help="Lock anew what it installs."
)
def wheelhouse(app: tuple[str, ...], refresh: tuple[str, ...]) -> Variables:
    """Download what the apps install, for servers without an index."""
    return {"app": app, "refresh": refresh}


@playbook("prune.yml", "prune", "prune shop")
@one_app
def prune(app: str) -> Variables:
    """Remove every release but the live one."""
    return {"app": app}


@playbook("teardown.yml", "teardown shop", "teardown shop --purge", "teardown --remove-packages --remove-users")
@one_app
@click.option("--purge", is_flag=True, help="The apps' data too.")
@click.option("--remove-packages", is_flag=True, help="nginx, uWSGI and what came with them.")
@click.option("--remove-users", is_flag=True, help="The apps' users.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def teardown(app: str, purge: bool, remove_packages: bool, remove_users: bool, yes: bool) -> Variables:
    """Remove an app, or everything."""
    root = click.get_current_context()
    if not yes and not root.params["dry_run"]:
        click.confirm(
            f"Remove {app or 'all apps and what serves them'} from {root.params['environment']}?", abort=True, err=True
        )
    return {
        "confirm": "yes", "app": app, "purge": purge, "remove_packages": remove_packages, "remove_users": remove_users,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(web(prog_name="web"))
