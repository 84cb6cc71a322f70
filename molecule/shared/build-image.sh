#!/usr/bin/env bash
# Build the base image of the test servers from the Debian archive: a bare server, as a provider hands it out,
# with systemd, sshd and a user who may use sudo. Nothing that the roles install is in it.
#
#   build-image.sh SUITE IMAGE      e.g. build-image.sh trixie localhost/uwsgi-flask-server:trixie
#
# The image's tag carries a digest of this file (see create.yml), so an edit here builds a new image.
# Runs as root or, where unprivileged user namespaces are allowed, as anyone: mmdebstrap finds out by itself.
set -euo pipefail

suite=$1
image=$2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tarball=$work/root.tar

# Runs on the host for the tree "$1" that mmdebstrap has just filled.
cat >"$work/customize" <<'HOOK'
set -eu
root=$1

useradd --root "$root" --create-home --shell /bin/bash deploy
echo 'deploy ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/deploy"
chmod 0440 "$root/etc/sudoers.d/deploy"
# The public key is mounted over this file when a server is created.
install -d -m 0700 "$root/home/deploy/.ssh"
touch "$root/home/deploy/.ssh/authorized_keys"
chroot "$root" chown -R deploy:deploy /home/deploy/.ssh

# Every server makes its own host keys at its first start: no two share an identity.
rm -f "$root"/etc/ssh/ssh_host_*
install -d "$root/etc/systemd/system/ssh.service.d"
cat >"$root/etc/systemd/system/ssh.service.d/host-keys.conf" <<'UNIT'
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
UNIT

# Package timers would take apt's lock in the middle of a test.
for timer in apt-daily apt-daily-upgrade dpkg-db-backup; do
    ln -sf /dev/null "$root/etc/systemd/system/$timer.timer"
done
HOOK

packages=systemd,systemd-sysv,dbus,python3,python3-apt,openssh-server,sudo,iproute2,ca-certificates

# The package lists stay: `--check` on a bare server has to know what could be installed.
# Without fsync a package unpacks faster, in the build and later on the server; a test server has nothing to lose.
mmdebstrap --quiet --variant=minbase --include="$packages" \
    --skip=cleanup/apt/lists --dpkgopt=force-unsafe-io \
    --customize-hook="sh $work/customize \"\$1\"" \
    "$suite" "$tarball"

# SIGRTMIN+3 is how systemd is asked to shut down.
podman import --quiet --change 'CMD ["/sbin/init"]' --change 'STOPSIGNAL SIGRTMIN+3' "$tarball" "$image"
