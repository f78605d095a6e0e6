#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A client of MariaDB that uses prepared statements of the binary protocol, as the command line client cannot.

usage: my_prepared.py HOST PORT DATABASE TABLE ROWS

The TABLE (id int, name varchar, photo longblob) gets so many rows. Every one is inserted, its photo sent ahead by
COM_STMT_SEND_LONG_DATA, and read again. The statements are closed and prepared anew every 50 rows. The server answers
neither long data nor a close. Account tester, no password. Exit 0, or 1 with what went wrong.
"""
import socket
import struct
import sys

LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41 = 0x1, 0x8, 0x200
TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH = 0x2000, 0x8000, 0x80000
QUIT, PREPARE, EXECUTE, SEND_LONG_DATA, CLOSE = 0x01, 0x16, 0x17, 0x18, 0x19
TYPE_LONG, TYPE_BLOB, TYPE_STRING = 3, 252, 254
UTF8 = 33
OK, END, ERROR = 0x00, 0xFE, 0xFF


class Connection:
    def __init__(self, host, port, database):
        self.socket = socket.create_connection((host, port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")
        self.receive()
        flags = (LONG_PASSWORD | CONNECT_WITH_DB | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION
                 | PLUGIN_AUTH)
        self.send(struct.pack("<IIB23x", flags, 1 << 24, UTF8) + b"tester\0" + b"\0"
                  + database.encode() + b"\0mysql_native_password\0", 1)
        self.receive()

    def send(self, payload, sequence=0):
        self.socket.sendall(struct.pack("<I", len(payload))[:3] + bytes([sequence]) + payload)

    def receive(self):
        header = self.reader.read(4)
        if len(header) < 4:
            sys.exit("the server closed the connection")
        payload = self.reader.read(header[0] | header[1] << 8 | header[2] << 16)
        if payload[0] == ERROR:
            sys.exit(payload[3:].decode(errors="replace"))
        return payload

    def receive_until_end(self):
        packets = []
        while not packets or packets[-1][0] != END or len(packets[-1]) > 8:
            packets.append(self.receive())
        return packets[:-1]

    def prepare(self, sql):
        self.send(bytes([PREPARE]) + sql.encode())
        number, columns, parameters = struct.unpack("<xIHH", self.receive()[:9])
        for count in (parameters, columns):
            if count:
                self.receive_until_end()
        return number

    def execute(self, statement, types, values):
        """Returns the rows of a query, or none."""
        nulls = bytes((len(types) + 7) // 8)
        self.send(struct.pack("<BIBI", EXECUTE, statement, 0, 1) + nulls + b"\1"
                  + b"".join(struct.pack("<H", t) for t in types) + values)
        if self.receive()[0] == OK:
            return []
        self.receive_until_end()
        return self.receive_until_end()

    def send_long_data(self, statement, parameter, data):
        self.send(struct.pack("<BIH", SEND_LONG_DATA, statement, parameter) + data)

    def close(self, statement):
        self.send(struct.pack("<BI", CLOSE, statement))


def main():
    host, port, database, table, rows = sys.argv[1:]
    connection = Connection(host, int(port), database)
    for number in range(int(rows)):
        if number % 50 == 0:
            insert = connection.prepare(f"insert into {table} values (?, ?, ?)")
            select = connection.prepare(f"select * from {table} where id = ?")
        photo = bytes((number * 7 + i) % 251 for i in range(number * 37 % 3000))
        name = f"{table} {number}".encode()
        for part in (photo[:1000], photo[1000:]):
            connection.send_long_data(insert, 2, part)
        connection.execute(insert, (TYPE_LONG, TYPE_STRING, TYPE_BLOB),
                           struct.pack("<i", number) + bytes([len(name)]) + name)
        found = connection.execute(select, (TYPE_LONG,), struct.pack("<i", number))
        if len(found) != 1 or not found[0].endswith(photo):
            sys.exit(f"row {number} is not what was inserted")
        if number % 50 == 49:
            connection.close(insert)
            connection.close(select)
    connection.send(bytes([QUIT]))


main()
