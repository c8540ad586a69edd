#!/bin/sh
# Installs what the tests need where it is missing, by Debian's package names.
# What cannot be installed is named in one line and ends the run.
set -u

missing=""
want() { missing="$missing $1"; }

command -v gcc >/dev/null 2>&1 || want gcc
[ -e /usr/include/stdlib.h ] || want libc6-dev
command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || want chromium
command -v fc-list >/dev/null 2>&1 || want fontconfig
{ command -v fc-list >/dev/null 2>&1 && fc-list :lang=zh | grep -q .; } || want fonts-noto-cjk
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || want postgresql

command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || want nginx-light
command -v systemd-analyze >/dev/null 2>&1 || want systemd

# DuckDB reads exported Parquet files; it is a package of npm, with a lock file.
duckdb=internal/telemetry/parquetexport/testdata/duckdb
# A file that is not there is not older to every shell, so that is asked for first.
if command -v npm >/dev/null 2>&1 && { [ ! -e "$duckdb/node_modules/.package-lock.json" ] || [ "$duckdb/package-lock.json" -nt "$duckdb/node_modules/.package-lock.json" ]; }; then
	if (cd "$duckdb" && npm ci --no-audit --no-fund --loglevel=error); then
		touch "$duckdb/node_modules/.package-lock.json"
	else
		echo "plateau: DuckDB could not be installed (npm ci in $duckdb); its test is left out, and fails where CI=true" >&2
	fi
fi

[ -z "$missing" ] && exit 0

sudo=""
if [ "$(id -u)" -ne 0 ]; then
	if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo="sudo -n"; else
		echo "plateau: the tests need$missing; install with: sudo apt-get install$missing" >&2
		exit 1
	fi
fi
if ! command -v apt-get >/dev/null 2>&1; then
	echo "plateau: the tests need$missing, and this machine has no apt-get to install them with" >&2
	exit 1
fi
echo "plateau: installing$missing"
log=$(mktemp)
# shellcheck disable=SC2086 # the list is words
if ! { $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 3 "$log" >&2
	echo "plateau: could not install$missing (the lines above say why); install them by hand and run make test again" >&2
	exit 1
fi
rm -f "$log"
