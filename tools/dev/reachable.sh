# shellcheck shell=bash
# Postgres refuses to run as root, so under root Bough's daemons run as the user postgres. That user must be able to reach the
# programs and the data directory, which it cannot when the working tree lies in root's home or another private folder. Then the
# two folders are made elsewhere and linked to from here. Sourced by ./dev; needs $root and fail().

# reachable_by_postgres DIRECTORY
reachable_by_postgres() {
    setpriv --reuid=postgres --regid=postgres --clear-groups test -x "$1"
}

# link_elsewhere LINK PLACE: makes the directory PLACE and the link to it.
link_elsewhere() {
    mkdir -p "$2"
    ln -s "$2" "$1"
    say "$1 is a link to $2: the user postgres, as whom Bough's processes run, cannot reach $(dirname "$1")"
}

# A name for this folder in a shared place.
place_name() { printf '%s' "$1" | sha256sum | cut -c 1-12; }

# Before anything is built.
place_build() {
    [ "$(id -u)" = 0 ] || return 0
    [ -L "$root/build" ] && mkdir -p "$(readlink "$root/build")"
    [ -e "$root/build" ] || reachable_by_postgres "$root" ||
        link_elsewhere "$root/build" "/var/cache/bough/build-$(place_name "$root")"
}

# Before the default data directory of the present folder is made. Prints the directory where it is not to be found by that name.
place_data() {
    [ "$(id -u)" = 0 ] || return 0
    if ! [ -e bough-data ] && ! reachable_by_postgres "$PWD"; then
        link_elsewhere "$PWD/bough-data" "/var/lib/bough/data-$(place_name "$PWD")"
        chmod 700 bough-data/.
    fi
    [ ! -L bough-data ] || realpath bough-data
}
