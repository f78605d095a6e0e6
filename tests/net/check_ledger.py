#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Adds up the JSON statistics of tcpcopy by itself, without believing its own verdict.

usage: check_ledger.py STATS_JSON REQUESTS_IN_THE_LOG_OF_THE_TARGET
"""
import json
import sys

FATES = ("used", "duplicate", "corrupt", "malformed", "fragment", "not_ours")


def say(good, name, seen):
    print(f"{'ok' if good else 'not ok'} {name}: {seen}")


def check_stream(name, stream):
    for unit in ("bytes", "requests"):
        dropped = sum(cause[unit] for cause in stream["dropped"].values())
        parts = (stream["delivered"][unit], stream["in_flight"][unit], dropped)
        captured = stream["captured"][unit]
        say(captured == sum(parts), f"{name}, {unit}: captured = delivered + in flight + dropped",
            f"{captured} = {' + '.join(map(str, parts))}")


def main():
    with open(sys.argv[1], encoding="ascii") as f:
        stats = json.load(f)
    logged = int(sys.argv[2])

    packets = stats["packets"]
    fates = [packets[fate] for fate in FATES]
    say(packets["captured"] == sum(fates) and packets["captured"] > 0,
        "packets: captured = " + " + ".join(FATES),
        f"{packets['captured']} = {' + '.join(map(str, fates))}")
    say(packets["kernel_dropped"] == 0, "the kernel dropped none", packets["kernel_dropped"])
    check_stream("all targets", stats["total"]["stream"])
    for target in stats["targets"]:
        check_stream(target["target"], target["stream"])
    say(stats["packets_add_up"] and stats["stream_adds_up"], "the program says so too",
        f"{stats['packets_add_up']}, {stats['stream_adds_up']}")

    stream = stats["total"]["stream"]
    say(stream["delivered"]["requests"] == logged,
        "delivered requests are those in the log of the target",
        f"{stream['delivered']['requests']}, logged {logged}")
    say(stream["in_flight"]["requests"] == 0, "nothing is in flight at the end",
        stream["in_flight"]["requests"])
    sessions = stats["total"]["sessions"]
    say(sessions["active"] == 0, "no session is left at the end", sessions["active"])


main()
