"""Makes a server's key known on the controller, once a person or a fingerprint has said that it is the right one."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils import host_key
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.host_key import HostKey, NoAnswer

QUESTION = """The {kind} key of {name} is
    {fingerprint}
Its console, or who made it, says whether that is right: ssh-keygen -l -f /etc/ssh/ssh_host_{lower}_key.pub
Type yes if it is"""


class ActionModule(ActionBase):
    """`uwsgi_flask.web.host_key: fingerprint: …`, by hand where none is given."""

    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        name = str((task_vars or {})["inventory_hostname"])
        given = [word.strip() for word in str(self._task.args.get("fingerprint") or "").split(",") if word.strip()]
        if self._connection.transport != "ssh":
            return {"changed": False, "ssh_arguments": ""}
        words = self._words()
        try:
            if not host_key.is_checked(words):
                return {"changed": False, "ssh_arguments": ""}
            known = host_key.is_known(words)
            if known and not given:
                return {"changed": False, "ssh_arguments": ""}
            scratch = Path(C.DEFAULT_LOCAL_TMP, f"host-key-{name}")
            key = host_key.offered(words, scratch)
            self._agree(name, key, given)
            path = host_key.known_hosts(words)
            if not known and not self._task.check_mode:
                host_key.remember(path, key)
        except NoAnswer as fault:
            raise AnsibleActionFail(f"{name}: SSH doesn't answer: {fault}") from None
        except ValueError as fault:
            raise AnsibleActionFail(
                f"{name}: {fault}. Somebody may stand in between. If the server was made anew, forget the old key: "
                f"ssh-keygen -R {_known_as(words)}. Nothing was changed."
            ) from None
        # For a rehearsal, which notes nothing.
        arguments = f"-o GlobalKnownHostsFile={shlex.quote(str(scratch))}" if self._task.check_mode else ""
        diff = {"before": "", "after": key.lines, "before_header": str(path), "after_header": str(path)}
        return {"changed": not known, "ssh_arguments": arguments, "diff": {} if known else diff}

    def _agree(self, name: str, key: HostKey, given: list[str]) -> None:
        """Raises AnsibleActionFail unless the key is the right one."""
        if given:
            if key.fingerprint not in given:
                raise AnsibleActionFail(
                    f"{name}: the server's {key.kind} key is {key.fingerprint}, and not {' or '.join(given)}. "
                    "Nothing was changed."
                )
            return
        told = {"name": name, "kind": key.kind, "lower": key.kind.lower(), "fingerprint": key.fingerprint}
        try:
            answer = Display().prompt_until(QUESTION.format(**told)).decode(errors="replace").strip()
        except AnsiblePromptNoninteractive:
            raise AnsibleActionFail(
                f"{name}: its {key.kind} key isn't known here, and there is nobody to ask: compare {key.fingerprint} "
                f"with what the server's console says, then -e fingerprint={key.fingerprint}. Nothing was changed."
            ) from None
        except AnsiblePromptInterrupt:
            raise AnsibleActionFail(f"{name}: interrupted. Nothing was changed.") from None
        if answer != "yes":
            raise AnsibleActionFail(f"{name}: the answer wasn't yes. Nothing was changed.")

    def _words(self) -> list[str]:
        """How ssh is told of the server, by what Ansible tells it."""
        option = self._connection.get_option
        words = [word for name in ("ssh_common_args", "ssh_extra_args") for word in shlex.split(option(name) or "")]
        return [*words, *(["-p", str(option("port"))] if option("port") else []), str(option("host"))]


def _known_as(words: list[str]) -> str:
    *_others, flag, port, host = ["", "", *words]
    return shlex.quote(f"[{host}]:{port}" if flag == "-p" and port != "22" else host)
