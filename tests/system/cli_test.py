#!/usr/bin/env python3
"""The vouchsafe command without a keystore: usage, help, and everything that works offline.

VOUCHSAFE names the binary; without it the newest one below build*/ is taken.
"""
import base64
import glob
import json
import os
import stat
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PUBKEY = "fb3234db8f36e87a8ec08c1b77799b55788f8855931c76eec948f33b76f9ff19"
SEED = "github.com/alice/project:alice.near"
COMMANDS = [
    "collateral fetch", "collateral import", "collateral export", "collateral show",
    "init", "config check", "token new", "pubkey", "encrypt", "decrypt", "attest",
    "attest explain", "attest verify",
    "sim create", "sim quote", "sim collateral", "sim measure", "log checkpoint", "log export",
    "log verify", "log receipt", "log verify-receipt", "explain", "status",
]


def find_binary():
    named = os.environ.get("VOUCHSAFE")
    if named:
        return named
    found = glob.glob(os.path.join(ROOT, "build*", "src", "cli", "vouchsafe"))
    if not found:
        raise SystemExit("no vouchsafe binary below build*/; set VOUCHSAFE")
    return max(found, key=os.path.getmtime)


BINARY = find_binary()


class CliTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def run_cli(self, *arguments, data=b"", environment=None):
        env = {"PATH": "/usr/bin:/bin", "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")}
        env.update(environment or {})
        return subprocess.run([BINARY, *arguments], input=data, capture_output=True, env=env,
                              timeout=60, check=False)

    def expect(self, code, *arguments, data=b"", environment=None):
        done = self.run_cli(*arguments, data=data, environment=environment)
        self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
        return done

    def make_sim(self):
        self.expect(0, "sim", "create", self.path("sim"))
        return self.path("sim")


class Usage(CliTest):
    def test_help_tells_whose_evidence_is_meant(self):
        text = self.expect(0, "attest", "verify", "--help").stdout.decode()
        self.assertNotIn("keystore's own evidence", text)
        self.assertRegex(text, r"--appraise +insist on --mrenclave or --mrsigner")
        for command in ("attest", "decrypt"):
            text = self.expect(0, command, "--help").stdout.decode()
            self.assertRegex(text, r"--require-attestation +verify the keystore's own evidence")
            self.assertRegex(text, r"--mrenclave HEX +measurement to pretend")
            self.assertRegex(text, r"--keystore-mrenclave HEX +accept this measurement")
            self.assertRegex(text, r"--keystore-policy PATH +accept what this policy")

    def test_each_command_explains_itself(self):
        for command in COMMANDS:
            done = self.expect(0, *command.split(), "--help")
            text = done.stdout.decode()
            self.assertIn("Usage: vouchsafe " + command, text)
            self.assertIn("Example", text)
            self.assertIn("Exit codes:", text)
            self.assertIn("--json", text)
            self.assertNotIn("--token ", text, "a token is never an argument")

    def test_the_overview_names_every_command(self):
        text = self.expect(0, "--help").stdout.decode()
        for command in COMMANDS:
            self.assertIn("  " + command + " ", text)

    def test_wrong_usage_is_2_and_says_where_help_is(self):
        for arguments in (
                [], ["nope"], ["sim"], ["sim", "nope"], ["token"], ["--nope", "status"],
                ["status", "--nope"], ["status", "extra"], ["encrypt", "--format"],
                ["encrypt", "--seed", "a", "--repo", "b", "--owner", "c"],
                ["encrypt", "--repo", "b"], ["encrypt", "--branch", "b"],
                ["encrypt", "--pubkey", "12"], ["encrypt", "--pubkey", PUBKEY, "--format", "xor"],
                ["encrypt", "--key-version", "-1", "--pubkey", PUBKEY],
                ["encrypt", "--pubkey", PUBKEY, "--require-attestation"],
                ["encrypt", "--mrenclave", "0" * 64, "--seed", "a"],
                ["encrypt", "--require-attestation", "--seed", "a"],
                ["encrypt", "--keystore-policy", "p.yaml", "--seed", "a"],
                ["encrypt", "--collateral", "dir", "--seed", "a"],
                ["log", "key", "--fetch-collateral"],
                ["log", "key", "--attested", "--collateral", "dir"],
                ["pubkey", "--attested", "--keystore-policy", "p.yaml", "--mrenclave", "0" * 64],
                ["pubkey", "--attested", "--keystore-policy", "p.yaml", "--accept-status", "OutOfDate"],
                ["attest", "--sim", "a", "--keystore-policy", "p.yaml"],
                ["decrypt", "--sim", "a", "--keystore-policy", "p.yaml"],
                ["encrypt", "--env", "A=B"], ["pubkey", "--attested", "--mrsigner", "0" * 64],
                ["decrypt"], ["decrypt", "--sim", "a", "--quote-command", "b"],
                ["decrypt", "--sim", "a", "--session-file", "s"], ["attest", "verify"],
                ["attest", "explain"], ["attest", "explain", "x", "--nonce", "00" * 32],
                ["attest", "verify", "quote", "--tee", "enclave"],
                ["attest", "verify", "quote", "--at", "yesterday"],
                ["attest", "verify", "quote", "--report-data", "00"], ["attest", "verify", "a", "b"],
                ["sim", "quote", "--dir", "x"], ["log", "verify"],
                ["log", "verify", "x"], ["log", "verify-receipt", "x"], ["explain"],
                ["token", "new", "--role", "king"], ["token", "new", "--name", "a b"],
                ["status", "--url", "ftp://x", "--token-file", "/dev/null"],
                ["status", "--pin", "0" * 64], ["status", "--pin", "zz"],
                ["attest", "--sim", "a", "--keystore-mrenclave", "0" * 64],
                ["decrypt", "--sim", "a", "--trust-root", "root.pem"],
                ["attest", "verify", "quote", "--collateral", "bundle", "--appraise"]):
            done = self.expect(2, *arguments)
            self.assertIn(b"--help", done.stderr + done.stdout, arguments)

    def test_a_request_without_token_says_how_to_give_one(self):
        done = self.expect(2, "status")
        self.assertIn(b"--token-file", done.stderr)

    def test_an_unreachable_keystore_is_3(self):
        token = self.path("token")
        with open(token, "w", encoding="ascii") as file:
            file.write("abc\n")
        url = "http://127.0.0.1:1"
        self.expect(3, "status", "--url", url, "--token-file", token)
        self.expect(3, "--url", url, "pubkey")
        self.expect(3, "pubkey", environment={"VOUCHSAFE_URL": url})
        done = self.expect(3, "pubkey", "--url", url, "--json")
        self.assertEqual(json.loads(done.stdout)["code"], "unreachable")
        self.expect(4, "status", "--url", url, "--token-file", self.path("none"))


class Transport(CliTest):
    """Tokens and keys travel there: in the clear only on this machine, or when it is written out."""

    COMMANDS = (["pubkey"], ["encrypt", "--seed", SEED], ["log", "key"], ["log", "checkpoint"],
                ["status"], ["explain", "01932f6e-7b8a-7cc0-9d3e-0123456789ab"])

    def test_http_to_another_machine_is_refused(self):
        for url in ("http://192.0.2.1:1", "http://keystore.example", "http://127.0.0.1.example:80",
                    "http://localhost.example", "http://0.0.0.0:1", "http://[::2]:1",
                    "http://[::1].example", "http://128.0.0.1", "http://127.1:1",
                    "http://" + "1" * 200):
            for arguments in self.COMMANDS:
                done = self.expect(2, *arguments, "--url", url)
                self.assertIn(b"--insecure-http", done.stderr)
        done = self.expect(2, "pubkey", environment={"VOUCHSAFE_URL": "http://192.0.2.1"})
        self.assertIn(b"--insecure-http", done.stderr)

    def test_this_machine_and_tls_are_allowed(self):
        for url in ("http://127.0.0.1:1", "http://127.9.9.9:1", "http://localhost:1",
                    "http://[::1]:1/", "https://localhost:1"):
            self.expect(3, "pubkey", "--url", url)

    def test_it_can_be_allowed(self):
        done = self.expect(3, "pubkey", "--url", "http://0.0.0.0:1", "--insecure-http")
        self.assertNotIn(b"--insecure-http", done.stderr)
        self.expect(3, "--insecure-http", "--url", "http://0.0.0.0:1", "pubkey")


class Unverified(CliTest):
    def test_whoever_is_believed_without_evidence_is_warned_of(self):
        url = ["--url", "http://127.0.0.1:1"]
        self.make_sim()
        worker = ["--sim", self.path("sim"), "--token-file", self.path("token")]
        with open(self.path("token"), "w", encoding="ascii") as file:
            file.write("abc\n")
        envelope = self.expect(0, "encrypt", "--seed", SEED, "--pubkey", PUBKEY, data=b"x")
        self.assertNotIn(b"not verified", envelope.stderr)  # the key is the caller's own word
        for arguments in (["pubkey"], ["pubkey", "--json"], ["encrypt", "--seed", SEED],
                          ["log", "key"], ["attest", *worker], ["decrypt", "--seed", SEED, *worker],
                          ["decrypt", "--seed", SEED, "--inline", *worker]):
            done = self.expect(3, *arguments, *url, data=envelope.stdout)
            self.assertIn(b"warning: the keystore is not verified", done.stderr, arguments)
        for arguments in (["pubkey", "--attested", "--mrenclave", "0" * 64],
                          ["attest", "--require-attestation", "--keystore-mrenclave", "0" * 64, *worker]):
            self.assertNotIn(b"warning", self.expect(3, *arguments, *url).stderr)


class Token(CliTest):
    def test_the_hash_is_of_the_token(self):
        import hashlib
        said = json.loads(self.expect(0, "token", "new", "--json").stdout)
        self.assertEqual(hashlib.sha256(said["token"].encode()).hexdigest(), said["sha256"])
        again = json.loads(self.expect(0, "token", "new", "--json").stdout)
        self.assertNotEqual(said["token"], again["token"])

    def test_the_file_is_private_and_is_not_overwritten(self):
        path = self.path("token")
        done = self.expect(0, "token", "new", "--out", path, "--role", "auditor")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with open(path, encoding="ascii") as file:
            token = file.read().strip()
        self.assertNotIn(token.encode(), done.stdout + done.stderr)
        self.assertIn(b"role: auditor", done.stderr)
        self.expect(4, "token", "new", "--out", path)
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read().strip(), token)


class Encrypt(CliTest):
    def encrypt(self, *more, data, code=0):
        return self.expect(code, "encrypt", "--seed", SEED, "--pubkey", PUBKEY, *more, data=data)

    def test_offline_in_both_formats(self):
        for name, marker, overhead in (("hpke", 2, 49), ("ecies", 1, 61)):
            done = self.encrypt("--format", name, data=b'{"A":"b"}')
            envelope = base64.b64decode(done.stdout.strip(), validate=True)
            self.assertEqual(envelope[0], marker)
            self.assertEqual(len(envelope), 9 + overhead)

    def test_binary_to_a_file(self):
        self.encrypt("--binary", "--out", self.path("e"), data=b"bytes")
        with open(self.path("e"), "rb") as file:
            self.assertEqual(len(file.read()), 5 + 49)

    def test_json_output(self):
        said = json.loads(self.encrypt("--json", data=b"x").stdout)
        self.assertEqual(said["seed"], SEED)
        self.assertFalse(said["verified"])
        self.assertEqual(base64.b64decode(said["envelope"])[0], 2)

    def test_reserved_names_and_wrong_types_are_refused_without_the_value(self):
        for text in ('{"NEAR_SENDER_ID":"hidden"}', '{"PROTECTED_A":"hidden"}', '{"A":["hidden"]}',
                     '{"A":"hidden"', ' {"A":"hidden","A":"hidden"}'):
            done = self.encrypt(data=text.encode(), code=4)
            self.assertNotIn(b"hidden", done.stdout + done.stderr)
            self.encrypt("--raw", data=text.encode())

    def test_a_bad_key_or_owner_is_refused(self):
        self.expect(4, "encrypt", "--seed", SEED, "--pubkey", "0" * 64, data=b"x")
        self.expect(4, "encrypt", "--repo", "a/b", "--owner", "a:b", "--pubkey", PUBKEY, data=b"x")

    def test_too_much_is_refused(self):
        self.encrypt(data=b"x" * (10 * 1024 * 1024 + 1), code=4)


class Evidence(CliTest):
    def verify(self, code, *more, collateral=(), quote=()):
        sim = self.path("sim")
        if not os.path.exists(sim):
            self.make_sim()
        self.expect(0, "sim", "quote", "--dir", sim, "--report-data", "ab" * 64, "--mrenclave",
                    "11" * 32, "--out", self.path("quote"), *quote)
        self.expect(0, "sim", "collateral", "--dir", sim, "--out", self.path("bundle"), *collateral)
        done = self.expect(code, "attest", "verify", self.path("quote"), "--collateral",
                           self.path("bundle"), "--json", *more)
        return json.loads(done.stdout)

    def trusted(self):
        return ["--trust-root", os.path.join(self.path("sim"), "root_ca.pem")]

    def test_good_evidence(self):
        said = self.verify(0, *self.trusted(), "--mrenclave", "11" * 32, "--report-data",
                           "ab" * 64)
        self.assertTrue(said["ok"] and said["simulated"] and said["bound"] and said["accepted"])
        self.assertEqual(said["result"], "valid")
        self.assertEqual(said["report"]["mrenclave"], "11" * 32)

    def test_refusals_name_the_step(self):
        self.assertEqual(self.verify(1)["code"], "root_not_pinned")
        said = self.verify(1, *self.trusted(), "--mrenclave", "22" * 32)
        self.assertEqual((said["code"], said["step"]), ("measurement_mismatch", "appraisal"))
        said = self.verify(1, *self.trusted(), "--report-data", "cd" * 64)
        self.assertEqual(said["code"], "report_data_mismatch")
        said = self.verify(1, *self.trusted(), "--mrenclave", "11" * 32, quote=["--debug"])
        self.assertEqual(said["code"], "debug")
        said = self.verify(1, *self.trusted(), "--mrenclave", "11" * 32,
                           collateral=["--status", "OutOfDate"])
        self.assertEqual(said["code"], "tcb_status_not_accepted")
        said = self.verify(1, *self.trusted(), collateral=["--revoke-pck"])
        self.assertEqual(said["code"], "pck_revoked")
        said = self.verify(1, *self.trusted(), "--at", "2040-01-01T00:00:00Z")
        self.assertFalse(said["ok"])

    def test_the_table_shows_what_failed(self):
        self.verify(1)
        done = self.expect(1, "attest", "verify", self.path("quote"), "--collateral",
                           self.path("bundle"))
        self.assertRegex(done.stdout.decode(), r"FAILED +collateral")

    def test_input_that_is_no_evidence(self):
        self.make_sim()
        for name in ("empty", "noise"):
            with open(self.path(name), "wb") as file:
                file.write(b"" if name == "empty" else os.urandom(5000))
        self.expect(0, "sim", "collateral", "--dir", self.path("sim"), "--out", self.path("b"))
        for name in ("empty", "noise"):
            self.expect(1, "attest", "verify", self.path(name), "--collateral", self.path("b"),
                        *self.trusted())
            self.expect(1, "attest", "verify", self.path(name), "--collateral", self.path(name))
        self.expect(4, "attest", "verify", self.path("none"), "--collateral", self.path("b"))

    def test_the_platform(self):
        self.make_sim()
        self.expect(4, "sim", "create", self.path("sim"))
        self.expect(4, "sim", "quote", "--dir", self.path("none"), "--report-data", "00" * 64)
        self.expect(2, "sim", "collateral", "--dir", self.path("sim"), "--status", "Splendid")

    def test_measure_is_sha256(self):
        import hashlib
        with open(BINARY, "rb") as file:
            expected = hashlib.sha256(file.read()).hexdigest()
        self.assertEqual(self.expect(0, "sim", "measure", BINARY).stdout.decode().strip(), expected)
        self.expect(4, "sim", "measure", self.path("none"))


class LogFiles(CliTest):
    def test_files_that_are_no_log_are_refused(self):
        for name, content in (("note", "x\n1\nAAAA\n\n"), ("log", "{}\n"), ("receipt", "{}")):
            with open(self.path(name), "w", encoding="ascii") as file:
                file.write(content)
        self.expect(4, "log", "verify", self.path("log"), "--checkpoint", self.path("note"),
                    "--vkey", "nonsense")
        self.expect(4, "log", "verify-receipt", self.path("receipt"), "--vkey", "nonsense")
        self.expect(4, "log", "verify-receipt", self.path("none"), "--vkey", "nonsense")


if __name__ == "__main__":
    unittest.main()
