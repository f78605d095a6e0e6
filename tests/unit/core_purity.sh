#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The cores decide, the shells act: an object of a core may call its own functions and a short list
# of the C library's (memory, strings, assert), never the clock, a socket, a file or a library. Run
# by make check in the build directory; the archives are those that the programs link.
set -u
NM=${NM:-nm}
CC=${CC:-cc}

# The whole list. An entry is an extended regular expression for a whole symbol.
allowed=(
  'malloc|calloc|realloc|reallocarray|free|aligned_alloc|posix_memalign'
  'mem(cpy|move|set|cmp|chr|mem|pcpy|rchr)|explicit_bzero|bcmp'
  'str(len|nlen|cmp|ncmp|chr|rchr|str|cpy|ncpy|spn|cspn)|stpcpy'
  '(snprintf|vsnprintf)'
  '__(snprintf|vsnprintf|memcpy|memmove|memset|strcpy|strncpy|stpcpy)_chk'
  '__assert_fail|__errno_location|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_'
  '__(asan|ubsan|sanitizer|gcov|llvm_gcov|llvm_profile)_.*|_*lsan_.*'
)

# foreign_symbols OBJECT-OR-ARCHIVE...: what they call that is neither theirs nor on the list
foreign_symbols() {
  local pattern
  pattern=$(IFS='|'; echo "${allowed[*]}")
  comm -23 \
    <("$NM" -u "$@" | awk 'NF == 2 && ($1 == "U" || $1 == "w") { print $2 }' | sort -u) \
    <("$NM" --defined-only "$@" | awk 'NF == 3 && $2 ~ /^[A-Zuvw]$/ { print $3 }' | sort -u) |
    grep -Evx "$pattern"
}

count=0
status=0
result() {
  count=$((count + 1))
  [ "$1" = ok ] || status=1
  echo "$1 $count - $2"
}

archives=(common/libcore.a tcpcopy/libcore.a intercept/libcore.a)
echo "1..7"
for a in "${archives[@]}"; do
  if [ ! -s "$a" ] || [ "$(ar t "$a" | grep -c '\.o$')" -eq 0 ]; then
    result 'not ok' "$a has objects"
    continue
  fi
  # The cores of the programs stand on that of common, and on nothing else.
  case $a in
    common/*) libraries=("$a") ;;
    *) libraries=(common/libcore.a "$a") ;;
  esac
  found=$(foreign_symbols "${libraries[@]}")
  if [ -z "$found" ]; then
    result ok "the core in $a calls only itself, memory and strings"
  else
    result 'not ok' "the core in $a calls only itself, memory and strings"
    for symbol in $found; do
      echo "# $symbol, in: $("$NM" -A -u "$a" 2>/dev/null |
        awk -v s="$symbol" '$NF == s { print $1 }' | tr '\n' ' ')"
    done
  fi
done

# The check itself must be able to fail, and must not cry wolf.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
expect() {
  local name=$1 wanted=$2 code=$3 found
  printf '%s\n' "$code" >"$dir/t.c"
  # shellcheck disable=SC2086
  $CC -c -o "$dir/t.o" "$dir/t.c" || { result 'not ok' "$name: does not compile"; return; }
  found=$(foreign_symbols "$dir/t.o" | tr '\n' ' ')
  if [ "$found" = "$wanted" ]; then result ok "$name"; else result 'not ok' "$name: saw '$found'"; fi
}
expect 'a call of time() is found' 'time ' \
  '#include <time.h>
long f(void) { return (long)time(0); }'
expect 'a call of socket() is found' 'socket ' \
  '#include <sys/socket.h>
int f(void) { return socket(1, 1, 0); }'
expect 'a global of another module is found' 'elsewhere ' \
  'extern int elsewhere; int f(void) { return elsewhere; }'
expect 'malloc, memcpy and assert pass' '' \
  '#include <assert.h>
#include <stdlib.h>
#include <string.h>
void *f(const char *s, size_t n) { char *p = malloc(n); assert(p); return memcpy(p, s, n); }'
exit $status
