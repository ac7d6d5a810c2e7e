# shellcheck shell=bash
# Installs the Debian packages that a task needs, and only those that are missing. Sourced by ./dev; needs $root and fail().

# missing_packages LIST...: the packages of tools/packages/LIST that are not installed, one per line.
missing_packages() {
    local list wanted
    wanted=$(for list in "$@"; do sed 's/#.*//' "$root/tools/packages/$list"; done | awk 'NF' | sort -u)
    # shellcheck disable=SC2086  # package names are words
    { dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null || true; } | sed -n 's/^installed //p' | sort -u |
        comm -13 - <(printf '%s\n' "$wanted")
}

# as_root COMMAND...: runs it as root, through sudo where need be.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -- "$@"; fi
}

# install_packages LIST...
install_packages() {
    command -v apt-get >/dev/null || fail "this needs Debian 12: there is no apt-get here"
    local missing
    missing=$(missing_packages "$@" | xargs)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        fail "packages are missing, and there is no sudo to install them" \
            "run as root: apt-get install --no-install-recommends $missing"
    fi
    say "installing $missing"
    if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null && ! [ -t 0 ]; then
        fail "packages are missing, and sudo wants a password that nobody is here to type" \
            "run as root: apt-get install --no-install-recommends $missing"
    fi

    # Debian's postgresql-15 makes and starts a cluster of its own when it is first installed. Bough has no use for it, so it is
    # told not to, by a drop-in that is taken away again.
    local drop_in=/etc/postgresql-common/createcluster.d/bough.conf
    case " $missing " in
    *" postgresql-15 "*)
        as_root mkdir -p "${drop_in%/*}"
        echo 'create_main_cluster = false' | as_root tee "$drop_in" >/dev/null
        ;;
    esac
    local status=0
    # shellcheck disable=SC2086
    { as_root apt-get -q update && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y install --no-install-recommends $missing; } </dev/null >&2 || status=$?
    as_root rm -f "$drop_in"
    as_root rmdir --ignore-fail-on-non-empty "${drop_in%/*}" 2>/dev/null || true
    [ $status = 0 ] || fail "the packages could not be installed" "see apt-get's messages above"
}
