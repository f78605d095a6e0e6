#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Uploads of 100 kB, and of 40 MB as fast as one connection takes them, into files: both servers must end up with
# the same files, byte by byte.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy
capture_resets
run_load --connections 10 --requests 1000 --rate 200 --method PUT --path /put/%s --body 100000
load_is_ok "the online server takes all"
run_load --connections 1 --requests 2 --method PUT --path /put/%s --body 40000000 --id-prefix burst
load_is_ok "and bursts of 40 MB"
wait_delivered 30
same_ids "every id exactly once at the target, in order, of the same length"
sums() { (cd "$net_dir/$1/files/put" && sha256sum -- * | sort -k2); }
sums online >"$net_dir/sums.online"
sums target >"$net_dir/sums.target"
equal "so many files were uploaded online" 1002 "$(wc -l <"$net_dir/sums.online")"
check "the files of the target are those of the online server" \
  "$(sha256sum <"$net_dir/sums.target" | cut -c1-16)" \
  diff "$net_dir/sums.online" "$net_dir/sums.target"
no_packets "no RST of a faked client at the target" resets
net_done
