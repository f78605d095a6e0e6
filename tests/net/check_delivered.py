#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Reads the ledger in tcpcopy's JSON statistics: all that was captured must have been delivered.

usage: check_delivered.py STATS_JSON [CAUSE[?]...]

With causes (names of the ledger) what was dropped for one of these is no failure, but each of them must have
dropped something, unless it ends with a question mark. Prints one line that says what was wrong, or the sums. Exit 0 or 1.
"""
import json
import sys


def faults(stats, causes, required):
    if not stats["packets_add_up"] or not stats["stream_adds_up"]:
        yield "the sums do not add up"
    packets = stats["packets"]
    for fate in ("corrupt", "malformed", "fragment", "kernel_dropped"):
        if packets[fate]:
            yield f"{packets[fate]} packets {fate}"
    if stats["sender"]["failed"]:
        yield f"{stats['sender']['failed']} packets not sent"

    stream = stats["total"]["stream"]
    for unit in ("bytes", "requests"):
        dropped = {cause: sums[unit] for cause, sums in stream["dropped"].items() if sums[unit]}
        allowed = sum(dropped.pop(cause, 0) for cause in causes)
        for cause, lost in dropped.items():
            yield f"{lost} {unit} dropped as {cause}"
        if stream["in_flight"][unit]:
            yield f"{stream['in_flight'][unit]} {unit} in flight"
        if stream["captured"][unit] != stream["delivered"][unit] + allowed:
            yield f"{stream['captured'][unit]} {unit} captured"
    for cause in required:
        if not stream["dropped"][cause]["bytes"]:
            yield f"nothing was dropped as {cause}"
    if not stream["captured"]["requests"]:
        yield "nothing was captured"


def main():
    with open(sys.argv[1], encoding="ascii") as f:
        stats = json.load(f)
    causes = [cause.rstrip("?") for cause in sys.argv[2:]]
    required = [cause for cause in sys.argv[2:] if not cause.endswith("?")]
    found = list(faults(stats, causes, required))
    stream, traffic = stats["total"]["stream"], stats["total"]["traffic"]
    said = [f"{stream['delivered']['requests']} of {stream['captured']['requests']} requests and "
            f"{stream['delivered']['bytes']} of {stream['captured']['bytes']} bytes delivered"]
    said += [f"{stream['dropped'][cause]['requests']} requests dropped as {cause}" for cause in causes]
    said.append(f"gates opened by answer {traffic['gates_by_answer']}, by settling "
                f"{traffic['gates_by_settle']}, by close {traffic['gates_by_close']}")
    print("; ".join(found + said))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
