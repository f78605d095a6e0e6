# SPDX-License-Identifier: BSD-2-Clause
"""What the clients of redis and of memcached share: connection, threads, how a scenario ends."""
import socket
import sys
import threading

_address = None


class Client:
    """A connection to the server that the command line names; a silence of a minute is an error."""

    def __init__(self):
        self.socket = socket.create_connection(_address, timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb", buffering=1 << 16)

    def line(self):
        """Without its end."""
        line = self.reader.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the server has closed")
        return line.rstrip(b"\r\n").decode()

    def take(self, count):
        data = self.reader.read(count)
        if len(data) != count:
            raise ConnectionError("the server has closed")
        return data

    def close(self):
        self.reader.close()
        self.socket.close()


def at_once(function, count):
    """function(0) .. function(count - 1), each in its own thread; raises the first failure."""
    failures = []

    def run(number):
        try:
            function(number)
        except Exception as failure:  # whatever it was, the test has failed
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def main(scenarios):
    """HOST:PORT SCENARIO [ARGUMENT...]: runs one and prints what it returns. The exit status."""
    global _address
    host, _, port = sys.argv[1].rpartition(":")
    _address = (host.strip("[]"), int(port))
    scenario = {s.__name__: s for s in scenarios}[sys.argv[2]]
    try:
        print(scenario(*(int(a) if a.isdigit() else a for a in sys.argv[3:])))
    except Exception as failure:
        print(f"{sys.argv[2]}: {failure!r}")
        return 1
    return 0
