# SPDX-License-Identifier: BSD-2-Clause
"""Counts instructions in user space by callgrind: the same number on every machine and in every run,
as far as the program does the same."""
import re
import shutil
import subprocess
import sys

COLLECTED = re.compile(r"Collected : (\d+)")


def is_there():
    return shutil.which("valgrind") is not None


def command(program, toggle=None):
    """What to put before a program's arguments. toggle: only what is inside of this function counts."""
    return (["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"] +
            ([f"--toggle-collect={toggle}"] if toggle else []) + [program])


def collected(log):
    """The sum of what valgrind says at the end of each process in this text."""
    counts = COLLECTED.findall(log)
    if not counts:
        raise ValueError("callgrind said no count: " + log[-300:])
    return sum(map(int, counts))


def run(program, *arguments, toggle=None):
    """Runs it and returns how many instructions counted, and its output."""
    done = subprocess.run(command(program, toggle) + list(arguments), check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"{program} {' '.join(arguments)} under callgrind: status {done.returncode}\n"
                 f"{done.stdout}{done.stderr}")
    return collected(done.stderr), done.stdout


def of_an_operation(shorter, longer, operations):
    """Of two runs, one of which did so many operations more. What both do, as starting and ending, cancels."""
    if operations <= 0:
        raise ValueError("the longer run must do more")
    return (longer - shorter) / operations
