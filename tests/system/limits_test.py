"""No caller can take from others more than its share: rates, places on the pool, memory, the log."""
import concurrent.futures
import json
import os
import socket
import ssl
import time
import unittest

import harness
import workload
from anchor_test import Tree
from harness import command, Keystore, Worker, ecies_seal

SEED = "github.com/alice/project:alice.near"


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


class Limits(unittest.TestCase):
    def keystore(self, **options):
        keystore = Keystore(**options)
        self.addCleanup(keystore.close)
        return keystore.init().start()

    def flood(self, keystore, source, count, path="/nowhere"):
        """`count` requests from another loopback address; the statuses."""
        statuses = []
        for _ in range(count):
            with socket.create_connection(("127.0.0.1", keystore.port), 5, (source, 0)) as s:
                s.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
                statuses.append(int(s.recv(4096).split()[1]))
        return statuses

    def test_one_address_takes_its_own_allowance_only(self):
        k = self.keystore(settings={"rate.per_address_per_second": 1, "rate.per_address_burst": 20,
                                    "rate.total_per_second": 1, "rate.total_burst": 60})
        used = self.flood(k, "127.0.0.9", 100)
        self.assertLess(used.count(404), 30)
        self.assertGreater(used.count(429), 60)
        self.assertEqual(set(self.flood(k, "127.0.0.8", 10)), {404})

    def test_clients_behind_a_proxy_have_their_own_allowance(self):
        k = self.keystore(settings={"server.trusted_proxies": ["127.0.0.0/30"],
                                    "rate.per_address_per_second": 1, "rate.per_address_burst": 20})

        def ask(client, source="127.0.0.2"):
            with socket.create_connection(("127.0.0.1", k.port), 5, (source, 0)) as s:
                s.sendall(f"GET /nowhere HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 10.1.1.1, {client}\r\n"
                          "Connection: close\r\n\r\n".encode())
                return int(s.recv(4096).split()[1])

        used = [ask("203.0.113.7") for _ in range(40)]
        self.assertLess(used.count(404), 30)
        self.assertEqual([ask("203.0.113.8") for _ in range(10)], [404] * 10)
        # another source is no proxy: what it says does not count
        used = [ask(f"203.0.113.{i}", source="127.0.0.9") for i in range(40)]
        self.assertLess(used.count(404), 30)

    def test_handshakes_and_bodies_count_by_their_cost(self):
        k = self.keystore(tls=True, settings={"rate.per_address_per_second": 1, "rate.per_address_burst": 60})
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

        def handshake(source):
            try:
                with socket.create_connection(("127.0.0.1", k.port), 5, (source, 0)) as s, context.wrap_socket(s):
                    return True
            except OSError:
                return False

        self.assertLess(sum(handshake("127.0.0.9") for _ in range(10)), 5)
        self.assertTrue(handshake("127.0.0.8"))
        k = self.keystore(settings={"rate.per_address_per_second": 1, "rate.per_address_burst": 60})
        head = b"POST /pubkey HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
        statuses = []
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", k.port), 5, ("127.0.0.9", 0)) as s:
                s.sendall(head + b"x" * 100_000)
                statuses.append(int(s.recv(4096).split()[1]))
        self.assertLess(statuses.count(400), 5)
        self.assertGreater(statuses.count(429), 4)

    def test_administration_has_a_listener_of_its_own(self):
        k = Keystore()
        path = os.path.join(k.dir, "admin.sock")
        with open(k.config, encoding="utf-8") as f:
            config = json.load(f)
        config["admin"] = {"listen": path}
        with open(k.config, "w", encoding="utf-8") as f:
            json.dump(config, f)
        self.addCleanup(k.close)
        k.init().start()

        def ask(target, token=""):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(path)
                s.sendall(f"GET {target} HTTP/1.1\r\nHost: h\r\n{token}Connection: close\r\n\r\n".encode())
                return int(s.recv(65536).split()[1])

        operator = f"Authorization: Bearer {k.tokens['operator']}\r\n"
        self.assertEqual(os.stat(path).st_mode & 0o007, 0)
        for target in ("/metrics", "/v1/status", "/v1/policies"):
            self.assertEqual(ask(target, operator), 200, target)
            self.assertEqual(k.get(target, token="operator").status, 404, target)
        token = ["--token-file", k.token_file("operator")]
        for more in (["status"], ["policy", "show"]):
            self.assertEqual(command(*more, "--url", "unix:" + path, *token, check=False).returncode, 0, more)
        done = command("status", "--url", k.url, *token, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("admin.listen", str(done.stderr))
        self.assertEqual(command("status", "--url", "unix:" + path + "x", *token, check=False).returncode, 3)
        self.assertEqual(ask("/v1/status"), 401)
        self.assertEqual(ask("/healthz"), 200)
        self.assertEqual(k.get("/healthz").status, 200)
        self.assertEqual(Worker(k).attest().status, 200)
        k.kill()
        k.start()  # the socket file that was left behind is replaced
        self.assertEqual(ask("/metrics"), 200)

    def test_a_connection_has_to_begin_with_the_proxy_header(self):
        k = Keystore(settings={"server.trusted_proxies": ["127.0.0.1"], "server.proxy_protocol": True})
        self.addCleanup(k.close)
        k.init()
        k.wait_ready = lambda wait_s: None
        k.start()

        def ask(first, source="127.0.0.1"):
            for _ in range(500):
                try:
                    s = socket.create_connection(("127.0.0.1", k.port), 5, (source, 0))
                    break
                except ConnectionRefusedError:
                    time.sleep(0.01)
            with s:
                try:
                    s.sendall(first + b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
                    return s.recv(4096)[9:12]
                except ConnectionResetError:
                    return b""

        self.assertEqual(ask(b"PROXY TCP4 203.0.113.7 127.0.0.1 5 6\r\n"), b"200")
        self.assertEqual(ask(b""), b"")
        self.assertEqual(ask(b"PROXY TCP4 203.0.113.7 127.0.0.1 5 6\r\n", source="127.0.0.9"), b"")

    def test_strangers_do_not_shut_out_tokens(self):
        k = self.keystore(settings={"rate.total_per_second": 1, "rate.total_burst": 40})
        k.identity()  # what the worker checks is public, and so for strangers too
        for source in ("127.0.0.5", "127.0.0.6"):
            self.flood(k, source, 60)
        self.assertIn(429, self.flood(k, "127.0.0.7", 3))
        self.assertEqual(Worker(k).attest().status, 200)

    def test_rates_of_a_token_say_when_to_come_back(self):
        k = self.keystore(workers=2, settings={"rate.per_token_per_second": 1, "rate.per_token_burst": 5})
        replies = [k.post("/v1/attest/challenge", token="worker") for _ in range(10)]
        self.assertEqual({r.status for r in replies}, {200, 429})
        refused = next(r for r in replies if r.status == 429)
        self.assertEqual(refused.code, "rate_limited")
        self.assertGreaterEqual(int(refused.headers["Retry-After"]), 1)
        self.assertEqual(k.post("/v1/attest/challenge", token="worker1").status, 200)

    def test_requests_that_a_role_does_not_allow_have_their_price(self):
        k = self.keystore(settings={"rate.per_token_per_second": 1, "rate.per_token_burst": 5})
        before = [workload.metric(k, f'vouchsafe_admission_refused_total{{reason="{reason}"}}')
                  for reason in ("bad_token", "wrong_role")]
        replies = [k.get("/v1/status", token="worker") for _ in range(20)]
        self.assertEqual({r.code for r in replies}, {"role_not_allowed", "rate_limited"})
        self.assertLess(sum(r.status == 403 for r in replies), 10)
        after = [workload.metric(k, f'vouchsafe_admission_refused_total{{reason="{reason}"}}')
                 for reason in ("bad_token", "wrong_role")]
        self.assertEqual(after[0], before[0])
        self.assertEqual(after[1] - before[1], sum(r.status == 403 for r in replies))

    def test_a_caller_that_is_only_denied_is_slowed_down_before_the_log_grows(self):
        k = self.keystore(workers=2, settings={"rate.denials_per_second": 1, "rate.denials_burst": 20})

        def size():
            return int(k.get("/v1/log/checkpoint").body.split(b"\n")[1])

        before = size()
        bad = {"encrypted_secrets": "AQ==", "seed": SEED}
        codes = [k.post("/decrypt", bad, token="worker").code for _ in range(100)]
        self.assertIn("attestation_required", codes)
        self.assertIn("too_many_denials", codes)
        self.assertLess(size() - before, 40)
        other = Worker(k, token="worker1")
        self.assertEqual(other.attest().status, 200)
        self.assertEqual(other.decrypt(ecies_seal(k.pubkey(SEED), b"x"), seed=SEED).status, 200)

    def test_a_token_has_a_share_of_the_log(self):
        k = self.keystore(workers=2, settings={"rate.log_entries_per_hour": 30})

        def size():
            return int(k.get("/v1/log/checkpoint").body.split(b"\n")[1])

        worker, other = Worker(k), Worker(k, token="worker1")
        self.assertEqual(worker.attest().status, 200)
        sealed = ecies_seal(k.pubkey(SEED), b"x")
        before = size()
        replies = [worker.decrypt(sealed, seed=SEED) for _ in range(60)]
        self.assertEqual({r.status for r in replies}, {200, 429})
        refused = [r for r in replies if r.status == 429]
        self.assertEqual({r.code for r in refused}, {"log_quota_exceeded"})
        self.assertLessEqual(int(refused[-1].headers["Retry-After"]), 130)
        self.assertLessEqual(size() - before, 35)
        self.assertEqual(workload.metric(k, 'vouchsafe_admission_refused_total{reason="log_quota"}'), len(refused))
        self.assertEqual(k.get("/pubkey?seed=" + SEED, token="worker").status, 200)  # not recorded
        self.assertEqual(other.attest().status, 200)  # not affected
        self.assertEqual(other.decrypt(sealed, seed=SEED).status, 200)

    def test_a_full_store_refuses_and_deletes_nothing(self):
        log = Tree("other.example/log", [b"entry %d" % i for i in range(20)])
        k = self.keystore(settings={"store.max_mib": 1, "rate.denials_per_second": 0,
                                    "witness.serve": True, "witness.logs": [log.vkey]})
        self.assertEqual(k.post("/add-checkpoint", log.request(0, 7)).status, 200)
        worker = Worker(k)
        self.assertEqual(worker.attest().status, 200)
        sealed = ecies_seal(k.pubkey(SEED), b"x")
        statuses, reply = set(), None
        for _ in range(20000):
            reply = worker.decrypt(sealed, seed=SEED)
            statuses.add(reply.status)
            if reply.status != 200:
                break
        self.assertEqual((reply.status, reply.code), (503, "store_full"))
        self.assertTrue(reply.headers["Retry-After"])
        with self.subTest("as a witness it cosigns only what it need not store"):
            self.assertEqual(k.post("/add-checkpoint", log.request(7, 7)).status, 200)
            reply = k.post("/add-checkpoint", log.request(7, 20))
            self.assertEqual((reply.status, reply.code), (503, "store_full"))
            self.assertTrue(reply.headers["Retry-After"])
            self.assertEqual(k.post("/add-checkpoint", log.request(0, 20)).body, b"7\n")
        ready = k.get("/readyz")
        self.assertEqual((ready.status, ready.code), (503, "store_full"))
        self.assertEqual(workload.metric(k, "vouchsafe_store_full"), 1)
        self.assertGreaterEqual(workload.metric(k, "vouchsafe_store_bytes"), 1 << 20)
        self.assertEqual(workload.metric(k, "vouchsafe_store_limit_bytes"), 1 << 20)
        self.assertEqual(k.get("/v1/log/entries?start=0&count=10", token="auditor").status, 200)  # reads go on
        change = k.post("/v1/policies/worker/reference-values", {"field": "mrenclave", "value": "33" * 32}, token="operator")
        self.assertEqual(change.status, 200, change.body)  # and what an operator does
        with open(k.log_path, encoding="utf-8") as f:
            log = f.read()
        self.assertIn("store_full", log)

    def test_costly_requests_have_places_by_token(self):
        k = self.keystore(workers=2)
        worker = Worker(k)
        nonce = worker.challenge()
        quote = worker.evidence(nonce)

        def attempt(_):
            return worker.attest_with(os.urandom(32), quote).status  # the nonce is refused on the pool

        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            busy = [pool.submit(attempt, i) for i in range(600)]
            other = Worker(k, token="worker1")
            began = time.monotonic()
            self.assertEqual(other.attest().status, 200)
            waited = time.monotonic() - began
            statuses = {f.result() for f in busy}
        self.assertLessEqual(statuses, {401, 429})
        self.assertLess(waited, 20)  # a bound against starvation, not a measurement

    def test_bodies_of_strangers_are_small(self):
        k = self.keystore()
        for path, size, status in (("/pubkey", 200_000, 413), ("/pubkey", 100_000, 400)):
            reply = k.request("POST", path, b"x" * size, headers={"Content-Type": "application/json"})
            self.assertEqual(reply.status, status, reply.body)
        self.assertEqual(k.request("POST", "/v1/attest", b"x" * 600_000, token="worker",
                                   headers={"Content-Type": "application/json"}).status, 413)
        self.assertEqual(k.request("POST", "/v1/attest/challenge", b"x" * 5000, token="worker").status, 413)

    def test_bodies_in_flight_are_bounded_in_all(self):
        k = self.keystore()
        before = resident_mib(k.pid())
        body = b"x" * 2_000_000
        head = (f"POST /decrypt HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {k.tokens['worker']}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body) + 1}\r\n\r\n").encode()
        held = []
        refused = 0
        for _ in range(200):  # 400 MB, where 256 MiB are shared
            s = socket.create_connection(("127.0.0.1", k.port), 10)
            self.addCleanup(s.close)
            try:
                s.sendall(head + body)
            except (ConnectionResetError, BrokenPipeError):
                refused += 1
                continue
            held.append(s)
        for s in held:
            s.setblocking(False)
            try:
                refused += s.recv(100).startswith(b"HTTP/1.1 503")
            except (BlockingIOError, ConnectionResetError):
                pass
        self.assertGreater(refused, 0)
        self.assertLess(resident_mib(k.pid()) - before, 600)
        self.assertEqual(k.get("/healthz").status, 200)

    def test_state_that_others_can_change_is_not_opened(self):
        k = self.keystore()
        k.stop()
        os.chmod(os.path.join(k.dir, "state"), 0o777)
        with self.assertRaisesRegex(AssertionError, "chmod"):
            k.start()

    def test_sessions_end_with_the_roots_they_were_judged_by(self):
        import json
        k = self.keystore()
        worker = Worker(k)
        self.assertEqual(worker.attest().status, 200)
        envelope = ecies_seal(k.pubkey(SEED), b"x")
        k.stop()
        k.start()
        self.assertEqual(worker.decrypt(envelope, seed=SEED).status, 200)  # a restart does not end sessions
        k.stop()
        other = harness.Platform(os.path.join(k.dir, "other-platform"))
        with open(k.config, encoding="utf-8") as f:
            config = json.load(f)
        config["attestation"]["trust_simulated_roots"].append(other.root)
        with open(k.config, "w", encoding="utf-8") as f:
            json.dump(config, f)
        k.start()
        reply = worker.decrypt(envelope, seed=SEED)
        self.assertEqual((reply.status, reply.code), (403, "session_policy_changed"), reply.body)

    def test_an_exchanged_root_is_found_by_the_pinned_log_key(self):
        import shutil
        one = Keystore()
        self.addCleanup(one.close)
        one.init().start()
        vkey = one.get("/v1/log/key").json()["vkey"]
        one.stop()
        two = Keystore(settings={"log.vkey": vkey})
        self.addCleanup(two.close)
        shutil.copytree(os.path.join(one.dir, "state"), os.path.join(two.dir, "state"))
        two.start()
        two.stop()
        shutil.rmtree(os.path.join(two.dir, "state"))
        two.init()  # a root of its own, on the machine that the configuration was not written for
        with self.assertRaisesRegex(AssertionError, "log.vkey"):
            two.start()


if __name__ == "__main__":
    unittest.main()
