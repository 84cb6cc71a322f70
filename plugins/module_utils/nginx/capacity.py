"""How many connections a worker of nginx may have on a host."""

from __future__ import annotations

import dataclasses

from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import UNIT, System

# A proxied request takes two file descriptors, and a static file one more.
DESCRIPTORS_EACH = 3
# Fewer connections than this deserve a warning.
FEW = 1000


@dataclasses.dataclass(frozen=True)
class Capacity:
    """What a person wants, and what a worker's file descriptors allow: those of the running nginx, if it is ours.

    After a restart it would have `later`: others, if the host or its unit was changed since it was started.
    """

    wanted: int
    descriptors: int
    later: int

    @property
    def connections(self) -> int:
        return min(self.wanted, self.descriptors // DESCRIPTORS_EACH)

    def warning(self) -> str:
        """What a person should know. nginx isn't restarted for it: that would cost visitors their connections."""
        possible = min(self.wanted, self.later // DESCRIPTORS_EACH)
        if possible > self.connections:
            return (
                f"a worker of nginx has {self.connections} connections, because it was started when it could open no "
                f"more than {self.descriptors} files; 'systemctl restart {UNIT}' and another deploy make it {possible}"
            )
        if self.connections < min(self.wanted, FEW):
            return (
                f"a worker of nginx has {self.connections} connections, because this host lets it open no more than "
                f"{self.descriptors} files; raise the hard limit of open files (in a container, that of the container)"
            )
        return ""


def capacity(system: System, wanted: int) -> Capacity:
    later = system.descriptors_at_start()
    return Capacity(wanted, system.descriptors() if system.serves_ours() else later, later)
