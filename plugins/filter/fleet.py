"""The door for playbooks to fleet.py, libraries.py, logs.py, report.py, status_page.py and parts of settings/."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils import fleet, libraries, logs, report, status_page
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings import preview
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.accounts import own_account
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.debian import not_installed
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.tables import terminal_width


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "owing": fleet.owing,
            "outsiders": fleet.outsiders,
            "memories": fleet.memories,
            "led": fleet.led,
            "first_hosts": fleet.first_hosts,
            "arrived": fleet.arrived,
            "handed_over": fleet.handed_over,
            "held_back": fleet.held_back,
            "unasked": fleet.unasked,
            "app_fault": fleet.app_fault,
            "not_installed": not_installed,
            "own_account": own_account,
            "misplaced": report.misplaced,
            "faults": report.faults,
            "certificate_faults": report.certificate_faults,
            "preview_table": lambda hosts: preview.preview_table(hosts, terminal_width()),
            "proven_twice": fleet.proven_twice,
            "to_restart": libraries.to_restart,
            "libraries_report": libraries.libraries_report,
            "merged_logs": logs.merged_logs,
            "status_of_hosts": report.status_of_hosts,
            "status_report": report.status_report,
            "status_page": status_page.status_page,
        }
