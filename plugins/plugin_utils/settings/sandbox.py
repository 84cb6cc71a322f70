"""Options of systemd's sandbox that an app or nginx may have otherwise than it comes: `sandbox`, `web_nginx_sandbox`.

Both become lines that stand behind the usual ones of a unit, where the last one counts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.path_rules import absolute_path
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import Rule, WrongValue, one_of
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import nearest, shown, shown_name

# What an option's value becomes: what stands behind the equals sign, once or several times.
Values = Callable[[Any], list[str]]

FAMILIES = ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_VSOCK", "AF_CAN", "AF_BLUETOOTH")
# Groups of system calls that may be added, and taken away: `systemd-analyze syscall-filter` says what is in them.
CALLS = ("@chown", "@debug", "@keyring", "@memlock", "@mount", "@pkey", "@resources", "@sandbox")
FEWER_CALLS = ("~@aio", "~@chown", "~@ipc", "~@keyring", "~@memlock", "~@sandbox", "~@setuid", "~@sync", "~@timer")
CAPABILITIES = ("CAP_KILL", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_NICE", "CAP_SYS_RESOURCE")
PLACES = ("any", "localhost", "link-local", "multicast")


def yes_or_no(value: Any) -> list[str]:
    """True or false, in systemd's words."""
    if not isinstance(value, bool):
        raise WrongValue("must be true or false")
    return ["yes" if value else "no"]


def word_of(*words: str) -> Values:
    """One of these words."""
    rule = one_of(*words)
    return lambda value: [rule(value)]


def home(value: Any) -> list[str]:
    """How much is seen of the homes."""
    if isinstance(value, bool):
        return yes_or_no(value)
    if value not in ("read-only", "tmpfs"):
        raise WrongValue("must be true, false, read-only or tmpfs")
    return [str(value)]


def families(value: Any) -> list[str]:
    """All kinds of sockets that there may be. The one of Unix sockets leads to nginx and systemd."""
    found = _each(value, one_of(*FAMILIES))
    if "AF_UNIX" not in found:
        raise WrongValue("must hold AF_UNIX, which nginx and systemd are reached by")
    # The empty one takes the usual ones back.
    return ["", " ".join(found)]


def calls(value: Any) -> list[str]:
    """Groups of system calls, `~` before those that are taken away."""
    return _each(value, one_of(*CALLS, *FEWER_CALLS))


def addresses(value: Any) -> list[str]:
    """Addresses and networks, and systemd's words for some."""
    return [" ".join(_each(value, _address))]


def _address(value: Any) -> str:
    if value in PLACES:
        return str(value)
    try:
        return str(ipaddress.ip_network(value if isinstance(value, str) else ""))
    except ValueError:
        words = f"must be an address, a network (10.0.0.0/8) or one of {', '.join(PLACES)}"
        raise WrongValue(words) from None


def paths(value: Any) -> list[str]:
    """Folders by their absolute paths. One that isn't there keeps nothing from starting."""
    return [f"-{path}" for path in _each(value, absolute_path)]


def capabilities(value: Any) -> list[str]:
    """What root in a unit may do besides."""
    return [" ".join(_each(value, one_of(*CAPABILITIES)))]


def _each(value: Any, rule: Rule) -> list[str]:
    if not isinstance(value, list) or not value:
        raise WrongValue("must be a list with at least one item")
    found = []
    for item in value:
        try:
            found.append(str(rule(item)))
        except WrongValue as error:
            raise WrongValue(f"{error}; {shown(item)} isn't") from None
    return found


_OF_BOTH: dict[str, Values] = {
    **dict.fromkeys(("LockPersonality", "MemoryDenyWriteExecute", "PrivateDevices", "PrivateTmp"), yes_or_no),
    **dict.fromkeys(("RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID"), yes_or_no),
    "ProcSubset": word_of("pid", "all"),
    "ProtectHome": home,
    "ProtectProc": word_of("invisible", "noaccess", "ptraceable", "default"),
    "RestrictAddressFamilies": families,
    "SystemCallFilter": calls,
    **dict.fromkeys(("IPAddressAllow", "IPAddressDeny"), addresses),
}
OF_AN_APP: dict[str, Values] = {
    **_OF_BOTH,
    **dict.fromkeys(("PrivateIPC", "PrivateNetwork", "PrivateUsers", "RemoveIPC"), yes_or_no),
}
OF_NGINX: dict[str, Values] = {**_OF_BOTH, "CapabilityBoundingSet": capabilities, "ReadWritePaths": paths}

# Why the others stay as they are.
_PRIVILEGES = "with more privileges it could undo all the rest"
_USELESS = "without it an app could do no more, because it has no capabilities"
_ONE_PLACE = "an app writes to its data alone, so that a release stays what was proven"
_ALREADY = "another architecture's calls would pass by the filter"
STAYS = {
    **dict.fromkeys(("NoNewPrivileges", "CapabilityBoundingSet", "AmbientCapabilities", "SecureBits"), _PRIVILEGES),
    **dict.fromkeys(("User", "Group", "DynamicUser", "SupplementaryGroups"), "the key 'user' says it"),
    **dict.fromkeys(("ProtectSystem", "ReadWritePaths", "BindPaths", "StateDirectory"), _ONE_PLACE),
    **dict.fromkeys(
        (
            *("ProtectClock", "ProtectControlGroups", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules"),
            *("ProtectKernelTunables", "PrivateMounts"),
        ),
        _USELESS,
    ),
    **dict.fromkeys(("SystemCallArchitectures", "SystemCallErrorNumber"), _ALREADY),
    "UMask": "the app's data is shared through its group",
    "MemoryMax": "the key 'memory_max' says it",
    "CPUQuota": "the key 'cpu_quota' says it",
    "TasksMax": "the key 'tasks_max' says it",
    **dict.fromkeys(("Environment", "EnvironmentFile"), "the key 'environment' says it"),
}
_NGINX_NEEDS = "nginx needs none of what it forbids"
STAYS_OF_NGINX = {
    **dict.fromkeys(("NoNewPrivileges", "AmbientCapabilities", "PrivateMounts"), _NGINX_NEEDS),
    **dict.fromkeys([name for name, why in STAYS.items() if why is _USELESS], _NGINX_NEEDS),
    "ProtectSystem": "'ReadWritePaths' lets nginx write to other folders",
    "User": "nginx opens ports and keys as root, and 'web_nginx_user' says who its workers are",
    "SystemCallArchitectures": _ALREADY,
}


def of_an_app(value: Any) -> dict[str, list[str]]:
    """Each option of an app's `sandbox` with its values in systemd's spelling; there may be none."""
    return _options(value, OF_AN_APP, STAYS)


def lines(options: Mapping[str, Sequence[str]]) -> list[str]:
    """What a unit says."""
    return [f"{name}={value}" for name, values in options.items() for value in values]


def of_nginx(value: Any) -> dict[str, list[str]]:
    """The same of `web_nginx_sandbox`."""
    return _options(value, OF_NGINX, STAYS_OF_NGINX)


def _options(value: Any, known: Mapping[str, Values], stays: Mapping[str, str]) -> dict[str, list[str]]:
    if not isinstance(value, dict):
        raise WrongValue("must be a dictionary of systemd's options (MemoryDenyWriteExecute: false)")
    return {name: _values(name, given, known, stays) for name, given in value.items()}


def _values(name: Any, given: Any, known: Mapping[str, Values], stays: Mapping[str, str]) -> list[str]:
    if name in stays:
        raise WrongValue(f"must leave {name!r} as it is: {stays[name]}")
    if name not in known:
        near = nearest(name, sorted(known), "options")
        raise WrongValue(f"has {shown_name(name)}, which is no option of the sandbox that may be set{near}")
    try:
        return known[name](given)
    except WrongValue as error:
        raise WrongValue(f"has {name!r}, which {error}") from None
