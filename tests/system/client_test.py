#!/usr/bin/env python3
"""The vouchsafe command and the example programs against the real daemon, from end to end."""
import base64
import hashlib
import http.client
import http.server
import json
import os
import ssl
import subprocess
import threading
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

import harness
from harness import BUILD, DEFAULT, MRENCLAVE, PLAIN, Keystore, command

SEED = "github.com/alice/project:alice.near"
SECRETS = b'{"OPENAI_KEY":"sk-test123"}'
LIES = b'{"OPENAI_KEY":"sk-evil666"}'


def hpke_seal(public, info, plain):
    """RFC 9180 base mode, as harness.hpke_open() reads it: anyone can do this."""
    ephemeral = X25519PrivateKey.generate()
    enc = harness.raw_public(ephemeral)
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x03"
    extract, expand = harness._labeled_extract, harness._labeled_expand
    prk = extract(kem, b"", b"eae_prk", ephemeral.exchange(X25519PublicKey.from_public_bytes(public)))
    secret = expand(kem, prk, b"shared_secret", enc + public, 32)
    context = b"\0" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    prk = extract(suite, secret, b"secret", b"")
    sealed = ChaCha20Poly1305(expand(suite, prk, b"key", context, 32)).encrypt(
        expand(suite, prk, b"base_nonce", context, 12), plain, b"")
    return base64.b64encode(enc).decode(), base64.b64encode(sealed).decode()


BELIEVING = ("encrypt", "pubkey", "decrypt", "attest", "log key", "log checkpoint", "log export", "log receipt")
TRUST = ("--require-attestation", "--attested", "--identity", "--unverified", "--pubkey", "--profile")


def unverified(arguments):
    """--unverified, for a command that believes an answer and is not told whose."""
    name = " ".join(arguments[:2]) if arguments[0] == "log" else arguments[0]
    known = [option for option in arguments if option in TRUST or (option == "--vkey" and arguments[0] == "log")]
    return ["--unverified"] if name in BELIEVING and not known else []


class WithKeystore(unittest.TestCase):
    POLICY = DEFAULT

    @classmethod
    def setUpClass(cls):
        cls.keystore = Keystore(policies=[cls.POLICY])
        cls.addClassCleanup(cls.keystore.close)
        with open(cls.keystore.config, encoding="utf-8") as file:
            config = json.load(file)
        next(t for t in config["tokens"] if t["name"] == "worker")["tenant"] = "acme"
        with open(cls.keystore.config, "w", encoding="utf-8") as file:
            json.dump(config, file)
        cls.keystore.init().start()

    def path(self, name):
        return os.path.join(self.keystore.dir, name)

    def run_cli(self, *arguments, data=b"", role=None, code=0, url=None):
        options = ["--url", url or self.keystore.url]
        if role:
            options += ["--token-file", self.keystore.token_file(role)]
        done = command(*options, *arguments, *unverified(arguments), check=False, stdin=data)
        self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
        return done

    def encrypt(self, *more):
        return self.run_cli("encrypt", "--seed", SEED, *more, data=SECRETS).stdout

    def decrypt(self, envelope, *more, role="worker", mrenclave=MRENCLAVE, **how):
        return self.run_cli("decrypt", "--seed", SEED, "--sim", self.keystore.platform.path,
                            "--mrenclave", mrenclave, *more, data=envelope, role=role, **how)

    def keystore_trust(self):
        """What names this keystore: its platform's root, and the measurement it presents."""
        root = os.path.join(self.keystore.dir, "state", "sim", "root_ca.pem")
        done = self.run_cli("pubkey", "--attested", "--trust-root", root, "--mrenclave", "ee" * 32,
                            "--json", code=1)
        error = json.loads(done.stdout)["error"]
        self.assertIn("measurement_mismatch", error)
        return ["--trust-root", root, "--mrenclave", error.rsplit("presented ", 1)[1]]

    def worker_trust(self):
        """The same where --mrenclave is the worker's own."""
        root_option, root, _, measurement = self.keystore_trust()
        return ["--require-attestation", root_option, root, "--keystore-mrenclave", measurement]


class ClientTest(WithKeystore):
    def test_secrets_go_round(self):
        for options in ([], ["--format", "ecies"], ["--require-attestation", *self.keystore_trust()]):
            envelope = self.encrypt(*options)
            self.assertEqual(self.decrypt(envelope).stdout, SECRETS)
            self.assertEqual(self.decrypt(envelope, "--inline", "--task", "7").stdout, SECRETS)
            self.assertEqual(self.decrypt(envelope, "--plain").stdout, SECRETS)  # sealed, nevertheless

    def policy_file(self, measurement, tee="simulated"):
        path = self.path(f"own-{tee}-{measurement[:8]}.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"policies:\n  - {{name: own, tee: {tee}, mrenclave: [\"{measurement}\"]}}\n")
        return path

    def test_a_keystore_by_policy(self):
        _, root, _, measurement = self.keystore_trust()
        trust = ["--trust-root", root, "--keystore-policy", self.policy_file(measurement)]
        worker = ["--require-attestation", *trust]
        sim = ["--sim", self.keystore.platform.path, "--mrenclave", MRENCLAVE]
        said = json.loads(self.run_cli("pubkey", "--attested", *trust, "--seed", SEED, "--json").stdout)
        self.assertTrue(said["verified"])
        self.assertIn(b"+", self.run_cli("log", "key", "--attested", *trust).stdout)
        envelope = self.encrypt("--require-attestation", *trust)
        done = self.decrypt(envelope, *worker)
        self.assertEqual((done.stdout, done.stderr), (SECRETS, b""))
        self.run_cli("attest", *sim, *worker, role="worker")
        for path, code in ((self.policy_file("ee" * 32), b"measurement_mismatch"),
                           (self.policy_file(measurement, "sgx"), b"tee_not_accepted")):
            trust[-1] = worker[-1] = path
            for arguments in (["pubkey", "--attested", *trust], ["log", "key", "--attested", *trust],
                              ["encrypt", "--seed", SEED, "--require-attestation", *trust]):
                done = self.run_cli(*arguments, data=SECRETS, code=1)
                self.assertEqual(done.stdout, b"", arguments)
                self.assertIn(code, done.stderr, arguments)
            self.assertIn(code, self.decrypt(envelope, *worker, code=1).stderr)
            self.assertIn(code, self.run_cli("attest", *sim, *worker, role="worker", code=1).stderr)
        trust[-1] = self.path("nothing.yaml")
        self.assertEqual(self.run_cli("pubkey", "--attested", *trust, code=4).stdout, b"")
        # without the root the same evidence is not trusted
        self.assertIn(b"root_not_pinned", self.run_cli(
            "pubkey", "--attested", "--keystore-policy", self.policy_file(measurement), code=1).stderr)

    def test_collateral_of_the_caller(self):
        _, root, _, measurement = self.keystore_trust()
        trust = ["--attested", "--trust-root", root, "--keystore-policy", self.policy_file(measurement)]
        with open(self.path("own-bundle.json"), "wb") as file:
            file.write(command("sim", "collateral", "--dir", os.path.dirname(root)).stdout)
        self.run_cli("pubkey", *trust, "--collateral", self.path("own-bundle.json"))
        with open(self.path("bad-bundle.json"), "w", encoding="utf-8") as file:
            file.write("{}")
        self.run_cli("pubkey", *trust, "--collateral", self.path("bad-bundle.json"), code=1)
        self.run_cli("pubkey", *trust, "--collateral", self.path("no-bundle.json"), code=4)

    def test_a_verified_keystore(self):
        envelope, trust = self.encrypt(), self.worker_trust()
        receipt = self.path("verified.receipt")
        done = self.decrypt(envelope, *trust, "--task", "7 \u2603", "--receipt", receipt)
        self.assertEqual((done.stdout, done.stderr), (SECRETS, b""))  # nothing to warn of
        self.assertIn(b"--unverified", self.decrypt(envelope).stderr)
        trust[-1] = "ee" * 32
        self.assertEqual(self.decrypt(envelope, *trust, code=1).stdout, b"")
        said = self.run_cli("attest", "--json", "--sim", self.keystore.platform.path, "--mrenclave",
                            MRENCLAVE, *self.worker_trust(), role="worker").stdout
        self.assertTrue(json.loads(said)["verified"])

    def test_a_profile_is_the_short_way(self):
        profile = {"VOUCHSAFE_PROFILE": self.path("profiles/mine")}
        trust = self.worker_trust()
        def run(*arguments, code=0, stdin=b"", **more):
            done = command(*arguments, check=False, stdin=stdin, env={**profile, **more})
            self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
            return done
        run("profile", "create", "--url", self.keystore.url, *trust[:-1], "ee" * 32, code=1)
        self.assertFalse(os.path.exists(profile["VOUCHSAFE_PROFILE"]))
        run("profile", "create", "--url", self.keystore.url, "--token-file", self.keystore.token_file("worker"), *trust)
        envelope = run("encrypt", "--seed", SEED, stdin=SECRETS)
        self.assertEqual(envelope.stderr, b"")
        said = json.loads(run("encrypt", "--seed", SEED, "--json", stdin=SECRETS).stdout)
        self.assertEqual((said["verified"], said["keystore"]), (True, "pinned"))
        worker = ["--sim", self.keystore.platform.path, "--mrenclave", MRENCLAVE]
        self.assertEqual(run("decrypt", "--seed", SEED, *worker, "--receipt", self.path("r"),
                             stdin=envelope.stdout).stdout, SECRETS)
        self.assertTrue(json.loads(run("attest", "--json", *worker).stdout)["verified"])
        run("log", "verify-receipt", self.path("r"))
        run("log", "checkpoint", "--out", self.path("kept-by-profile"))
        self.assertEqual(json.loads(run("pubkey", "--json", "--require-attestation").stdout)["keystore"], "attested")
        # another keystore, or this one with another root, does not sign with that identity
        wrong = {"VOUCHSAFE_IDENTITY": "ab" * 32}
        for arguments in (["encrypt", "--seed", SEED], ["pubkey"], ["attest", *worker]):
            done = run(*arguments, code=1, stdin=SECRETS, **wrong)
            self.assertIn(b"not signed by the keystore's identity key", done.stderr)
            self.assertEqual(done.stdout, b"")
        done = run("pubkey", "--require-attestation", code=1, **wrong)
        self.assertIn(b"is pinned", done.stderr)
        vkey = run("log", "key").stdout.decode().strip()
        other = vkey[:-6] + ("AAAAA=" if not vkey.endswith("AAAAA=") else "BBBBB=")
        for arguments in (["log", "checkpoint"], ["log", "export", "--out", self.path("none"), "--token-file",
                          self.keystore.token_file("auditor")]):
            done = command(*arguments, check=False, env={**profile, "VOUCHSAFE_VKEY": other})
            self.assertIn(done.returncode, (1, 4), arguments)
        self.assertFalse(os.path.exists(self.path("none")))

    def test_the_log_is_listed(self):
        self.decrypt(self.encrypt())
        self.decrypt(self.encrypt(), mrenclave="ee" * 32, code=1)
        def lines(*arguments, **how):
            return self.run_cli("log", *arguments, role="auditor", **how).stdout.decode().splitlines()
        everything = [json.loads(line) for line in lines("list", "--count", "100000", "--json")]
        self.assertEqual(everything[0]["op"], "init")
        plain = lines("list", "--count", "100000")
        self.assertEqual([int(line.split()[0]) for line in plain], list(range(len(everything))))
        self.assertEqual([line.split()[2] for line in plain], [entry["op"] for entry in everything])
        self.assertEqual(len(lines("tail", "--count", "3")), 3)
        denied = [json.loads(line) for line in lines("list", "--count", "100000", "--decision", "deny", "--json")]
        self.assertEqual(denied, [entry for entry in everything if entry["decision"] == "deny"])
        self.assertGreater(len(denied), 0)
        opened = lines("list", "--count", "100000", "--op", "open", "--key", SEED, "--principal", "worker")
        self.assertGreater(len(opened), 0)
        self.assertTrue(all(" acme/worker " in line for line in opened))
        self.assertEqual(lines("list", "--count", "100000", "--op", "open", "--tenant", "acme"),
                         lines("list", "--count", "100000", "--op", "open", "--principal", "worker"))
        self.assertEqual(lines("list", "--count", "100000", "--tenant", "default"), [])
        middle = everything[len(everything) // 2]["time"][:19] + "Z"
        later = [entry for entry in everything if entry["time"][:19] + "Z" >= middle]
        since = [json.loads(line) for line in lines("list", "--since", middle, "--json")]
        self.assertEqual(since[:len(later)], later)
        self.assertEqual(lines("list", "--since", "4102444800"), [])
        exported = lines("export", "--unverified", "--since", middle, "--out", "-")
        self.assertEqual([json.loads(line) for line in exported][:len(later)], later)
        self.run_cli("log", "list", "--since", "yesterday", role="auditor", code=2)
        self.run_cli("log", "list", role="worker", code=1)
        said = self.run_cli("explain", denied[-1]["request_id"], role="auditor").stdout
        self.assertIn(denied[-1]["code"].encode(), said)
        self.assertRegex(said, rb"tenant +acme\n")

    def test_options_without_proof_are_refused_with_a_verified_keystore(self):
        envelope, trust = self.encrypt(), self.worker_trust()
        for option in ("--inline", "--plain"):
            done = self.decrypt(envelope, *trust, option, code=1)
            self.assertIn(b"proves nothing about who answers", done.stderr)
            self.assertEqual(done.stdout, b"")

    def test_a_session_of_an_unverified_keystore_is_not_taken_for_a_verified_one(self):
        options = ["--key-file", self.path("w2.key"), "--session-file", self.path("session2")]
        envelope, trust = self.encrypt(), self.worker_trust()
        tokens = []
        for more in ([], [], trust, trust, []):  # made, kept, made again, kept, kept
            self.assertEqual(self.decrypt(envelope, *options, *more).stdout, SECRETS)
            with open(self.path("session2"), encoding="ascii") as file:
                tokens.append(json.load(file)["session"])
        self.assertEqual(tokens[0], tokens[1])
        self.assertNotEqual(tokens[1], tokens[2])
        self.assertEqual(tokens[2:], tokens[2:3] * 3)
        os.chmod(self.path("session2"), 0o640)
        self.decrypt(envelope, *options)  # the group is our own
        for mode in (0o644, 0o660, 0o602):
            os.chmod(self.path("session2"), mode)
            done = self.decrypt(envelope, *options, code=4)
            self.assertIn(f"{mode:04o}".encode(), done.stderr)
            self.assertIn(b"session2", done.stderr)

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
        with open(self.path("session"), encoding="ascii") as file:
            session = json.load(file)
        session["reply_key"] = "00" * 32  # replies are sealed with another
        with open(self.path("session"), "w", encoding="ascii") as file:
            json.dump(session, file)
        self.assertEqual(self.decrypt(envelope, *options, code=1).stdout, b"")

    def test_refusals_name_the_remedy(self):
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
        arguments = [worker, self.keystore.url, self.keystore.token_file("worker"),
                     self.keystore.platform.path, SEED, self.path("r")]
        for named, why in ((trust[3], b"measurement_mismatch, request"),  # the worker's is not in the policy
                           ("ee" * 32, b"the keystore is not accepted")):
            refused = subprocess.run([*arguments, named, trust[1]], input=run.stdout,
                                     capture_output=True, timeout=60, check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn(why, refused.stderr)
        measured = command("sim", "measure", worker).stdout.decode().strip()
        policies = [{"name": "worker", "tee": "simulated", "mrenclave": [measured],
                     "tcb_status": ["UpToDate"]}]
        with Keystore(policies=policies) as other:
            envelope = command("--url", other.url, "encrypt", "--seed", SEED, "--unverified", stdin=SECRETS).stdout
            root = os.path.join(other.dir, "state", "sim", "root_ca.pem")
            done = subprocess.run([worker, other.url, other.token_file("worker"), other.platform.path,
                                   SEED, os.path.join(other.dir, "r"), trust[3], root],
                                  input=base64.b64decode(envelope), capture_output=True,
                                  timeout=60, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, SECRETS), done.stderr)


class Gateway:
    """Stands between client and keystore, reads everything, and changes replies as it is told:
    change(method, path, request, reply, headers) gives the new body of a reply; instead(path) one
    of its own, also where the keystore refuses."""

    def __init__(self, keystore):
        self.keystore, self.change = keystore, lambda method, path, request, reply, headers: reply
        self.instead = lambda path: None
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                size = int(self.headers.get("Content-Length") or 0)
                request = self.rfile.read(size)
                upstream = http.client.HTTPConnection("127.0.0.1", gateway.keystore.port, timeout=30)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
                upstream.request(self.command, self.path, request or None, headers)
                answer = upstream.getresponse()
                reply = answer.read()
                replied = {"X-Request-Id": answer.headers.get("X-Request-Id", "")}
                if answer.status == 200:
                    reply = gateway.change(self.command, self.path, request, reply, replied)
                own = gateway.instead(self.path)
                reply = reply if own is None else own
                self.send_response(answer.status if own is None else 200)
                for name, value in replied.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)
                upstream.close()

            do_GET = do_POST = pass_on

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def member(name, change):
    """A change of one member of the replies to /decrypt."""
    def apply(_method, path, _request, reply, _headers):
        if path != "/decrypt":
            return reply
        said = json.loads(reply)
        said[name] = change(said[name])
        return json.dumps(said).encode()
    return apply


class GatewayTest(WithKeystore):
    """A machine that ends TLS in between can refuse, and do nothing else."""

    POLICY = PLAIN  # even then, a client that asks for a seal gets one, or nothing

    def setUp(self):
        self.gateway = Gateway(self.keystore)
        self.addCleanup(self.gateway.close)
        self.envelope = self.encrypt()
        self.trust = self.worker_trust()

    def through(self, *more, code=0):
        return self.decrypt(self.envelope, *more, url=self.gateway.url, code=code)

    def refused(self, *more, why):
        out = self.path("stolen")
        done = self.through(*self.trust, *more, "--out", out, code=1)
        self.assertIn(why, done.stderr)
        self.assertEqual(done.stdout, b"")
        self.assertFalse(os.path.exists(out))

    def test_unchanged_messages_are_accepted(self):
        done = self.through(*self.trust, "--receipt", self.path("receipt"))
        self.assertEqual((done.stdout, done.stderr), (SECRETS, b""))

    def test_the_seal_cannot_be_asked_away(self):
        seen = []

        def look(_method, path, _request, reply, _headers):
            if path == "/decrypt":
                seen.append(reply)
            return reply
        self.gateway.change = look
        self.through(*self.trust)
        self.assertEqual(len(seen), 1)
        self.assertEqual(set(json.loads(seen[0])["sealed_secrets"]), {"nonce", "ciphertext"})

        def plain(_method, path, _request, reply, _headers):
            return (json.dumps({"plaintext_secrets": base64.b64encode(LIES).decode()}).encode()
                    if path == "/decrypt" else reply)
        self.gateway.change = plain
        self.refused(why=b"not sealed")

    def test_secrets_of_its_own_are_not_taken(self):
        public = []

        def change(_method, path, request, reply, headers):
            if path == "/v1/attest":
                public.append(bytes.fromhex(json.loads(request)["public_key"]))
            if path != "/decrypt":
                return reply
            info = b"vouchsafe-reply-v1\0" + headers["X-Request-Id"].encode()
            enc, ciphertext = hpke_seal(public[-1], info, LIES)
            return json.dumps({"sealed_secrets": {"enc": enc, "ciphertext": ciphertext}}).encode()
        self.gateway.change = change
        self.refused(why=b"anyone can do")

    def test_no_reply_is_taken_for_another(self):
        kept = []

        def older(_method, path, _request, reply, headers):
            if path == "/decrypt":
                kept.append((reply, headers["X-Request-Id"]))
                if len(kept) > 1:  # the first one's reply, with its id
                    reply, headers["X-Request-Id"] = kept[0]
            return reply
        session = ["--key-file", self.path("g.key"), "--session-file", self.path("g.session")]
        self.gateway.change = older
        self.through(*self.trust, *session, "--task", "1")
        self.refused(*session, "--task", "2", why=b"not made by this session's keystore for this request")
        self.gateway.change = lambda _m, path, _r, reply, headers: (
            headers.update({"X-Request-Id": kept[0][1]}) if path == "/decrypt" else None) or reply
        self.refused(*session, why=b"not made by this session's keystore for this request")

    def test_inline_evidence_does_not_prove_the_sender_of_a_reply(self):
        """As the manual says; with a verified keystore it is refused (ClientTest)."""
        def change(_method, path, request, reply, headers):
            if path != "/decrypt":
                return reply
            public = bytes.fromhex(json.loads(request)["attestation"]["worker_pubkey"])
            enc, ciphertext = hpke_seal(public, b"vouchsafe-reply-v1\0" + headers["X-Request-Id"].encode(), LIES)
            return json.dumps({"sealed_secrets": {"enc": enc, "ciphertext": ciphertext}}).encode()
        self.gateway.change = change
        done = self.through("--inline")
        self.assertEqual(done.stdout, LIES)
        self.assertIn(b"--unverified", done.stderr)

    def test_a_session_of_its_own_is_not_taken(self):
        def change(_method, path, _request, reply, _headers):
            if path != "/v1/attest":
                return reply
            said = json.loads(reply)
            said.update(changes)
            return json.dumps(said).encode()
        self.gateway.change = change
        for changes in ({"signature": base64.b64encode(bytes(64)).decode()},
                        {"reply_key": {"enc": base64.b64encode(b"\x09" + bytes(31)).decode(),
                                       "ciphertext": base64.b64encode(bytes(48)).decode()}},
                        {"session": "a.b.c"}):
            self.refused(why=b"not signed by the keystore's identity key")

    def test_the_log_cannot_be_renamed(self):
        def change(_method, path, _request, reply, _headers):
            if not path.startswith("/v1/attestation"):
                return reply
            said = json.loads(reply)
            said["log_origin"] += ".example"
            return json.dumps(said).encode()
        self.gateway.change = change
        self.refused(why=b"report_data_mismatch")

    def test_collateral_that_does_not_come_along(self):
        """As of a keystore on real hardware: from the caller, or from the keystore's store."""
        asked = []
        own = command("sim", "collateral", "--dir", os.path.join(self.keystore.dir, "state", "sim")).stdout

        def strip(_method, path, _request, reply, _headers):
            if not path.startswith("/v1/attestation"):
                return reply
            said = json.loads(reply)
            del said["collateral"]
            return json.dumps(said).encode()

        def serve(path):
            if path.startswith("/v1/collateral/item?"):
                asked.append(path)
                return held
            return None
        held = None
        self.gateway.instead = serve
        self.gateway.change = strip
        self.refused(why=b"collateral_missing; needed: intel-sgx-")
        self.refused(why=b"--fetch-collateral")
        with open(self.path("given.json"), "wb") as file:
            file.write(own)
        done = self.through(*self.trust, "--collateral", self.path("given.json"))
        self.assertEqual((done.stdout, asked), (SECRETS, []))
        self.refused("--fetch-collateral", why=b"collateral_missing")  # the daemon has only the workers' collateral
        with open(self.keystore.collateral, "rb") as file:
            held = file.read()
        self.refused("--fetch-collateral", why=b"(step collateral)")
        held = own
        done = self.through(*self.trust, "--fetch-collateral")
        self.assertEqual((done.stdout, done.stderr), (SECRETS, b""))
        self.assertEqual(len(asked), 3)

    def test_a_receipt_of_something_else_shows_nothing(self):
        receipts = []

        def keep(receipt):
            receipts.append(receipt)
            return receipt
        out = self.path("receipt")
        self.gateway.change = member("receipt", keep)
        self.through(*self.trust, "--receipt", out)
        self.gateway.change = member("receipt", lambda _: receipts[0])
        self.refused("--receipt", out, why=b"the receipt is of request")

        def signed_by_nobody(receipt):
            return {**receipt, "checkpoint": receipt["checkpoint"].rsplit(" ", 1)[0] + " " +
                    base64.b64encode(bytes(68)).decode() + "\n"}
        self.gateway.change = member("receipt", signed_by_nobody)
        self.refused("--receipt", out, why=b"the receipt is not good")
        self.gateway.change = member("receipt", lambda r: {**r, "entry": r["entry"].replace(
            '"op":"open"', '"op":"attest"')})
        self.refused("--receipt", out, why=b"the receipt is not good")


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
        arguments = ("pubkey", "--seed", SEED, "--json", *arguments)
        return command("--url", self.keystore.url, *arguments, *unverified(arguments), check=False)

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
                           "--unverified", stdin=SECRETS).stdout
        plain = command("--url", self.keystore.url, "--pin", self.pin, "--token-file",
                        self.keystore.token_file("worker"), "decrypt", "--unverified", "--seed", SEED, "--sim",
                        self.keystore.platform.path, "--mrenclave", MRENCLAVE, stdin=envelope)
        self.assertEqual(plain.stdout, SECRETS)


if __name__ == "__main__":
    unittest.main()
