#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A mail server that keeps what it gets, and a client that sends.

  smtp.py server --port PORT --mails FILE [--name HOST] [--delay MS]
  smtp.py client --to IP:PORT [--connections N] [--mails N] [--pipelining]

The server (aiosmtpd) writes a line a mail: its id, sender, recipients, length and SHA-256 of the content. The client
speaks SMTP as smtplib does; with --pipelining it sends MAIL, RCPT and DATA in one write (RFC 2920), if that is
offered. It prints a line of JSON as the load generator does.
"""
import argparse
import asyncio
import hashlib
import json
import random
import re
import smtplib
import sys
import threading
import time

from aiosmtpd.smtp import SMTP

ID = re.compile(rb"^Message-ID: <(.*)@", re.M)


class Keeper:
    """What aiosmtpd calls at the steps of a conversation."""

    def __init__(self, options):
        self.options = options
        self.mails = open(options.mails, "w", encoding="ascii", buffering=1)

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return responses[:-1] + ["250-PIPELINING", responses[-1]]

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        await asyncio.sleep(self.options.delay / 1000)
        if address.startswith("nobody"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        await asyncio.sleep(self.options.delay / 1000)
        content = envelope.original_content
        ident = ID.search(content).group(1).decode()
        self.mails.write(f"{ident} {envelope.mail_from} {','.join(envelope.rcpt_tos)} "
                         f"{len(content)} {hashlib.sha256(content).hexdigest()}\n")
        return f"250 {self.options.name} has taken {ident}"


async def serve(options):
    keeper = Keeper(options)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(keeper, hostname=options.name, enable_SMTPUTF8=True), "0.0.0.0", options.port)
    await server.serve_forever()


class Client:
    def __init__(self, options, number):
        self.options = options
        self.number = number
        self.random = random.Random(number)
        self.taken = 0

    def mail(self, sequence):
        """Lines of any length, some with a dot at the beginning."""
        lines = [f"Message-ID: <{self.number}-{sequence}@client.example>", "Subject: a mail", ""]
        for _ in range(self.random.choice((1, 20, 200, 4000))):
            line = "".join(self.random.choices("abcdefgh .", k=self.random.randrange(70)))
            lines.append(self.random.choice(("", "", ".")) + line)
        return "\r\n".join(lines) + "\r\n"

    def send(self, smtp, sequence):
        sender = f"sender{self.number}@client.example"
        # Every fifth has a recipient besides that is refused.
        recipients = [f"user{n}@server.example" for n in range(self.random.randint(1, 4))]
        if sequence % 5 == 4:
            recipients.append("nobody@server.example")
        content = self.mail(sequence)
        if self.options.pipelining and smtp.has_extn("pipelining"):
            self.send_pipelined(smtp, sender, recipients, content)
        else:
            smtp.sendmail(sender, recipients, content)
        self.taken += 1

    def send_pipelined(self, smtp, sender, recipients, content):
        smtp.send(f"MAIL FROM:<{sender}>\r\n" + "".join(f"RCPT TO:<{r}>\r\n" for r in recipients)
                  + "DATA\r\n")
        codes = [smtp.getreply()[0] for _ in range(len(recipients) + 2)]
        if codes[0] != 250 or codes[-1] != 354:
            raise smtplib.SMTPException(f"the envelope was answered by {codes}")
        smtp.send(re.sub(r"(?m)^\.", "..", content) + ".\r\n")
        code, text = smtp.getreply()
        if code != 250:
            raise smtplib.SMTPException(f"the mail was answered by {code} {text}")

    def run(self):
        host, port = self.options.to.split(":")
        try:
            with smtplib.SMTP(host, int(port), local_hostname="client.example", timeout=30) as smtp:
                smtp.ehlo()
                for sequence in range(self.options.mails_each):
                    self.send(smtp, sequence)
                    if sequence % 3 == 2:
                        smtp.rset()
        except (OSError, smtplib.SMTPException) as error:
            print(f"connection {self.number}: {error}", file=sys.stderr)


def run_clients(options):
    clients = [Client(options, n + options.first) for n in range(options.connections)]
    threads = [threading.Thread(target=c.run) for c in clients]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted, taken = options.mails_each * len(clients), sum(c.taken for c in clients)
    print(json.dumps({"sent": wanted, "ok": taken, "errors": wanted - taken,
                      "connections": len(clients), "seconds": round(time.monotonic() - began, 3)},
                     separators=(",", ":")))
    return 0 if taken == wanted else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    roles = parser.add_subparsers(dest="role", required=True)
    server = roles.add_parser("server")
    server.add_argument("--port", type=int, required=True)
    server.add_argument("--mails", required=True, help="the file where a line a mail goes")
    server.add_argument("--name", default="mail.example")
    server.add_argument("--delay", type=float, default=0, help="ms before RCPT and DATA are answered")
    client = roles.add_parser("client")
    client.add_argument("--to", required=True)
    client.add_argument("--connections", type=int, default=10)
    client.add_argument("--mails", dest="mails_each", type=int, default=10, help="of a connection")
    client.add_argument("--first", type=int, default=0, help="number of the first connection")
    client.add_argument("--pipelining", action="store_true")
    options = parser.parse_args()
    if options.role == "server":
        asyncio.run(serve(options))
    return run_clients(options)


sys.exit(main())
