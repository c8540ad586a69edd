#!/bin/sh
# Runs every fuzz target for FUZZTIME (default 30s) and prints the executions of
# each and of all. "fuzz.sh PATTERN" runs those whose name contains PATTERN.
set -eu
GO=${GO:-go} FUZZTIME=${FUZZTIME:-30s} pattern=${1:-}
all=0 targets=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for line in $(grep -rn --include='*_test.go' --exclude-dir=node_modules -oE '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's/^([^:]+):[0-9]+:func (.*)$/\1:\2/' | sort); do
	dir=$(dirname "${line%%:*}") name=${line##*:}
	case $name in *"$pattern"*) ;; *) continue ;; esac
	# Targets of another module (its own go.mod) run there.
	mod=$dir
	while [ ! -f "$mod/go.mod" ]; do mod=$(dirname "$mod"); done
	# Inputs are made shorter by a few tries only: by default go test may spend a
	# minute on that for each, and tries nothing new meanwhile.
	if ! (cd "$mod" && $GO test -run '^$' -fuzz "^$name\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 20x "./$(realpath --relative-to=. "$OLDPWD/$dir")") >"$out" 2>&1; then
		# At the end of its time go test also fails where an input was just being
		# tried, with these words and without an input.
		if ! grep -q '^ *context deadline exceeded$' "$out" || grep -q 'Failing input written' "$out"; then
			cat "$out"
			echo "fuzz: $dir $name failed" >&2
			exit 1
		fi
	fi
	execs=$(grep -oE 'execs: [0-9]+' "$out" | tail -1 | grep -oE '[0-9]+' || echo 0)
	if [ "$execs" -lt 50 ]; then # an input that does not come to its end is told in no other way
		cat "$out"
		echo "fuzz: $dir $name was tried $execs times only" >&2
		exit 1
	fi
	all=$((all + execs)) targets=$((targets + 1))
	printf '%12d  %s %s\n' "$execs" "$dir" "$name"
done
printf '%12d  executions of %d targets\n' "$all" "$targets"
