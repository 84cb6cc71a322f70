#!/usr/bin/env bash
# An emulated server on this machine: a processor, a kernel, a disk, and ports of 127.0.0.1 that lead to it.
#
#   machine.sh NAME make BASE          give it a disk of its own, made from a folder that build-image.sh filled
#   machine.sh NAME boot SSH HTTP MORE    start it; returns at once. MORE leads to its port 9100
#   machine.sh NAME cut                end it as a cut of power does
#   machine.sh NAME remove             cut, and forget it
#
# No KVM is needed. With cx16, or with two processors, QEMU 7.2 panics Debian 13's kernel.
set -euo pipefail

name=$1
folder=$HOME/.cache/uwsgi-flask/machines/$name

cut_power() {
    if [ -e "$folder/pid" ]; then
        kill -9 "$(cat "$folder/pid")" 2>/dev/null || echo "machine.sh: $name wasn't running"
        # The pid may go to another process.
        rm "$folder/pid"
    fi
}

case $2 in
make)
    install -d -m 0700 "$folder"
    qemu-img create -q -f qcow2 -b "$3/disk.ext4" -F raw "$folder/disk.qcow2"
    ln -sfn "$3" "$folder/base"
    ;;
boot)
    # What was written and not synced is lost by a cut, so the guest's syncs reach the file: no cache=unsafe.
    qemu-system-x86_64 -name "$name" -accel tcg,thread=multi -cpu Nehalem,-cx16 -m 2048 \
        -kernel "$folder/base/vmlinuz" -initrd "$folder/base/initrd" -append "root=/dev/vda rw console=ttyS0 quiet" \
        -drive "file=$folder/disk.qcow2,if=virtio,cache=writeback" -device virtio-rng-pci \
        -netdev "user,id=net,hostfwd=tcp:127.0.0.1:$3-:22,hostfwd=tcp:127.0.0.1:$4-:80,hostfwd=tcp:127.0.0.1:$5-:9100" \
        -device virtio-net-pci,netdev=net \
        -display none -monitor none -serial "file:$folder/console.log" -pidfile "$folder/pid" -daemonize
    ;;
cut)
    cut_power
    ;;
remove)
    cut_power
    rm -rf "$folder"
    ;;
*)
    echo "machine.sh: unknown command '$2'" >&2
    exit 2
    ;;
esac
