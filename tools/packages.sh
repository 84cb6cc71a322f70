#!/usr/bin/env bash
# Install the system packages that are missing: `packages.sh PURPOSE…`, each of python, lint, servers, browser, emulator.
# Does nothing, and asks for no rights, where all are there.
set -euo pipefail

missing=()

# need COMMAND PACKAGE: the package brings the command.
need() {
    command -v "$1" >/dev/null || missing+=("$2")
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

for purpose in "$@"; do
    case $purpose in
    python)
        need "${PYTHON:-python3}" python3
        # Debian keeps the part of venv that brings pip in a package of its own.
        "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
        ;;
    lint)
        need shellcheck shellcheck
        need git git
        ;;
    servers)
        need podman podman
        need mmdebstrap mmdebstrap
        need ssh openssh-client
        # Under version 1 of cgroups crun, Podman's first choice, refuses to work.
        [ "$(stat --file-system --format=%T /sys/fs/cgroup)" = cgroup2fs ] || need runc runc
        [ ! -d /run/systemd/system ] || [ -S /run/dbus/system_bus_socket ] || need dbus-daemon dbus
        # For a server's root disk, which is made of Debian's archive wherever this runs.
        [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
        ;;
    browser)
        need chromium chromium
        # Makes the store in which Chromium finds the authorities that it trusts.
        need certutil libnss3-tools
        ;;
    emulator)
        need qemu-system-x86_64 qemu-system-x86
        need qemu-img qemu-utils
        # Makes a disk of a folder.
        need mke2fs e2fsprogs
        ;;
    *)
        echo "packages.sh: unknown purpose '$purpose'" >&2
        exit 2
        ;;
    esac
done

if [ ${#missing[@]} -gt 0 ]; then
    by_hand="install these with your package manager and try again: ${missing[*]}"
    if ! command -v apt-get >/dev/null; then
        echo "packages.sh: no apt-get here: $by_hand" >&2
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        echo "packages.sh: neither root nor sudo: $by_hand" >&2
        exit 1
    fi
    echo "==> Installing packages: ${missing[*]}"
    as_root apt-get update -qq
    if ! as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq -o DPkg::Lock::Timeout=120 "${missing[@]}" >/dev/null; then
        echo "packages.sh: apt-get failed: $by_hand" >&2
        exit 1
    fi
fi

# Where systemd manages the cgroups, Podman asks it over D-Bus. A minimal installation lacks that, and Debian starts it
# at boot only, not when Podman brings it along.
if [[ " $* " == *" servers "* && -d /run/systemd/system && ! -S /run/dbus/system_bus_socket ]]; then
    as_root systemctl start dbus.socket
fi
