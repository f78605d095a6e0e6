#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# docs/statistics.md names every key of the JSON statistics of both programs. Run by make check.
src=${srcdir:-$(dirname "$0")/../..}
status=0
count=0
for program in tcpcopy intercept; do
  count=$((count + 1))
  keys=$(sed -n 's/.*stats_json_[a-z0-9]*([a-z]*, "\([a-z0-9_]*\)".*/\1/p' "$src/$program"/*.c | sort -u)
  missing=$(for key in $keys; do grep -q "\`$key\`" "$src/docs/statistics.md" || echo "$key"; done)
  if [ "$(wc -l <<<"$keys")" -gt 20 ] && [ -z "$missing" ]; then
    echo "ok $count - each key of $program is explained"
  else
    echo "not ok $count - each key of $program is explained"
    status=1
    printf '# %s\n' $missing
  fi
done
echo "1..$count"
exit $status
