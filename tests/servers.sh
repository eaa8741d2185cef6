#!/usr/bin/env bash
# Finds the servers that the tests run against, and installs those that are missing: as Debian packages (as root), or in the case of
# MongoDB, which Debian lacks, as a mongod from PyPI, in FOLDER. The tests call this script themselves. Programs that are present are
# used as they are.
#
#   tests/servers.sh FOLDER [redis | memcached | mongod]…
#
# Prints NAME=PATH for each program, one per line. If a server can't be had, prints one sentence that says what to do, and exits with
# code 1. Several runs at once are safe.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?the folder to install into, such as target/servers}"
folder=$(cd "$1" && pwd)
shift
(($#)) || set -- redis memcached mongod

fail() {
    echo "$*" >&2
    exit 1
}

# waits for other runs that install into the folder, and keeps others waiting until this script ends
lock() {
    exec 9>"$folder/lock"
    flock 9
}

# The packages start their services when installed, unless the machine has a policy against that. If it has none,
# this sets one meanwhile.
install_packages() (
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    apt-get update -qq >&2 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            -o DPkg::Lock::Timeout=300 "$@" >&2
)

# programs PACKAGE PROGRAM…: finds each program on the PATH, and installs the Debian package if one is missing
programs() {
    local package=$1 program missing=
    shift
    for program in "$@"; do
        type -P "$program" >/dev/null || missing=$program
    done
    if [[ $missing ]]; then
        lock
        if ((EUID != 0)) || ! command -v apt-get >/dev/null || ! install_packages "$package"; then
            fail "The tests need $missing on the PATH: as root on Debian or Ubuntu, run \`apt-get install $package\`."
        fi
        # the service must not start with the machine
        if [[ -d /run/systemd/system ]]; then
            systemctl disable --now "$package" >&2 ||
                echo "The service that came with $package is left running: \`systemctl disable --now $package\` ends it." >&2
        fi
    fi
    for program in "$@"; do
        type -P "$program" >/dev/null || fail "The tests need $program, which the package $package did not bring."
        echo "$program=$(type -P "$program")"
    done
}

# the one on the PATH, or the one from the wheel
find_mongod() {
    local on_path tree=$folder/mongod
    if on_path=$(type -P mongod); then
        echo "mongod=$on_path"
        return
    fi
    local program=$tree/fiftyone/db/bin/mongod help
    help="install MongoDB 6 or later (https://www.mongodb.com/docs/manual/installation/) so that \`mongod\` is on the PATH"
    # written last, so that an incomplete installation does not count
    if [[ ! -e $tree/complete ]]; then
        lock
    fi
    if [[ ! -e $tree/complete ]]; then
        [[ $(uname -sm) == "Linux x86_64" ]] || fail "The tests need mongod: $help."
        if ! python3 -m pip --version >/dev/null 2>&1; then
            if ((EUID != 0)) || ! command -v apt-get >/dev/null || ! install_packages python3-pip; then
                fail "The tests need mongod: $help, or install pip for python3, which can fetch one."
            fi
        fi
        rm -rf "$tree"
        # installs into a folder of its own, so a distribution's rule against installing beside its packages does not apply
        PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
            python3 -m pip install --quiet --no-deps --only-binary :all: --require-hashes --target "$tree" -r "$here/mongod.txt" >&2 ||
            fail "The tests need mongod, and pip could not fetch one (see above): $help."
        chmod +x "$program"
        if ! "$program" --version >/dev/null 2>&1; then
            # the only libraries it needs that not every Debian has
            if ((EUID != 0)) || ! install_packages libcurl4 libssl3 liblzma5 || ! "$program" --version >&2; then
                fail "The mongod that pip fetched does not run here: $help."
            fi
        fi
        touch "$tree/complete"
    fi
    echo "mongod=$program"
}

for server in "$@"; do
    case $server in
    redis)
        programs redis-server redis-server redis-cli
        # certificates for TLS
        programs openssl openssl
        ;;
    memcached) programs memcached memcached ;;
    mongod) find_mongod ;;
    *) fail "$0 knows redis, memcached and mongod, and no $server." ;;
    esac
done
