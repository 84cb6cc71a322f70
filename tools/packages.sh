#!/usr/bin/env bash
# Install the system packages that are missing: `packages.sh PURPOSE…`, each of python, lint, servers.
# Does nothing, and asks for no rights, where all are there.
set -euo pipefail

missing=()

# need COMMAND PACKAGE: the package brings the command.
need() {
    command -v "$1" >/dev/null || missing+=("$2")
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
        # Where systemd manages the cgroups, Podman asks it over D-Bus, which a minimal installation lacks.
        [ ! -d /run/systemd/system ] || [ -S /run/dbus/system_bus_socket ] || missing+=(dbus)
        # For a server's root disk, which is made of Debian's archive wherever this runs.
        [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
        ;;
    *)
        echo "packages.sh: unknown purpose '$purpose'" >&2
        exit 2
        ;;
    esac
done

[ ${#missing[@]} -gt 0 ] || exit 0

by_hand="install these with your package manager and try again: ${missing[*]}"
if ! command -v apt-get >/dev/null; then
    echo "packages.sh: no apt-get here: $by_hand" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "packages.sh: neither root nor sudo: $by_hand" >&2
        exit 1
    fi
    as_root=(sudo)
fi

echo "==> Installing packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
if ! "${as_root[@]}" apt-get install -y -qq -o DPkg::Lock::Timeout=120 "${missing[@]}" >/dev/null; then
    echo "packages.sh: apt-get failed: $by_hand" >&2
    exit 1
fi
