#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The target has no route to the faked clients: the log says what to do within 5 s of the first 16
# connections, and the copy starts by itself when the route is there.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/breaker.inc"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
no_route_back
start_intercept
start_tcpcopy
breaker_opens 'ip route add 10\.91\.0\.[0-9/]+ via 10\.90\.0\.40'
route_back
breaker_closes
net_done
