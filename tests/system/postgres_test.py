#!/usr/bin/env python3
"""The keystore on a real PostgreSQL server: two daemons on one database, lost servers, lost connections, leases.

VOUCHSAFE_EXHAUSTIVE_KILLS, VOUCHSAFE_EXHAUSTIVE_RESTARTS: how often the long tests kill the daemon and restart
the server; docs/testing.md.
"""
import json
import os
import subprocess
import unittest

import postgres
from harness import Keystore, Worker, ecies_seal

SEED = "github.com/alice/project:alice.near"
SECRET = b'{"KEY":"value"}'
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


if __name__ == "__main__":
    unittest.main()
