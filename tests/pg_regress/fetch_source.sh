#!/bin/sh
# Fetches Debian's source of postgresql-15 (Postgres's regression suite lives there), builds regress.so, and prints where they are.
# Usage: fetch_source.sh [DIRECTORY]     default: build/pg_source
#
# The machine's own apt configuration stays as it is: a source list, package lists and cache of our own are used for this call
# alone. apt checks the archive's signature and the sums, as always.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
version=${BOUGH_PG_SOURCE_VERSION:-15.18-0+deb12u1}
mirror=${BOUGH_DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
pg_config=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}
destination=${1:-$root/build/pg_source}

mkdir -p "$destination"
destination=$(cd "$destination" && pwd)
source_dir=$destination/postgresql-15
if [ ! -f "$destination/fetched-$version" ]; then
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial" "$scratch/download"
    chmod 755 "$scratch"
    echo "deb-src [signed-by=$keyring] $mirror bookworm main" > "$scratch/sources.list"
    apt() {  # the private configuration above, messages to standard error
        apt-get -q -o Dir::Etc::sourcelist="$scratch/sources.list" -o Dir::Etc::sourceparts=/dev/null \
            -o Dir::State::lists="$scratch/lists" -o Dir::Cache="$scratch/cache" -o APT::Sandbox::User= "$@" >&2
    }
    apt update
    (cd "$scratch/download" && apt source --download-only "postgresql-15=$version")
    rm -rf "$source_dir" "$source_dir.new"
    dpkg-source --no-check -x "$scratch"/download/postgresql-15_*.dsc "$source_dir.new" >&2
    mv "$source_dir.new" "$source_dir"
    touch "$destination/fetched-$version"
fi

modules=$destination/modules
if [ ! -f "$modules/regress.so" ]; then
    mkdir -p "$modules"
    cc -O2 -fPIC -shared -I"$("$pg_config" --includedir-server)" "$source_dir/src/test/regress/regress.c" -o "$modules/regress.so.new"
    cp "$("$pg_config" --pkglibdir)/autoinc.so" "$("$pg_config" --pkglibdir)/refint.so" "$modules/"
    mv "$modules/regress.so.new" "$modules/regress.so"
fi
# Servers that run as an unprivileged user read these.
chmod -R a+rX "$destination"
echo "$destination"
