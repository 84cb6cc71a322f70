"""How many connections a worker of nginx may have on a host."""

from __future__ import annotations

import dataclasses

from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import UNIT, System

# A connection to a visitor may have a file beside it. One to an app counts as a connection too, and the two of them may
# have a file each, for what is sent and for what is answered.
DESCRIPTORS_EACH = 2
# What a worker has open beside its connections: logs, ports, sockets.
OTHERS = 64
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
        return min(self.wanted, _room(self.descriptors))

    def warning(self) -> str:
        """What a person should know. nginx isn't restarted for it: that would cost visitors their connections."""
        possible = min(self.wanted, _room(self.later))
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


def _room(descriptors: int) -> int:
    return (descriptors - OTHERS) // DESCRIPTORS_EACH


def capacity(system: System, wanted: int) -> Capacity:
    later = system.descriptors_at_start()
    return Capacity(wanted, system.descriptors() if system.serves_ours() else later, later)
