#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs a command on a terminal of its own, as a person at a shell would.

usage: terminal.py PID_FILE OUTPUT COMMAND...

The command's process id is written to PID_FILE, what it prints to OUTPUT. Signals play the person: USR2 holds
the terminal (Ctrl-S), USR1 closes it. Ends with the command's exit status.
"""
import os
import pty
import select
import signal
import sys

HOLD = b"\x13"


def main():
    pid_file, output, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    wishes = []
    # The pipe wakes select() up, whenever the signal comes.
    wake_in, wake_out = os.pipe()
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda n, _: (wishes.append(n), os.write(wake_out, b"."))[0])
    pid, terminal = pty.fork()
    if pid == 0:
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)
    with open(pid_file, "w", encoding="ascii") as f:
        print(pid, file=f)
    with open(output, "ab", buffering=0) as printed:
        while terminal is not None:
            ready, _, _ = select.select([terminal, wake_in], [], [])
            if wake_in in ready:
                os.read(wake_in, 1)
                if wishes.pop(0) == signal.SIGUSR2:
                    os.write(terminal, HOLD)
                    continue
                os.close(terminal)
                terminal = None
                continue
            try:
                printed.write(os.read(terminal, 65536))
            except OSError:  # the command has ended, and its side is closed
                break
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


main()
