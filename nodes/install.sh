#!/bin/sh
# Makes a Debian or Ubuntu machine able to be a node: flightmesh in an environment of its own, a locked-down user, settings, units.
# May be run again (it upgrades). What people have written in /etc/flightmesh is never changed.
set -eu
umask 022

usage() {
    cat <<'USAGE'
install.sh [--source WHAT] [--prefix DIR] [--no-units]
install.sh --uninstall [--prefix DIR]

  --source WHAT   what to install: a checkout, a wheel, or what pip finds under a name (flightmesh, flightmesh==0.1.0).
                  Without it: the checkout that this script lies in, or flightmesh if it lies in none.
  --prefix DIR    where the environment lies [/opt/flightmesh]
  --no-units      no systemd units, for containers
  --uninstall     removes what was installed; /etc/flightmesh and /var/lib/flightmesh stay
USAGE
}

say() { printf '%s\n' "install.sh: $*"; }

fail() {
    printf '%s\n' "install.sh: $*" >&2
    exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
prefix=/opt/flightmesh
source=
units=yes
action=install
settings=/etc/flightmesh
state=/var/lib/flightmesh
cache=/var/cache/flightmesh
unit_folder=/etc/systemd/system
command=/usr/local/bin/flightmesh
user=flightmesh

while [ $# -gt 0 ]; do
    case $1 in
        --source | --prefix)
            if [ $# -lt 2 ] || [ -z "$2" ]; then fail "$1 needs a value"; fi
            if [ "$1" = --source ]; then source=$2; else prefix=$2; fi
            shift 2
            ;;
        --no-units) units=no && shift ;;
        --uninstall) action=uninstall && shift ;;
        -h | --help) usage && exit 0 ;;
        *) usage >&2 && fail "unknown: $1" ;;
    esac
done
case $prefix in
    /*[!/]*) ;;
    *) fail "--prefix has to be an absolute path, and not /: $prefix" ;;
esac

# Python 3.11 with its venv module; from Debian's packages where it is missing.
has_python() {
    python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

require_python() {
    has_python && return
    command -v apt-get >/dev/null || fail "this is no Debian or Ubuntu: install Python 3.11 or newer with venv, then try again"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -y -q --no-install-recommends python3 python3-venv
    has_python || fail "flightmesh needs Python 3.11 or newer; this is $(python3 --version)"
}

install_package() {
    if [ -z "$source" ]; then
        if [ -f "$here/../pyproject.toml" ]; then source=$(cd "$here/.." && pwd); else source=flightmesh; fi
    fi
    "$prefix/bin/python" -c 'import pip' >/dev/null 2>&1 || python3 -m venv --clear "$prefix"
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1
    "$prefix/bin/python" -m pip install -q --upgrade "$source"
    case $source in
        *.whl) "$prefix/bin/python" -m pip install -q --force-reinstall --no-deps "$source" ;; # of the same version, too
    esac
    mkdir -p "$(dirname "$command")"
    ln -sfn "$prefix/bin/flightmesh" "$command"
}

make_user() {
    getent passwd "$user" >/dev/null ||
        useradd --system --user-group --no-create-home --home-dir "$state" --shell /usr/sbin/nologin "$user"
    install -d -m 0700 -o "$user" -g "$user" "$state" "$cache"
}

place_settings() {
    install -d -m 0755 "$settings"
    for node in driver worker; do
        if [ -e "$settings/$node.yaml" ]; then
            say "kept $settings/$node.yaml"
        elif [ -f "$here/../configs/$node.yaml" ]; then
            install -m 0644 "$here/../configs/$node.yaml" "$settings/$node.yaml"
        else
            printf '# flightmesh %s --help and flightmesh config say what may stand here.\n' "$node" >"$settings/$node.yaml"
        fi
    done
}

has_systemd() { [ -d /run/systemd/system ]; }

place_units() {
    [ "$units" = yes ] || return 0
    if ! { has_systemd || command -v systemctl >/dev/null; } || [ ! -d "$here/systemd" ]; then
        say "no systemd here, no units"
        return 0
    fi
    install -d -m 0755 "$unit_folder"
    install -m 0644 "$here"/systemd/flightmesh-*.service "$unit_folder"
    if has_systemd; then systemctl daemon-reload; fi
}

uninstall() {
    for node in driver worker; do
        unit=flightmesh-$node.service
        if has_systemd && [ -e "$unit_folder/$unit" ]; then systemctl disable --now "$unit"; fi
        rm -f "$unit_folder/$unit"
    done
    if has_systemd; then systemctl daemon-reload; fi
    if [ "$(readlink "$command" || true)" = "$prefix/bin/flightmesh" ]; then rm -f "$command"; fi
    if [ -f "$prefix/pyvenv.cfg" ] && [ -x "$prefix/bin/flightmesh" ]; then
        rm -rf "$prefix"
    elif [ -e "$prefix" ]; then
        fail "$prefix holds no flightmesh: left as it is"
    fi
    rm -rf "$cache"
    if getent passwd "$user" >/dev/null; then userdel "$user"; fi
    say "removed; $settings and $state stay"
}

[ "$(id -u)" = 0 ] || fail "has to run as root: sudo $0"
if [ "$action" = uninstall ]; then
    uninstall
    exit 0
fi
require_python
install_package
make_user
place_settings
place_units
say "installed $("$command" --version) in $prefix"
