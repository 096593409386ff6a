"""Hostile bytes on the socket: each is refused and counted, and others are served meanwhile."""
import json
import os
import resource
import socket
import ssl
import time
import unittest
import warnings

import workload
from harness import Keystore

HEAD_TIMEOUT_S, REQUEST_TIMEOUT_S, HANDSHAKE_TIMEOUT_S = 0.8, 1.5, 0.8
SHORT = {"server.head_timeout_ms": int(HEAD_TIMEOUT_S * 1000),
         "server.request_timeout_ms": int(REQUEST_TIMEOUT_S * 1000),
         "server.handshake_timeout_ms": int(HANDSHAKE_TIMEOUT_S * 1000),
         "server.connections_per_address": 20000}
SLACK_S = 3  # a busy machine may be late; it must not be late by more
IDLE = 10_000
REFUSED = 'vouchsafe_admission_refused_total{reason="bad_framing"}'
TIMEOUTS = "vouchsafe_http_timeouts_total"
SERVER_ERRORS = 'vouchsafe_http_replies_total{status="5xx"}'
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


def post(*headers, body=b"", path=b"/pubkey"):
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: a", b"Content-Type: application/json", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def get(*headers, line=b"GET /healthz HTTP/1.1", host=b"Host: a"):
    return b"\r\n".join([line, *([host] if host else []), *headers]) + b"\r\n\r\n"


def statuses(received):
    """Of all the replies in `received`, read by their Content-Length."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        found.append(int(lines[0].split()[1]))
        size = next(int(l.split(b":")[1]) for l in lines if l.lower().startswith(b"content-length:"))
        received = rest[size:]
    return found


def receive_all(s, timeout=10):
    s.settimeout(timeout)
    received = b""
    try:
        while chunk := s.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


class Framing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keystore = Keystore(settings=SHORT)
        cls.addClassCleanup(cls.keystore.close)
        cls.keystore.init().start()

    def setUp(self):
        self.pid = self.keystore.pid()
        self.addCleanup(self.still_well)

    def still_well(self):
        self.assertEqual(self.keystore.get("/healthz").status, 200)
        self.assertEqual(self.keystore.pid(), self.pid)
        self.assertIsNone(self.keystore.process.poll())
        self.assertEqual(workload.metric(self.keystore, SERVER_ERRORS), 0)

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.keystore.port), timeout=10)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(s.close)
        return s

    def send(self, data):
        s = self.connect()
        try:
            s.sendall(data)
        except OSError:
            pass  # it may have hung up already: what it said first is read below
        return s

    def refused(self, data, status, code=None):
        """One refusal with that status, then the end of the connection; and it is counted."""
        before = workload.metric(self.keystore, REFUSED)
        received = receive_all(self.send(data))
        self.assertEqual(statuses(received), [status], (data[:80], received[:300]))
        head, _, body = received.partition(b"\r\n\r\n")
        error = json.loads(body)
        self.assertEqual(set(error), {"error", "code", "request_id"})
        self.assertIn(f"\r\nX-Request-Id: {error['request_id']}\r\n".encode(), head)
        if code:
            self.assertEqual(error["code"], code)
        self.assertEqual(workload.metric(self.keystore, REFUSED), before + 1, data[:80])

    def test_lengths_that_can_be_read_in_two_ways(self):
        smuggled = b"0\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n"
        for headers in ([b"Content-Length: 5", b"Content-Length: 6"],
                        [b"Content-Length: 5", b"Content-Length: 5"],
                        [b"Content-Length: 5, 5"], [b"Content-Length: +5"], [b"Content-Length: -5"],
                        [b"Content-Length: 0x5"], [b"Content-Length: 05"], [b"Content-Length: 5 5"],
                        [b"Content-Length:"], [b"Content-Length: 5.0"], [b"Content-Length: five"],
                        [b"content-length: 5", b"CONTENT-LENGTH: 0"],
                        [b"Transfer-Encoding: chunked"], [b"Transfer-Encoding: identity"],
                        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
                        [b"Content-Length: 5", b"transfer-encoding: Chunked"],
                        [b"Transfer-Encoding:\tchunked"], [b"Transfer-Encoding: x, chunked"]):
            with self.subTest(headers):
                self.refused(post(*headers, body=smuggled), 400)
        self.refused(post(b"Content-Length: 99999999999999999999999999"), 413)
        self.refused(post(b"Content-Length: 2097153"), 413)

    def test_heads_that_can_be_read_in_two_ways(self):
        for data in (get(b"Host: b"), get(b"Authorization: Bearer a", b"authorization: Bearer b"),
                     get(host=None), get(host=b"Host:"), get(host=b"Host: a b"), get(host=b"Host: a/b"),
                     get(b"X: a\rb"), get(b"X: a\0b"), get(b"X: a\x7fb"), get(b"X: a\x0bb"),
                     get(b"X : a"), get(b" folded"), get(b"X: a", b"\tfolded"), get(b": a"), get(b"X"),
                     get(b"X\0: a"), get(b"Transfer-Encoding : chunked"),
                     b"GET /healthz HTTP/1.1\nHost: a\n\n", b"GET /healthz HTTP/1.1\r\nHost: a\n\r\n",
                     get(line=b"GET  /healthz HTTP/1.1"), get(line=b"GET /healthz  HTTP/1.1"),
                     get(line=b"GET /health z HTTP/1.1"), get(line=b"GET /\0 HTTP/1.1"),
                     get(line=b"GET /healthz"), get(line=b"GET healthz HTTP/1.1"),
                     get(line=b" GET /healthz HTTP/1.1"), get(line=b"G\tT /healthz HTTP/1.1"),
                     get(line=b"GET /healthz http/1.1"), get(line=b"GET /healthz HTTP/1.1 "),
                     post(b"Content-Type: text/plain", b"Content-Length: 0"),
                     b"\0" * 64, b"\xff" * 64 + b"\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(80)):
            with self.subTest(data):
                self.refused(data, 400)
        for version in (b"2.0", b"0.9", b"1.2", b"1.10", b"1"):
            self.refused(get(line=b"GET /healthz HTTP/" + version), 400)
        self.refused(get(b"Expect: 200-maybe"), 417)

    def test_sizes(self):
        self.refused(get(b"X: " + b"a" * 65536), 431)
        self.refused(get(*[b"X%d: %s" % (i, b"b" * 1000) for i in range(64)]), 431)
        self.refused(get(*[b"X%d: b" % i for i in range(1000)]), 431)
        self.refused(get(line=b"GET /" + b"a" * 65536 + b" HTTP/1.1"), 414)
        self.refused(b"a" * 65536, 414)

    def test_bytes_behind_a_refusal_are_no_request(self):
        received = receive_all(self.send(post(b"Transfer-Encoding: chunked") + GET * 10))
        self.assertEqual(statuses(received), [400])

    def drip(self, data, limit_s):
        """A byte at a time; how long the server puts up with it, and what it says in the end."""
        s = self.connect()
        began = time.monotonic()
        for byte in data:
            try:
                s.sendall(bytes([byte]))
            except OSError:
                break
            if time.monotonic() - began > limit_s:
                break
            s.settimeout(0.05)
            try:
                if s.recv(1, socket.MSG_PEEK) is not None:
                    break
            except TimeoutError:
                pass
        received = receive_all(s)
        return time.monotonic() - began, received

    def test_a_deadline_holds_for_the_whole_head_and_the_whole_body(self):
        for data, allowed_s in ((get(b"X: " + b"a" * 4000), HEAD_TIMEOUT_S),
                                (post(b"Content-Length: 4000", body=b"a" * 4000), REQUEST_TIMEOUT_S)):
            before = workload.metric(self.keystore, TIMEOUTS)
            if data.startswith(b"POST"):  # the head at once: it is the body that drips
                head, _, body = data.partition(b"\r\n\r\n")
                s = self.send(head + b"\r\n\r\n")
                began = time.monotonic()
                received = b""
                s.settimeout(0.05)
                for byte in body:
                    s.sendall(bytes([byte]))
                    try:
                        received = s.recv(4096)
                        break
                    except TimeoutError:
                        pass
                elapsed = time.monotonic() - began
            else:
                elapsed, received = self.drip(data, allowed_s + SLACK_S + 5)
            self.assertEqual(statuses(received), [408], received)
            self.assertGreaterEqual(elapsed, allowed_s * 0.9)
            self.assertLess(elapsed, allowed_s + SLACK_S)
            self.assertEqual(workload.metric(self.keystore, TIMEOUTS), before + 1)

    def test_a_peer_that_does_not_read_is_let_go(self):
        before = workload.metric(self.keystore, TIMEOUTS)
        s = self.connect()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = get(line=b"GET /openapi.json HTTP/1.1") * 50
        s.settimeout(0.2)
        try:
            while True:
                s.sendall(request)
        except OSError:
            pass
        deadline = time.monotonic() + REQUEST_TIMEOUT_S + SLACK_S
        while workload.metric(self.keystore, TIMEOUTS) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(workload.metric(self.keystore, TIMEOUTS), before + 1)

    def test_half_closed(self):
        s = self.send(GET)
        s.shutdown(socket.SHUT_WR)
        self.assertEqual(statuses(receive_all(s)), [200])
        for data in (b"", b"GET /hea", post(b"Content-Length: 10", body=b"half")):
            s = self.send(data)
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(receive_all(s), b"")

    def test_pipelined_replies_keep_the_order(self):
        paths = [b"/healthz", b"/nowhere", b"/pubkey?seed=a%2Fb:c", b"/pubkey", b"/v1/log/checkpoint",
                 b"/decrypt", b"/health"] * 20
        expected = [200, 404, 200, 200, 200, 405, 200] * 20
        data = b"".join(get(line=b"GET " + p + b" HTTP/1.1") for p in paths)
        for piece in (len(data), 7, 1):
            s = self.connect()
            for i in range(0, len(data), piece):
                s.sendall(data[i:i + piece])
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(statuses(receive_all(s)), expected)

    def test_many_idle_connections(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < IDLE + 1000:
            self.skipTest(f"only {hard} descriptors allowed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        keystore = Keystore(settings={"server.connections_per_address": 20000,  # and time to open them all
                                      "server.head_timeout_ms": 60_000, "server.request_timeout_ms": 60_000})
        self.addCleanup(keystore.close)
        keystore.init().start()
        before = workload.resident_kib(keystore.pid())
        idle = []
        try:
            for i in range(IDLE):
                s = socket.create_connection(("127.0.0.1", keystore.port), timeout=10)
                idle.append(s)
                if i % 100 == 0:
                    self.assertEqual(keystore.get("/healthz").status, 200)
            self.wait_for_open_connections(keystore, IDLE)  # the last ones may still wait to be accepted
            grown = workload.resident_kib(keystore.pid()) - before
            print(f"framing_test: {IDLE} idle connections took {grown} KiB", flush=True)
            self.assertLess(grown, 64 * 1024)
            for s in idle[::500]:
                s.sendall(GET)
                self.assertTrue(s.recv(4096).startswith(b"HTTP/1.1 200 "))
        finally:
            for s in idle:
                s.close()
        deadline = time.monotonic() + 20
        while workload.metric(keystore, "vouchsafe_http_open_connections") > 10:
            self.assertLess(time.monotonic(), deadline, "closed connections are not given up")
            time.sleep(0.05)

    def wait_for_open_connections(self, keystore, count):
        deadline = time.monotonic() + 20
        while True:
            is_open = workload.metric(keystore, "vouchsafe_http_open_connections")
            if is_open >= count:
                return
            self.assertLess(time.monotonic(), deadline, f"only {is_open} connections are open")
            time.sleep(0.05)

    def test_connections_beyond_the_cap_are_closed(self):
        with Keystore(platform=self.keystore.platform,
                      settings={"server.connections_per_address": 8}) as keystore:
            held = [keystore.connection() for _ in range(8)]
            for connection in held:
                keystore.get("/healthz", connection=connection)
            for _ in range(5):
                s = socket.create_connection(("127.0.0.1", keystore.port), timeout=10)
                self.assertEqual(receive_all(s), b"")
                s.close()
            self.assertEqual(keystore.get("/healthz", connection=held[0]).status, 200)
            refused = keystore.get("/metrics", connection=held[1]).body.decode()
            self.assertIn("vouchsafe_http_refused_connections_total 5\n", refused)
            for connection in held:
                connection.close()


class Tls(unittest.TestCase):
    FAILURES = "vouchsafe_tls_handshake_failures_total"

    @classmethod
    def setUpClass(cls):
        cls.keystore = Keystore(tls=True, settings=SHORT)
        cls.addClassCleanup(cls.keystore.close)
        cls.keystore.init().start()

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.keystore.port), timeout=10)
        self.addCleanup(s.close)
        return s

    def fails(self, attack):
        before = workload.metric(self.keystore, self.FAILURES)
        attack()
        deadline = time.monotonic() + SLACK_S
        while workload.metric(self.keystore, self.FAILURES) == before and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(workload.metric(self.keystore, self.FAILURES), before + 1)
        self.assertEqual(self.keystore.get("/healthz").status, 200)
        self.assertEqual(workload.metric(self.keystore, SERVER_ERRORS), 0)

    def test_bytes_that_are_no_tls(self):
        for data in (GET, os.urandom(500), bytes(500), b"\x16\x03\x01\xff\xff" + bytes(200),
                     b"\x15\x03\x03\x00\x02\x02\x28"):
            def attack():
                s = self.connect()
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                self.assertNotIn(b"HTTP", receive_all(s))
            with self.subTest(data[:16]):
                self.fails(attack)

    def test_older_versions_are_refused(self):
        warnings.simplefilter("ignore", DeprecationWarning)  # they are old: that is the point
        self.addCleanup(warnings.resetwarnings)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = version
            context.set_ciphers("ALL:@SECLEVEL=0")

            def attack():
                with self.assertRaises(ssl.SSLError):
                    context.wrap_socket(self.connect())
            with self.subTest(version):
                self.fails(attack)

    def test_a_handshake_that_stalls_is_ended(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        outgoing = ssl.MemoryBIO()
        half = context.wrap_bio(ssl.MemoryBIO(), outgoing)
        with self.assertRaises(ssl.SSLWantReadError):
            half.do_handshake()
        hello = outgoing.read()
        before = workload.metric(self.keystore, TIMEOUTS)
        for data in (b"", hello[:50], hello):
            s = self.connect()
            s.sendall(data)
            began = time.monotonic()
            receive_all(s)
            elapsed = time.monotonic() - began
            self.assertGreaterEqual(elapsed, HANDSHAKE_TIMEOUT_S * 0.9)
            self.assertLess(elapsed, HANDSHAKE_TIMEOUT_S + SLACK_S)
        self.assertEqual(workload.metric(self.keystore, TIMEOUTS), before + 3)
        self.assertEqual(self.keystore.get("/healthz").status, 200)

    def test_framing_is_refused_inside_tls_too(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        before = workload.metric(self.keystore, REFUSED)
        with context.wrap_socket(self.connect()) as s:
            s.sendall(post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n") + GET)
            self.assertEqual(statuses(receive_all(s)), [400])
        self.assertEqual(workload.metric(self.keystore, REFUSED), before + 1)


if __name__ == "__main__":
    unittest.main()
