#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Dependencies between the rooms point one way: common/ knows neither program, the programs do not
# know each other, a core includes no system or library header that acts. Run by make check; the
# lists of files are those of Makefile.am.
set -u
cd "${srcdir:-$(dirname "$0")/../..}" || exit 99

count=0
status=0
# nothing NAME: ok if standard input is empty
nothing() {
  local found
  found=$(cat)
  count=$((count + 1))
  if [ -z "$found" ]; then
    echo "ok $count - $1"
  else
    status=1
    echo "not ok $count - $1"
    sed 's/^/# /' <<<"$found"
  fi
}

# sources_of VARIABLE: the files of a list in Makefile.am
sources_of() {
  awk -v name="$1" '
    $1 == name && $2 == "=" { inside = 1; $1 = $2 = "" }
    inside { more = sub(/\\$/, ""); for (i = 1; i <= NF; i++) if ($i != "") print $i }
    inside && !more { inside = 0 }' Makefile.am
}

# includes PATTERN FILE...: lines that include what matches
includes() {
  local pattern=$1
  shift
  grep -nHE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($pattern)" "$@" 2>/dev/null
}

core=$(sources_of common_libcore_a_SOURCES; sources_of tcpcopy_libcore_a_SOURCES
  sources_of intercept_libcore_a_SOURCES)
# Allowed: sys/uio.h, as a payload is a list of struct iovec, and arpa/inet.h for byte order.
acting='pcap|event2|dnet|dumbnet|cap-ng|sys/[^u]|sys/u[^i]|net/|netinet|netpacket|linux/|netdb'
acting=$acting'|unistd|fcntl|time\.h|poll|signal|pthread'
shells='[a-z]+/(main|check|clock|options|worker|report|diagnosis|online_filter|online_capture|link_socket)[_.]'
shells=$shells'|common/(capture|clock|sender|netdev|daemon|findings|log|parse_arg|stats)[_.]'

echo "1..9"
nothing 'Makefile.am lists the cores' \
  < <([ "$(wc -w <<<"$core")" -gt 30 ] || echo "only $(wc -w <<<"$core") files were found")
nothing 'common/ includes neither program' < <(includes 'tcpcopy/|intercept/' common/*.[ch])
nothing 'tcpcopy/ does not include intercept/' < <(includes 'intercept/' tcpcopy/*.[ch])
nothing 'intercept/ does not include tcpcopy/' < <(includes 'tcpcopy/' intercept/*.[ch])
# shellcheck disable=SC2086
nothing 'the cores include no system or library header that acts' < <(includes "$acting" $core)
# shellcheck disable=SC2086
nothing 'the cores include no header of a shell' < <(includes "$shells" $core)
nothing 'every source file is in Makefile.am' < <(
  for f in common/*.[ch] tcpcopy/*.[ch] intercept/*.[ch] tests/*/*.[ch]; do
    case $f in
      tests/*/*.c) f=${f%.c} ;; # a program
    esac
    grep -qE "(^|[[:space:]])$f(\.c)?([[:space:]]|\$)" Makefile.am || echo "$f"
  done
)

# The check itself must be able to fail.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
printf '#include <stdint.h>\n#  include <sys/socket.h>\n#include "tcpcopy/replay.h"\n' >"$dir/t.c"
missed() { [ "$(includes "$1" "$dir/t.c" | wc -l)" -eq 1 ] || echo "$1 was not found"; }
nothing 'a header that acts would be found' < <(missed "$acting")
nothing 'a header of another room would be found' < <(missed 'tcpcopy/|intercept/')
exit $status
