#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What single parts of the programs cost: nanoseconds and instructions an operation.

micro.py [--no-instructions] [--list] [NAME...]

Builds nothing: BUILD is the directory of the programs (build/gcc), made by "make net-tools"."""
import os
import subprocess
import sys

import callgrind

COUNTED_ROUNDS = "5"
TOGGLE = "stopwatch_call"


def parse(line):
    """A line of the program: name, least and middle nanoseconds, operations, and what it is."""
    name, least, middle, operations, about = line.split(None, 4)
    return name, float(least), float(middle), int(operations), about.strip()


def measured(program, names):
    done = subprocess.run([program, *names], check=False, text=True, stdout=subprocess.PIPE)
    if done.returncode not in (0, 1):
        sys.exit(done.returncode)
    return [parse(line) for line in done.stdout.splitlines()[1:]], done.returncode


def instructions(program, name):
    count, output = callgrind.run(program, "--rounds", COUNTED_ROUNDS, name, toggle=TOGGLE)
    return count / parse(output.splitlines()[1])[3]


def main():
    words = sys.argv[1:]
    program = os.path.join(os.environ.get("BUILD", "build/gcc"), "tests/bench/micro/micro")
    if not os.access(program, os.X_OK):
        sys.exit(f"{program} is not built: make net-tools")
    if "--list" in words:
        return subprocess.run([program, "--list"], check=False).returncode
    counts = callgrind.is_there() and "--no-instructions" not in words
    rows, status = measured(program, [w for w in words if w != "--no-instructions"])
    print(f"{'an operation':<16}{'min ns':>10}{'median ns':>11}{'instructions':>14}")
    for name, least, middle, _, about in rows:
        count = f"{instructions(program, name):.0f}" if counts else "-"
        print(f"{name:<16}{least:>10.1f}{middle:>11.1f}{count:>14}  {about}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
