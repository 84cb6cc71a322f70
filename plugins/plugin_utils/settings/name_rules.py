"""Rules of names: of apps, hosts and accounts. Each returns the name, or raises WrongValue."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue, text

# What Debian, and what often runs beside an app, has below /run and /var/lib or among units, logs and tmpfiles: an app
# of that name would take it over, and `purge` would delete it. The second part is our own.
SYSTEM_NAMES = """
    access adduser apache2 apparmor apt auditd autovt avahi-daemon blockdev bluetooth capsule certbot chrony clamav
    cloud collectd console-getty consul containerd containers corosync credentials cron cups dbus debian dhcp dhcpcd
    dkms dnsmasq docker dovecot dpkg e2scrub elasticsearch emergency error etcd exim4 fail2ban firewalld fwupd getty git
    gitlab gitlab-runner grafana grub haproxy home ifup ifupdown influxdb initctl initrd-switch-root iptables jenkins
    journald keepalived kubelet legacy letsencrypt libpod libvirt lldpd lock log logrotate loki lvm lxc mail man-db
    mariadb memcached minio misc modprobe mongodb mosquitto mount munin mysql named needrestart netns network
    networking nftables nginx nomad ntp ntpsec opendkim openvpn pacemaker pam passwd plymouth podman polkit-1 postfix
    postgresql private prometheus provision puppet python quotaon rabbitmq redis redis-server rescue resolvconf rpcbind
    rspamd rsyslog runc salt samba serial-getty shm smartd snapd snmpd squid ssh sshd sssd strongswan stunnel4 sudo
    supervisor syslog syslog-ng systemd telegraf tmp tomcat10 tor ucf udev udisks2 ufw unattended-upgrades unbound user
    usbmuxd uuidd uwsgi uwsgi-app vagrant var varnish vault vim vsftpd wg-quick wireguard wpa-supplicant www x11 zabbix
    zfs

    candidate web-acme web-apps web-build web-logs web-probe
"""
# Accounts of Debian's own (base-passwd), and of what keeps others' data: an app that runs as one of them may read that.
SYSTEM_ACCOUNTS = """
    _apt backup bin bind daemon games irc list lp mail man messagebus mysql news nobody polkitd postfix postgres proxy
    redis sshd sync sys uucp
"""

spelt_name = text(
    r"[a-z][a-z0-9]*(-[a-z0-9]+)*",
    "lower-case letters, digits and single hyphens, a letter first (shop-2)",
)


def app_name(value: Any) -> str:
    """A name that fits directories, units and nginx, and that the system doesn't use itself."""
    name: str = spelt_name(value)
    if name in SYSTEM_NAMES.split() or name.startswith("systemd-"):
        raise WrongValue("must not be a name that the system uses itself; add a word (shop-nginx)")
    return name


host_name = text(
    # The lengths are the DNS's (RFC 1035, 2.3.4).
    r"(?=.{1,253}$)(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*|\[[0-9a-f:]+\]",
    "a lower-case host name or address (shop.example.com, *.example.com, 192.0.2.7)",
)


def host_meant(value: Any) -> str:
    """What to write in place of what is no host name; "" if that can't be guessed."""
    if not isinstance(value, str):
        return ""
    plain = re.sub(r"^\w+://|/.*$", "", value.strip()).lower().rstrip(".")
    why = ": nginx listens on web_http_port for every app" if re.search(r"[^:\]]:\d+$|\]:\d+$", plain) else ""
    plain = plain if _is_ipv6(plain) else re.sub(r":\d+$", "", plain)
    plain = f"[{plain}]" if _is_ipv6(plain) else plain
    try:
        meant: str = host_name(plain if plain.isascii() else plain.encode("idna").decode())
    except (WrongValue, UnicodeError):
        return ""
    if not plain.isascii() and meant.encode().decode("idna") != plain:
        # Python's encoding is that of 2003, which makes another name of some.
        return ""
    return f"write {meant!r}{'' if _is_ipv6(value) else why}" if meant != value else ""


def _is_ipv6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


account = text(r"(?!root$)[a-z_][a-z0-9_-]{0,31}", "the name of a user or group other than root (www)")


def app_account(value: Any) -> str:
    """Who an app may run as."""
    name: str = account(value)
    if name in SYSTEM_ACCOUNTS.split() or name.startswith("systemd-"):
        raise WrongValue(
            "must not be an account of the system, whose files it could read; leave it out, or name another"
        )
    return name
