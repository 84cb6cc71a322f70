#!/usr/bin/env bash
# Build the base image of the test servers from the Debian archive: a bare server, as a provider hands it out,
# with systemd, sshd and a user who may use sudo. Nothing that the roles install is in it.
#
#   build-image.sh SUITE IMAGE      e.g. build-image.sh trixie localhost/uwsgi-flask-server:trixie
#   build-image.sh SUITE FOLDER     e.g. build-image.sh trixie ~/.cache/uwsgi-flask/trixie
#
# A folder, which has a slash in front, gets what an emulated server boots from: disk.ext4, vmlinuz and initrd.
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
bootstrap=(mmdebstrap --quiet --variant=minbase --skip=cleanup/apt/lists --dpkgopt=force-unsafe-io
    --customize-hook="sh $work/customize \"\$1\"")

case $image in
/*)
    # What a container gets from its host: kernel, network, names. The key is that of all test servers.
    key=$HOME/.cache/uwsgi-flask/id_ed25519.pub
    cat >"$work/machine" <<HOOK
set -eu
cat $key >"\$1/home/deploy/.ssh/authorized_keys"
printf '[Match]\nType=ether\n[Network]\nDHCP=yes\n' >"\$1/etc/systemd/network/80-dhcp.network"
chroot "\$1" systemctl --quiet enable systemd-networkd.service
echo 'nameserver 10.0.2.3' >"\$1/etc/resolv.conf"
HOOK
    "${bootstrap[@]}" --include="$packages,linux-image-cloud-amd64,initramfs-tools,zstd" \
        --customize-hook="sh $work/machine \"\$1\"" "$suite" "$work/root"
    # A folder appears whole or not at all.
    rm -rf "$image.unfinished"
    install -d -m 0700 "$image.unfinished"
    cp "$work"/root/boot/vmlinuz-* "$image.unfinished/vmlinuz"
    cp "$work"/root/boot/initrd.img-* "$image.unfinished/initrd"
    mke2fs -q -t ext4 -d "$work/root" "$image.unfinished/disk.ext4" 6G
    mv -T "$image.unfinished" "$image"
    ;;
*)
    "${bootstrap[@]}" --include="$packages" "$suite" "$tarball"
    # SIGRTMIN+3 is how systemd is asked to shut down.
    podman import --quiet --change 'CMD ["/sbin/init"]' --change 'STOPSIGNAL SIGRTMIN+3' "$tarball" "$image"
    ;;
esac
