#!/usr/bin/env python3
"""The vouchsafe command and the example programs against the real daemon, from end to end."""
import base64
import hashlib
import json
import os
import ssl
import subprocess
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from harness import BUILD, MRENCLAVE, Keystore, command

SEED = "github.com/alice/project:alice.near"
SECRETS = b'{"OPENAI_KEY":"sk-test123"}'


class ClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keystore = Keystore()
        cls.addClassCleanup(cls.keystore.close)
        cls.keystore.init().start()

    def path(self, name):
        return os.path.join(self.keystore.dir, name)

    def run_cli(self, *arguments, data=b"", role=None, code=0):
        options = ["--url", self.keystore.url]
        if role:
            options += ["--token-file", self.keystore.token_file(role)]
        done = command(*options, *arguments, check=False, stdin=data)
        self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
        return done

    def encrypt(self, *more):
        return self.run_cli("encrypt", "--seed", SEED, *more, data=SECRETS).stdout

    def decrypt(self, envelope, *more, role="worker", mrenclave=MRENCLAVE, code=0):
        return self.run_cli("decrypt", "--seed", SEED, "--sim", self.keystore.platform.path,
                            "--mrenclave", mrenclave, *more, data=envelope, role=role, code=code)

    def keystore_trust(self):
        """What names this keystore: its platform's root, and the measurement it presents."""
        root = os.path.join(self.keystore.dir, "state", "sim", "root_ca.pem")
        done = self.run_cli("pubkey", "--attested", "--trust-root", root, "--mrenclave", "ee" * 32,
                            "--json", code=1)
        error = json.loads(done.stdout)["error"]
        self.assertIn("measurement_mismatch", error)
        return ["--trust-root", root, "--mrenclave", error.rsplit("presented ", 1)[1]]

    def test_secrets_go_round(self):
        for options in ([], ["--format", "ecies"], ["--require-attestation", *self.keystore_trust()]):
            envelope = self.encrypt(*options)
            self.assertEqual(self.decrypt(envelope).stdout, SECRETS)
            self.assertEqual(self.decrypt(envelope, "--inline", "--task", "7").stdout, SECRETS)
            self.assertEqual(self.decrypt(envelope, "--plain").stdout, SECRETS)

    def test_repository_and_seed_are_the_same_key(self):
        by_seed = self.run_cli("pubkey", "--seed", SEED).stdout
        by_repo = self.run_cli("pubkey", "--repo", "https://github.com/alice/project.git",
                               "--owner", "alice.near").stdout
        self.assertEqual(by_seed, by_repo)
        self.assertNotEqual(by_seed, self.run_cli("pubkey").stdout)

    def test_a_session_is_kept_and_renewed(self):
        options = ["--key-file", self.path("worker.key"), "--session-file", self.path("session")]
        envelope = self.encrypt()
        self.decrypt(envelope, *options)
        first = os.stat(self.path("session")).st_mtime_ns
        self.decrypt(envelope, *options)
        self.assertEqual(os.stat(self.path("session")).st_mtime_ns, first)
        with open(self.path("session"), encoding="ascii") as file:
            session = json.load(file)
        session["session"] = session["session"][:-4] + "AAAA"  # the keystore will not know it
        with open(self.path("session"), "w", encoding="ascii") as file:
            json.dump(session, file)
        self.decrypt(envelope, *options)

    def test_refusals_say_what_to_do(self):
        envelope = self.encrypt()
        done = self.decrypt(envelope, mrenclave="33" * 32, code=1)
        self.assertIn(b"measurement_mismatch", done.stderr)
        self.assertIn(b"33" * 32, done.stderr)
        self.assertIn(b"what to do", done.stderr)
        done = self.decrypt(envelope, role="auditor", code=1)
        self.assertEqual(done.stdout, b"")
        self.decrypt(envelope, "--debug", code=1)
        self.run_cli("decrypt", "--seed", SEED + "x", "--sim", self.keystore.platform.path,
                     "--mrenclave", MRENCLAVE, data=envelope, role="worker", code=1)
        self.run_cli("status", role="worker", code=1)

    def test_the_log(self):
        envelope = self.encrypt()
        kept, log, note = self.path("kept"), self.path("log.ndjson"), self.path("note")
        receipt = self.path("receipt.json")
        for old in (kept, log, note):
            if os.path.exists(old):
                os.remove(old)
        self.decrypt(envelope)
        self.run_cli("log", "checkpoint", "--out", kept)
        said = self.run_cli("decrypt", "--seed", SEED, "--sim", self.keystore.platform.path,
                            "--mrenclave", MRENCLAVE, "--receipt", receipt, "--json",
                            data=envelope, role="worker")
        request = json.loads(said.stdout)["request_id"]
        vkey = json.loads(self.run_cli("log", "export", "--out", log, "--checkpoint-out", note,
                                       "--json", role="auditor").stdout)["vkey"]
        self.run_cli("log", "verify", log, "--checkpoint", note, "--vkey", vkey, "--kept", kept)
        self.run_cli("log", "checkpoint", "--vkey", vkey, "--kept", kept)
        self.run_cli("log", "verify-receipt", receipt, "--vkey", vkey, "--request", request)
        fetched = self.run_cli("log", "receipt", request, role="worker").stdout
        with open(self.path("fetched"), "wb") as file:
            file.write(fetched)
        self.run_cli("log", "verify-receipt", self.path("fetched"), "--vkey", vkey)
        self.assertIn(b"worker", self.run_cli("explain", request, role="operator").stdout)
        example = os.path.join(BUILD, "examples", "example_verify_receipt")
        self.assertEqual(subprocess.run([example, receipt, vkey], check=False, timeout=60,
                                        capture_output=True).returncode, 0)
        with open(log, "rb") as file:
            lines = file.readlines()
        lines[1] = lines[1].replace(b"allow", b"deny ", 1)
        del lines[0]
        with open(log, "wb") as file:
            file.writelines(lines)
        done = self.run_cli("log", "verify", log, "--checkpoint", note, "--vkey", vkey, "--kept",
                            kept, "--json", code=1)
        self.assertIn(json.loads(done.stdout)["fault"], ("changed", "malformed_entry", "missing"))

    def test_status(self):
        said = json.loads(self.run_cli("status", "--json", role="operator").stdout)
        self.assertTrue(said["simulated"])

    def test_examples(self):
        trust = self.keystore_trust()
        run = subprocess.run([os.path.join(BUILD, "examples", "example_encrypt"), self.keystore.url,
                              "github.com/alice/project", "alice.near", trust[3], trust[1]],
                             input=SECRETS, capture_output=True, timeout=60, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.decrypt(run.stdout).stdout, SECRETS)
        worker = os.path.join(BUILD, "examples", "example_worker")
        refused = subprocess.run([worker, self.keystore.url, self.keystore.token_file("worker"),
                                  self.keystore.platform.path, SEED, self.path("r")],
                                 input=run.stdout, capture_output=True, timeout=60, check=False)
        self.assertNotEqual(refused.returncode, 0)  # its measurement is not in the policy
        self.assertIn(b"measurement_mismatch", refused.stderr)
        measured = command("sim", "measure", worker).stdout.decode().strip()
        policies = [{"name": "worker", "tee": "simulated", "mrenclave": [measured],
                     "tcb_status": ["UpToDate"]}]
        with Keystore(policies=policies) as other:
            envelope = command("--url", other.url, "encrypt", "--seed", SEED, stdin=SECRETS).stdout
            done = subprocess.run([worker, other.url, other.token_file("worker"),
                                   other.platform.path, SEED, os.path.join(other.dir, "r")],
                                  input=base64.b64decode(envelope), capture_output=True,
                                  timeout=60, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, SECRETS), done.stderr)


class TlsTest(unittest.TestCase):
    """The keystore ends TLS itself, with a certificate that no CA knows."""

    @classmethod
    def setUpClass(cls):
        cls.keystore = Keystore(tls=True)
        cls.addClassCleanup(cls.keystore.close)
        cls.keystore.init().start()
        pem = ssl.get_server_certificate(("127.0.0.1", cls.keystore.port))
        spki = x509.load_pem_x509_certificate(pem.encode()).public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        cls.pin = hashlib.sha256(spki).hexdigest()

    def pubkey(self, *arguments):
        return command("--url", self.keystore.url, "pubkey", "--seed", SEED, "--json", *arguments,
                       check=False)

    def test_only_the_pinned_key_is_spoken_to(self):
        self.assertEqual(self.pubkey().returncode, 3)
        self.assertEqual(self.pubkey("--pin", "00" * 32).returncode, 3)
        self.assertEqual(self.pubkey("--pin", self.pin).returncode, 0)

    def test_the_evidence_names_the_tls_key(self):
        root = os.path.join(self.keystore.dir, "state", "sim", "root_ca.pem")
        options = ["--pin", self.pin, "--attested", "--trust-root", root, "--mrenclave"]
        error = json.loads(self.pubkey(*options, "ee" * 32).stdout)["error"]
        done = self.pubkey(*options, error.rsplit("presented ", 1)[1])
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertTrue(json.loads(done.stdout)["verified"])

    def test_a_worker_over_tls(self):
        envelope = command("--url", self.keystore.url, "--pin", self.pin, "encrypt", "--seed", SEED,
                           stdin=SECRETS).stdout
        plain = command("--url", self.keystore.url, "--pin", self.pin, "--token-file",
                        self.keystore.token_file("worker"), "decrypt", "--seed", SEED, "--sim",
                        self.keystore.platform.path, "--mrenclave", MRENCLAVE, stdin=envelope)
        self.assertEqual(plain.stdout, SECRETS)


if __name__ == "__main__":
    unittest.main()
