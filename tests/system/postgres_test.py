#!/usr/bin/env python3
"""The keystore on a real PostgreSQL server: two daemons on one database, lost servers, lost connections, leases.

VOUCHSAFE_EXHAUSTIVE_KILLS, VOUCHSAFE_EXHAUSTIVE_RESTARTS: how often the long tests kill the daemon and restart
the server; docs/testing.md.
"""
import base64
import datetime
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import postgres
import workload
from harness import Keystore, Worker, ecies_seal, free_port

SEED = "github.com/alice/project:alice.near"
SECRET = b'{"KEY":"value"}'
START_MAX_S = 120  # on a machine with much to do
server = None


def setUpModule():
    global server
    reason = postgres.missing()
    if reason:
        print(f"SKIPPED: no test of the keystore on PostgreSQL runs: {reason}", flush=True)
        raise unittest.SkipTest(reason)
    server = postgres.Postgres()


def tearDownModule():
    if server:
        server.close()


def certificates(name):
    """PEM of a new authority, and of a certificate for `name` with its key."""
    now = datetime.datetime.now(datetime.timezone.utc)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    made = []
    for subject, key, is_ca in (("test authority", keys[0], True), (name, keys[1], False)):
        builder = (x509.CertificateBuilder()
                   .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
                   .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")]))
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
                   .add_extension(x509.BasicConstraints(is_ca, None), critical=True))
        if not is_ca:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return (*made, keys[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))


class Node(Keystore):
    """A keystore on the shared database. All nodes of a test get the same root, and have the tokens of `like`."""

    def __init__(self, schema, number, master, like=None, host=None, extra="", **options):
        settings = {"store.engine": "postgres", "store.node": number, **options.pop("settings", {})}
        super().__init__(platform=like.platform if like else None, settings=settings, **options)
        self.schema, self.number, self.master = schema, number, master
        self.url_file = os.path.join(self.dir, "url")
        self.set_url(server.url(schema, host, extra))
        with open(self.config, encoding="utf-8") as f:
            config = json.load(f)
        config["store"]["url_file"] = self.url_file
        if like:
            with open(like.config, encoding="utf-8") as f:
                config["tokens"] = json.load(f)["tokens"]
            self.tokens = like.tokens
            for name, token in self.tokens.items():
                with open(self.token_file(name), "w", encoding="ascii") as f:
                    f.write(token)
        with open(self.config, "w", encoding="utf-8") as f:
            json.dump(config, f)

    def set_url(self, text, mode=0o600):
        with open(self.url_file, "w", encoding="utf-8") as f:
            f.write(text + "\n")
        os.chmod(self.url_file, mode)

    def variables(self, text):
        with open(os.path.join(self.dir, ".env"), "w", encoding="utf-8") as f:
            f.write(text)

    def init(self):
        self.variables(f"KEYSTORE_MASTER_SECRET={self.master}\n")
        super().init()
        self.variables("")
        return self

    def refusal(self, *arguments):
        """What a run says that must not succeed."""
        done = subprocess.run(self.daemon(*arguments), capture_output=True, text=True, timeout=60)
        assert done.returncode != 0, done
        return done.stderr


class Case(unittest.TestCase):
    def setUp(self):
        self.schema = server.schema()
        self.master = os.urandom(32).hex()
        self.first = None

    def node(self, number, **options):
        k = Node(self.schema, number, options.pop("master", self.master), like=self.first, **options)
        self.first = self.first or k
        self.addCleanup(k.close)
        return k

    def worker(self, k, **options):
        worker = Worker(k, platform=self.first.platform, **options)
        self.assertEqual(worker.attest().status, 200)
        return worker

    def decrypt(self, k, worker):
        return worker.decrypt(ecies_seal(k.pubkey(SEED), SECRET), seed=SEED)

    def opens(self, k, worker):
        reply = self.decrypt(k, worker)
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(worker.secrets(reply), SECRET)
        return reply


class Setup(Case):
    def test_two_nodes_have_one_root_and_two_logs(self):
        one, two = self.node(1).init().start(), self.node(2).init().start()
        self.assertEqual(one.pubkey(SEED), two.pubkey(SEED))
        for k, number in ((one, 1), (two, 2)):
            self.opens(k, self.worker(k))
            note = k.get("/v1/log/checkpoint").body.decode().split("\n")
            self.assertEqual(note[0], f"test.example/log/{number}")
        self.assertEqual(server.sql("SELECT count(DISTINCT node) FROM log_entry", self.schema), "2")
        for k in (one, two):
            self.assertEqual(k.stop(), 0)
            k.start()
        # a session of one node is one of the other's, too
        worker = self.worker(one)
        worker.keystore = two
        self.opens(two, worker)

    def test_what_cannot_be_joined(self):
        one = self.node(1).init().start()
        self.assertIn("another root", self.node(2, master=os.urandom(32).hex()).refusal("init"))
        self.assertIn("has a node 1", self.node(1).refusal("init"))
        self.assertIn("root.sealed exists", one.refusal("init"))
        self.assertIn("node.holder is locked", one.refusal())
        lost = self.node(3).init()
        server.sql("DELETE FROM log_entry WHERE node = 3; DELETE FROM node WHERE node = 3", self.schema)
        self.assertIn("has no node 3", lost.refusal())
        done = subprocess.run(lost.daemon("init", "--new-log"), capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        lost.start()

    def test_the_connection_string_is_checked_and_never_shown(self):
        k = self.node(1)
        url = server.url(self.schema, extra=" password=hunter2hunter2")
        for text, mode, found in (
                (url, 0o644, "every user may read it"),
                ("", 0o600, "one line"),
                ("dbname=a\npassword=hunter2hunter2", 0o600, "one line"),
                ("host=db.example.com password=hunter2hunter2 sslmode=prefer", 0o600, "verify-full"),
                ("host=db.example.com password=hunter2hunter2 nonsense", 0o600, "malformed"),
                ("postgresql://u:hunter2hunter2@/x", 0o600, "names no host")):
            k.set_url(text, mode)
            said = k.refusal("--check-config")
            self.assertIn(found, said)
            self.assertIn("store.url_file", said)
            self.assertNotIn("hunter2", said)
        k.set_url(url)
        k.init().start()
        self.opens(k, self.worker(k))
        self.assertNotIn("hunter2", k.log())
        with open(f"/proc/{k.process.pid}/cmdline", "rb") as f:
            self.assertNotIn(b"hunter2", f.read())

    def test_a_network_address_needs_a_verified_certificate(self):
        authority, certificate, key = certificates("localhost")
        other, _, _ = certificates("localhost")
        port = free_port()
        tls = postgres.Postgres("listen_addresses=127.0.0.1", "ssl=on", port=port,
                                files={"server.crt": certificate, "server.key": key})
        self.addCleanup(tls.close)
        k = self.node(1)
        trusted = os.path.join(k.dir, "ca.pem")

        def connects(host, ca, url_of=tls):
            with open(trusted, "wb") as f:
                f.write(ca)
            k.set_url(url_of.url(schema, host=host, extra=f" sslrootcert={trusted} connect_timeout=5"))
            k.variables(f"KEYSTORE_MASTER_SECRET={self.master}\n")
            return subprocess.run(k.daemon("init"), capture_output=True, text=True, timeout=60)

        schema = tls.schema()
        for host, ca, found in (("localhost", other, "SSL error"),
                                ("127.0.0.1", authority, "does not match host name")):
            done = connects(host, ca)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(found, done.stderr)
        self.assertEqual(tls.sql("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()", schema), "0")
        done = connects("localhost", authority)
        self.assertEqual(done.returncode, 0, done.stderr)
        k.variables("")
        k.start()
        self.opens(k, self.worker(k))
        self.assertEqual(tls.sql("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                                 " WHERE application_name = 'vouchsafe'"), "t")
        tls.end()
        tls.settings = ("listen_addresses=127.0.0.1", "ssl=off")
        tls.start()
        time.sleep(1)
        self.assertEqual(self.decrypt(k, self.worker_of_no_session(k)).status, 503)
        self.assertIn("server does not support SSL", k.log())

    def worker_of_no_session(self, k):
        return Worker(k, platform=self.first.platform)

    def test_the_state_of_a_node_can_be_checked(self):
        one, two = self.node(1).init().start(), self.node(2).init().start()
        self.opens(one, self.worker(one))
        two.stop()
        for k in (one, two):  # while the other one runs, and the node itself, too
            done = subprocess.run(k.daemon("state", "check"), capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        server.sql("UPDATE log_entry SET entry = entry || 'x'::bytea WHERE node = 2 AND idx = 0", self.schema)
        done = subprocess.run(two.daemon("state", "check"), capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn("entry", done.stdout)


class Outage(Case):
    def requests(self, k, worker):
        """One of each kind that needs the log."""
        return [self.decrypt(k, worker), worker.attest(),
                k.post("/v1/policies/worker/reference-values", {"field": "mrenclave", "value": "77" * 32},
                       token="operator")]

    def wait_until(self, condition, wait_s=10):
        deadline = time.monotonic() + wait_s
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def test_requests_are_refused_until_the_server_is_back(self):
        k = self.node(1).init().start()
        worker = self.worker(k)
        self.opens(k, worker)
        self.addCleanup(lambda: server.process or server.start())
        server.end()
        for reply in (*self.requests(k, worker), k.get("/v1/log/entries?start=0&count=1", token="auditor")):
            self.assertEqual((reply.status, reply.headers["Retry-After"]), (503, "1"), reply.body)
            self.assertIn(reply.code, ("log_unavailable", "unavailable"))
        ready = k.get("/readyz")
        self.assertEqual((ready.status, ready.code, ready.headers["Retry-After"]), (503, "log_unavailable", "1"))
        self.assertIn("database server does not answer", ready.json()["error"])
        self.assertEqual(workload.metric(k, "vouchsafe_log_server_unreachable"), 1)
        self.assertEqual(workload.metric(k, "vouchsafe_log_server_outages_total"), 1)
        for _ in range(100):
            self.assertEqual(self.decrypt(k, worker).status, 503)
        time.sleep(1)
        self.assertLess(k.log().count("the connection to PostgreSQL failed"), 10)
        server.start()
        k.wait_ready(10)
        self.opens(k, worker)
        self.assertEqual(k.log().count("PostgreSQL answers again"), 1)
        self.assertEqual(workload.metric(k, "vouchsafe_log_server_unreachable"), 0)
        lines, note = workload.export_log(k)
        self.assertEqual(sum(json.loads(line)["op"] == "log-recovered" for line in lines), 1)
        self.assertEqual(workload.verify_log(k, lines, note).returncode, 0)

    def test_a_stop_does_not_wait_for_the_server(self):
        proxy = postgres.Proxy(server.dir)
        self.addCleanup(proxy.close)
        k = self.node(1, host=proxy.dir).init()
        # of a network that loses everything the keystore learns nothing: it waits 5 s for the request
        for lose, limit_s in ((proxy.hold, 9), (lambda: (proxy.refuse(), proxy.drop()), 3)):
            k.start()
            worker = self.worker(k)
            lose()
            asking = threading.Thread(target=lambda: self.assertEqual(self.decrypt(k, worker).status, 503))
            asking.start()
            time.sleep(0.5)
            began = time.monotonic()
            k.stop()
            self.assertLess(time.monotonic() - began, limit_s)
            asking.join()
            proxy.hold(False)
            proxy.refuse(False)

    def test_a_start_waits_for_the_server(self):
        proxy = postgres.Proxy(server.dir)
        self.addCleanup(proxy.close)
        k = self.node(1, host=proxy.dir).init()
        proxy.refuse()
        self.assertIn("does not answer", self.node(2, host=proxy.dir).refusal("init"))
        for end in (True, False):
            with open(k.log_path, "ab") as log:
                k.process = subprocess.Popen(k.daemon(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            self.wait_until(lambda: "waiting_for_database" in k.log())
            self.assertIsNone(k.process.poll())
            if end:
                began = time.monotonic()
                self.assertEqual(k.stop(), 1)
                self.assertLess(time.monotonic() - began, 2)
                os.remove(k.log_path)
        proxy.refuse(False)
        k.wait_ready()


class UnknownOutcome(Case):
    """The connection is cut around a COMMIT: the reply says what became of it, once that is known."""

    def setUp(self):
        super().setUp()
        self.proxy = postgres.Proxy(server.dir)
        self.addCleanup(self.proxy.close)
        self.k = self.node(1, host=self.proxy.dir).init().start()
        self.crew = self.worker(self.k)

    def logged(self, request_id):
        lines, _ = workload.export_log(self.k)
        return [i for i, line in enumerate(lines) if json.loads(line)["request_id"] == request_id]

    def change(self, value):
        return self.k.post("/v1/policies/worker/reference-values", {"field": "mrenclave", "value": value},
                           token="operator")

    def test_the_reply_says_what_became_of_it(self):
        for i, cuts in enumerate((["after"], ["before"], ["after", "after"])):
            with self.subTest(cuts=cuts):
                self.proxy.cut(*cuts)
                reply = self.opens(self.k, self.crew)
                self.assertGreaterEqual(self.proxy.done, 1)
                self.proxy.cut(*cuts)
                changed = self.change(f"{i + 1:02x}" * 32)
                self.assertEqual(changed.status, 200, changed.body)
                self.assertGreaterEqual(self.proxy.done, 1)
                self.proxy.cut()
                self.assertEqual(len(self.logged(reply.request_id)), 1)
                self.assertEqual(self.logged(changed.request_id), [changed.json()["index"]])
                self.assertEqual(self.crew.attest().status, 200)  # a change ends all sessions

    def test_replies_and_log_agree_whatever_is_cut(self):
        chance = random.Random(20261128)
        outcomes = {200: 0, 503: 0}
        for _ in range(60):
            self.proxy.cut(*chance.choices(("after", "before"), k=chance.randint(1, 5)))
            reply = self.decrypt(self.k, self.crew)
            self.proxy.cut()
            self.k.wait_ready()
            outcomes[reply.status] += 1
            self.assertEqual(len(self.logged(reply.request_id)), 1 if reply.status == 200 else 0)
        print(f"postgres_test: {outcomes[200]} requests were stored, {outcomes[503]} were not, as their replies said",
              flush=True)
        self.assertGreater(min(outcomes.values()), 0)

    def test_what_was_never_stored_is_told_as_such(self):
        self.proxy.cut("before", "before", "before")
        reply = self.decrypt(self.k, self.crew)
        self.assertEqual((reply.status, reply.code), (503, "log_unavailable"), reply.body)
        self.assertEqual(self.proxy.done, 3)
        self.assertEqual(self.logged(reply.request_id), [])
        self.opens(self.k, self.crew)

    def test_it_is_held_until_it_is_known(self):
        for what, replied in (("after", 200), ("before", 503)):
            self.proxy.cut(what, then=self.proxy.refuse)
            replies = []
            asking = threading.Thread(target=lambda: replies.append(self.decrypt(self.k, self.crew)))
            asking.start()
            time.sleep(2)
            self.assertEqual(self.proxy.done, 1)
            self.assertEqual(replies, [])  # neither done nor failed
            other = self.decrypt(self.k, self.crew)
            self.assertEqual((other.status, other.code), (503, "log_unavailable"))
            self.proxy.refuse(False)
            asking.join()
            self.assertEqual(replies[0].status, replied, replies[0].body)
            self.k.wait_ready()
            self.assertEqual(len(self.logged(replies[0].request_id)), 1 if replied == 200 else 0)
            self.assertEqual(self.logged(other.request_id), [])


class TwoNodes(Case):
    VALUE = "77" * 32
    PATH = "/v1/policies/worker/reference-values"

    def setUp(self):
        super().setUp()
        settings = {"session.lifetime_s": 3600}  # a long run has the sessions of its beginning
        self.nodes = [self.node(i + 1, settings=settings).init().start() for i in range(2)]

    def add(self, k, value=VALUE):
        return k.post(self.PATH, {"field": "mrenclave", "value": value}, token="operator")

    def remove(self, k, value=VALUE):
        return k.request("DELETE", f"{self.PATH}?field=mrenclave&value={value}", token="operator")

    def until_known(self, act, status=200):
        """A node that does not know a change of the other says so once, and then knows it."""
        for _ in range(200):
            reply = act()
            if (reply.status, reply.code if reply.status == 503 else "") != (503, "policies_changed"):
                self.assertEqual(reply.status, status, reply.body)
                return reply
            self.assertEqual(reply.headers["Retry-After"], "1")
            time.sleep(0.02)
        raise AssertionError("it is never known")

    def test_a_value_that_one_removed_is_refused_by_the_other_from_then_on(self):
        one, two = self.nodes
        released = 0
        for _ in range(20):
            self.until_known(lambda: self.add(one))
            other = Worker(two, platform=self.first.platform, mrenclave=self.VALUE)
            self.until_known(other.attest)
            stop = threading.Event()
            replies = []  # (when it was asked, status)

            def ask():
                connection = two.connection()
                while not stop.is_set():
                    began = time.monotonic()
                    envelope = base64.b64encode(ecies_seal(key, SECRET)).decode()
                    reply = two.post("/decrypt", {"encrypted_secrets": envelope, "seed": SEED}, token="worker",
                                     headers={"X-TEE-Session": other.session}, connection=connection)
                    replies.append((began, reply.status))
                connection.close()

            key = two.pubkey(SEED)
            threads = [threading.Thread(target=ask) for _ in range(3)]
            for t in threads:
                t.start()
            time.sleep(0.1)
            self.assertEqual(self.remove(one).status, 200)
            removed = time.monotonic()
            time.sleep(0.1)
            stop.set()
            for t in threads:
                t.join()
            self.assertEqual([r for r in replies if r[0] >= removed and r[1] == 200], [])
            self.assertTrue(any(r[0] >= removed for r in replies))
            released += sum(r[1] == 200 for r in replies)
            self.until_known(other.attest, 401)
        self.assertGreater(released, 20)
        print(f"postgres_test: 20 removals; {released} requests opened before them, none after", flush=True)

    def test_changes_of_both_do_not_overwrite_each_other(self):
        done = {}

        def change(k, numbers):
            for number in numbers:
                done[number] = self.until_known(lambda number=number: self.add(k, f"{number:02x}" * 32)).json()

        threads = [threading.Thread(target=change, args=(k, range(0x80 + i, 0x98, 2))) for i, k in enumerate(self.nodes)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len(done), 24)
        for k in self.nodes:
            self.until_known(lambda k=k: self.add(k, "80" * 32), 409)
            shown = next(p for p in k.get("/v1/policies", token="operator").json()["policies"] if p["name"] == "worker")
            self.assertEqual({v["value"] for v in shown["reference_values"]}, {f"{n:02x}" * 32 for n in range(0x80, 0x98)})
        versions = {k.get("/v1/policies", token="operator").json()["policy_version"] for k in self.nodes}
        self.assertEqual(len(versions), 1)

    def test_an_idle_node_learns_of_a_change_by_itself(self):
        one, two = self.nodes
        self.assertEqual(self.add(one).status, 200)
        time.sleep(3)
        other = Worker(two, platform=self.first.platform, mrenclave=self.VALUE)
        self.assertEqual(other.attest().status, 200)

    def test_a_paused_daemon_that_was_replaced_appends_nothing(self):
        one = self.nodes[0]
        worker = self.worker(one)
        self.opens(one, worker)
        os.kill(one.process.pid, signal.SIGSTOP)
        server.sql("UPDATE node SET expires = 1 WHERE node = 1", self.schema)  # as after 30 s
        heir = self.node(1)
        shutil.copytree(os.path.join(one.dir, "state"), os.path.join(heir.dir, "state"),
                        ignore=shutil.ignore_patterns("node.holder"))
        heir.start()
        lines, _ = workload.export_log(heir)
        os.kill(one.process.pid, signal.SIGCONT)
        for _ in range(3):
            reply = self.decrypt(one, worker)
            self.assertEqual((reply.status, reply.code), (503, "log_unavailable"), reply.body)
        ready = one.get("/readyz")
        self.assertEqual((ready.status, ready.code), (503, "lease_lost"))
        self.assertEqual(workload.metric(one, "vouchsafe_log_lease_lost"), 1)
        self.assertEqual(one.log().count("LEASE_LOST"), 1)
        self.assertEqual(workload.export_log(heir)[0], lines)
        # the way out: one of the two stops, the other starts again
        self.assertIn(one.stop(), (0, 1))
        self.opens(heir, self.worker(heir))
        self.assertEqual(heir.stop(), 0)
        one.start()
        self.opens(one, self.worker(one))

    def test_killed_and_paused_at_random_under_load(self):
        """Nothing acknowledged is lost, and every log verifies; the server restarts, too."""
        chance = random.Random(int.from_bytes(os.urandom(4), "big"))
        kills = int(os.environ.get("VOUCHSAFE_EXHAUSTIVE_KILLS", "20"))
        restarts = int(os.environ.get("VOUCHSAFE_EXHAUSTIVE_RESTARTS", "6"))
        acts = ["kill"] * kills + ["restart"] * restarts + ["pause"] * (kills // 4)
        chance.shuffle(acts)
        crews = [workload.Crew(k, 1) for k in self.nodes]
        acks = [os.path.join(k.dir, "acks") for k in self.nodes]
        for i, act in enumerate(acts):
            loads = [crew.start(100_000, 8, path, until_failure=True) for crew, path in zip(crews, acks)]
            time.sleep(chance.uniform(0.02, 0.3))
            k = chance.choice(self.nodes)
            if act == "kill":
                k.kill()
                k.start(START_MAX_S)
            elif act == "restart":
                server.restart()
            else:
                os.kill(k.process.pid, signal.SIGSTOP)
                time.sleep(chance.uniform(0.05, 0.5))
                os.kill(k.process.pid, signal.SIGCONT)
            time.sleep(chance.uniform(0, 0.1))
            for load in loads:
                if load.poll() is None:
                    load.send_signal(signal.SIGTERM)
                _, told = load.communicate(timeout=120)
                for line in told.split(b"\n"):  # while the server is away
                    if line.startswith(b"unexpected reply: "):
                        self.assertIn(b" 503 ", line)
            for k in self.nodes:
                k.wait_ready(START_MAX_S)
            if i % 50 == 49:
                print(f"postgres_test: {i + 1} of {len(acts)} blows", flush=True)
        total = 0
        for k, path in zip(self.nodes, acks):
            lines, note = workload.export_log(k)
            opened = [e["request_id"] for e in map(json.loads, lines) if e["op"] == "open"]
            acknowledged = workload.read_acks(path)
            total += len(acknowledged)
            self.assertEqual(len(opened), len(set(opened)), "a request is in the log twice")
            self.assertEqual(set(acknowledged) - set(opened), set(), "acknowledged, and not in the log")
            self.assertEqual(workload.verify_log(k, lines, note).returncode, 0)
            self.assertEqual(k.stop(), 0)
            k.start()  # which compares every row and entry with the sealed states
        print(f"postgres_test: {kills} kills, {restarts} restarts of the server, {kills // 4} pauses; "
              f"{total} acknowledged, none lost", flush=True)


if __name__ == "__main__":
    unittest.main()
