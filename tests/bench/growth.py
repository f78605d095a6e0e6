#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What an operation costs, and a session weighs, with few sessions and with a million.

growth.py cost [--most N] [--family 4|6] [--repeat N] [--instructions] [--rows FILE] [--svg FILE]
growth.py plot ROWS SVG                      the picture again, of rows that were kept
growth.py memory [SESSIONS]                  bytes a session in tcpcopy, a route in intercept
growth.py storm [OPTION...]                  50,000 connections a second, then 200,000 SYNs, beside a million sessions:
                                             what is held against what may be; fails if anything is lost or too much

Builds nothing: BUILD is the directory of the programs (build/gcc), made by "make net-tools"."""
import json
import os
import subprocess
import sys

import callgrind
import plot

SIZES = (1000, 10000, 100000, 1000000)
COUNTED_MOST = 100000  # sessions; beyond, callgrind takes long and says the same
COUNTED_STEPS = "100"
FLOODS = ("syn-flood", "hash-flood", "stray-flood")
FLOOD_STEPS = "8000"  # of 50 strangers each: far more than the caps let in
TOGGLE = "stopwatch_call"
MEMORY_SESSIONS = 100000

OPERATIONS = {
    "request": "tcpcopy: a kept-alive request of one of these sessions",
    "connection": "tcpcopy: a short connection beside them, to the end of its TIME-WAIT",
    "idle": "tcpcopy: an idle session, a second (mean; others: median)",
    "syn-flood": "tcpcopy: a SYN of a stranger, any port",
    "hash-flood": "tcpcopy: a SYN of a stranger, always the same port",
    "answer": "intercept: a captured answer of one of these sessions",
    "route": "intercept: one more is registered, and unregistered",
    "stray-flood": "intercept: a SYN-ACK of a session that nobody registered",
}


def bench_program(name):
    program = os.path.join(os.environ.get("BUILD", "build/gcc"), "tests/bench/micro", name)
    if not os.access(program, os.X_OK):
        sys.exit(f"{program} is not built: make net-tools")
    return program


def arguments(operation, sessions, family, *more):
    return [operation, "--sessions", str(sessions), "--family", str(family), *more]


def scale(*words):
    done = subprocess.run([bench_program("scale"), *words], check=False, text=True, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"scale {' '.join(words)}: status {done.returncode}")
    return json.loads(done.stdout)


def figure(row):
    """Most of what happens to idle sessions is nothing: a median would say so."""
    return row["ns_mean"] if row["operation"] == "idle" else row["ns_median"]


def middle(rows):
    """Of several runs of one operation at one size: the one whose figure is the middle one, and the least and largest."""
    rows = sorted(rows, key=figure)
    chosen = rows[(len(rows) - 1) // 2]
    return dict(chosen, ns=figure(chosen), ns_least=figure(rows[0]), ns_most=figure(rows[-1]))


def count_instructions(operation, sessions, family):
    count, output = callgrind.run(bench_program("scale"), *arguments(operation, sessions, family, "--steps",
                                                              COUNTED_STEPS), toggle=TOGGLE)
    return count / json.loads(output)["operations"]


def measure(operation, sessions, family, repeat, counts):
    more = ("--steps", FLOOD_STEPS) if operation in FLOODS else ()
    row = middle([scale(*arguments(operation, sessions, family, *more)) for _ in range(repeat)])
    if counts and sessions <= COUNTED_MOST and operation != "idle":
        row["instructions"] = count_instructions(operation, sessions, family)
    return row


# ---- what is shown ----------------------------------------------------------------------------

def cell(row):
    if row is None:
        return "-"
    counted = f" ({row['instructions']:.0f})" if "instructions" in row else ""
    return f"{row['ns']:.1f}{counted}" if row["ns"] < 100 else f"{row['ns']:.0f}{counted}"


def table(rows):
    sizes = sorted({row["sessions"] for row in rows})
    by_place = {(row["operation"], row["sessions"]): row for row in rows}
    yield f"{'ns (instructions)':<18}" + "".join(f"{size:>16,}" for size in sizes)
    for operation, about in OPERATIONS.items():
        cells = [by_place.get((operation, size)) for size in sizes]
        if any(cells):
            yield f"{operation:<18}" + "".join(f"{cell(row):>16}" for row in cells) + f"  {about}"
    yield ""
    for operation in FLOODS:
        last = by_place.get((operation, sizes[-1]))
        if last:
            yield (f"{operation}: {last['operations']:,} strangers beside {sizes[-1]:,} sessions hold "
                   f"{last['bytes_more'] / 1e6:.1f} MB")


def picture(rows):
    lines = {}
    for row in rows:
        if row["operation"] in OPERATIONS and row["ns"] > 0:
            lines.setdefault(row["operation"], []).append((row["sessions"], row["ns"]))
    return plot.svg(lines, "sessions", "nanoseconds an operation")


def write(path, words):
    with open(path, "w", encoding="ascii") as f:
        f.write(words)


# ---- commands ---------------------------------------------------------------------------------

def options_of(words, known):
    """--NAME VALUE pairs of those known, with their default values; a flag has False."""
    said = dict(known)
    words = list(words)
    while words:
        name = words.pop(0)
        if name not in said:
            sys.exit(__doc__)
        said[name] = True if known[name] is False else words.pop(0) if words else sys.exit(__doc__)
    return said


def cost(*words):
    said = options_of(words, {"--most": SIZES[-1], "--family": 4, "--repeat": 3, "--instructions": False,
                              "--rows": "", "--svg": ""})
    if said["--instructions"] and not callgrind.is_there():
        sys.exit("valgrind is not installed")
    rows = []
    for operation in OPERATIONS:
        for size in (s for s in SIZES if s <= int(said["--most"])):
            print(f"{operation}, {size:,} sessions ...", file=sys.stderr)
            rows.append(measure(operation, size, int(said["--family"]), int(said["--repeat"]),
                                said["--instructions"]))
    print("\n".join(table(rows)))
    if said["--rows"]:
        write(said["--rows"], "".join(json.dumps(row) + "\n" for row in rows))
    if said["--svg"]:
        write(said["--svg"], picture(rows))
    return 0


def plot_again(rows_path, svg_path):
    with open(rows_path, encoding="ascii") as f:
        write(svg_path, picture([json.loads(line) for line in f]))
    return 0


def memory(sessions=MEMORY_SESSIONS):
    print(f"anonymous memory at {int(sessions):,} idle sessions, each after a request and its answer:")
    for operation, what in (("idle", "tcpcopy, a session"), ("answer", "intercept, a route")):
        for family in (4, 6):
            row = scale(*arguments(operation, sessions, family, "--steps", "1"))
            print(f"  {what + f', IPv{family}':<26}{row['bytes_a_session']:>8.1f} bytes")
    return 0


def storm(*words):
    """Each way of its own; with options, as they say."""
    runs = [words] if words else [("--rate", "50000"), ("--flood", "200000")]
    return max([subprocess.run([bench_program("storm"), *run], check=False).returncode for run in runs])


def main():
    commands = {"cost": (cost, 0, 11), "plot": (plot_again, 2, 2), "memory": (memory, 0, 1),
                "storm": (storm, 0, 10)}
    command, least, most = commands.get(sys.argv[1] if len(sys.argv) > 1 else "", (None, 0, 0))
    if not command or not least <= len(sys.argv) - 2 <= most:
        sys.exit(__doc__)
    return command(*sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
