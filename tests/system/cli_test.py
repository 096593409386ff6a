#!/usr/bin/env python3
"""The vouchsafe command without a keystore: usage, help, and everything that works offline.

VOUCHSAFE names the binary; without it the newest one below build*/ is taken.
"""
import base64
import glob
import http.server
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import threading
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PUBKEY = "fb3234db8f36e87a8ec08c1b77799b55788f8855931c76eec948f33b76f9ff19"
SEED = "github.com/alice/project:alice.near"
REQUEST = "01932f6e-7b8a-7cc0-9d3e-0123456789ab"
COMMANDS = [
    "collateral fetch", "collateral import", "collateral export", "collateral show",
    "init", "config check", "token new", "pubkey", "encrypt", "decrypt", "attest",
    "attest explain", "attest verify",
    "sim create", "sim quote", "sim collateral", "sim measure", "log checkpoint", "log export",
    "log verify", "log receipt", "log verify-receipt", "explain", "status", "log list", "log tail", "profile create", "profile show",
    "dev", "dev stop", "log key", "policy show", "policy add-value", "policy remove-value", "reseal",
    "state check", "state repair", "state export", "state import", "log archive",
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
DAEMON = os.path.join(os.path.dirname(os.path.dirname(BINARY)), "daemon", "vouchsafed")


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

    def write(self, name, text, mode=0o600):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

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
            self.assertRegex(text, r"--keystore-policy PATH +accept a keystore that this policy")

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
        self.assertEqual(sorted(re.findall(r"^  ([a-z][a-z -]*?)  ", text, re.M)), sorted(COMMANDS))

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
                ["encrypt", "--require-attestation", "--seed", "a"], ["encrypt", "--seed", "a"],
                ["encrypt", "--pubkey", PUBKEY, "--unverified"],
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
            if not arguments:
                continue
            for for_programs in (["--json"] + arguments, arguments + ["--json"]):
                done = self.expect(2, *for_programs)
                said = json.loads(done.stderr)
                self.assertEqual((said["code"], done.stdout), ("usage", b""), for_programs)
                self.assertNotEqual(said["error"], "", for_programs)
                self.assertIn("--help`", said["advice"], for_programs)

    def test_wrong_usage_is_safe_in_json(self):
        done = self.expect(2, "--json", "status", "a\n\"\\\x1b[31m" + "\u202e" + "x" * 2000)
        self.assertIn("unexpected argument 'a\n\"\\\x1b[31m\u202e", json.loads(done.stderr)["error"])
        self.assertNotIn(b"\x1b", done.stderr)
        # `--json` as an argument behind `--` is none
        self.assertTrue(self.expect(2, "status", "--", "--json").stderr.startswith(b"vouchsafe: "))

    def test_a_request_without_token_says_how_to_give_one(self):
        done = self.expect(2, "status")
        self.assertIn(b"--token-file", done.stderr)
        done = self.expect(2, "status", "--json")
        self.assertEqual((json.loads(done.stderr)["code"], done.stdout), ("usage", b""))

    def test_an_unreachable_keystore_is_3(self):
        token = self.path("token")
        self.write("token", "abc\n")
        url = "http://127.0.0.1:1"
        self.expect(3, "status", "--url", url, "--token-file", token)
        self.expect(3, "--url", url, "pubkey", "--unverified")
        self.expect(3, "pubkey", "--unverified", environment={"VOUCHSAFE_URL": url})
        done = self.expect(3, "pubkey", "--unverified", "--url", url, "--json")
        self.assertEqual(json.loads(done.stdout)["code"], "unreachable")
        self.expect(4, "status", "--url", url, "--token-file", self.path("none"))


class Transport(CliTest):
    """Tokens and keys travel there: in the clear only on this machine, or when it is written out."""

    COMMANDS = (["pubkey", "--unverified"], ["encrypt", "--seed", SEED, "--unverified"],
                ["log", "key", "--unverified"], ["log", "checkpoint", "--vkey", "k"],
                ["status"], ["explain", "01932f6e-7b8a-7cc0-9d3e-0123456789ab"])

    def test_http_to_another_machine_is_refused(self):
        for url in ("http://192.0.2.1:1", "http://keystore.example", "http://127.0.0.1.example:80",
                    "http://localhost.example", "http://0.0.0.0:1", "http://[::2]:1",
                    "http://[::1].example", "http://128.0.0.1", "http://127.1:1",
                    "http://" + "1" * 200):
            for arguments in self.COMMANDS:
                done = self.expect(2, *arguments, "--url", url)
                self.assertIn(b"--insecure-http", done.stderr)
        done = self.expect(2, "pubkey", "--unverified", environment={"VOUCHSAFE_URL": "http://192.0.2.1"})
        self.assertIn(b"--insecure-http", done.stderr)

    def test_this_machine_and_tls_are_allowed(self):
        for url in ("http://127.0.0.1:1", "http://127.9.9.9:1", "http://localhost:1",
                    "http://[::1]:1/", "https://localhost:1"):
            self.expect(3, "pubkey", "--unverified", "--url", url)

    def test_the_path_of_a_socket_is_checked(self):
        token = ["--token-file", self.write("token", "abc\n")]
        for path in ("", "relative/s", "/", "/dir/", "/a\nb", "/" + "s" * 107, "//h:1/s\x7f"):
            with self.subTest(path=path):
                done = self.expect(2, "status", "--url", "unix:" + path, *token)
                self.assertIn(b"unix:/path", done.stderr)
        for path in ("/none/s", "/" + "s" * 106):
            self.expect(3, "status", "--url", "unix:" + path, *token)
        self.expect(2, "status", "--url", "unix:/none/s", "--pin", "0" * 64, *token)

    def test_it_can_be_allowed(self):
        done = self.expect(3, "pubkey", "--unverified", "--url", "http://0.0.0.0:1", "--insecure-http")
        self.assertNotIn(b"--insecure-http", done.stderr)
        self.expect(3, "--insecure-http", "--url", "http://0.0.0.0:1", "pubkey", "--unverified")


class Trust(CliTest):
    """What a keystore answers is used only when it is known which keystore answered."""

    URL = ["--url", "http://127.0.0.1:1"]
    IDENTITY = "ab" * 32

    def believing(self):
        self.make_sim()
        worker = ["--sim", self.path("sim"), "--token-file", self.write("token", "abc\n")]
        return (["pubkey"], ["pubkey", "--json"], ["encrypt", "--seed", SEED], ["log", "key"],
                ["log", "checkpoint"], ["log", "receipt", REQUEST], ["log", "export", "--out", self.path("e")],
                ["attest", *worker], ["decrypt", "--seed", SEED, *worker],
                ["decrypt", "--seed", SEED, "--inline", *worker])

    def test_nothing_is_believed_without_proof_or_consent(self):
        envelope = self.expect(0, "encrypt", "--seed", SEED, "--pubkey", PUBKEY, data=b"x").stdout
        for arguments in self.believing():
            done = self.expect(2, *arguments, *self.URL, data=envelope)
            self.assertIn(b"nothing proves which keystore answers at http://127.0.0.1:1", done.stderr, arguments)
            for option in (b"--require-attestation", b"profile create", b"--identity", b"--unverified"):
                self.assertIn(option, done.stderr, arguments)
            done = self.expect(3, *arguments, *self.URL, "--unverified", data=envelope)
            self.assertIn(b"warning: --unverified: any server can answer", done.stderr, arguments)
            done = self.expect(3, *arguments, *self.URL, "--unverified", "-q", data=envelope)
            self.assertNotIn(b"warning", done.stderr, arguments)
            attested = ["--require-attestation", "--keystore-mrenclave", "0" * 64]
            self.assertNotIn(b"warning", self.expect(3, *arguments, *self.URL, *attested, data=envelope).stderr)
            self.expect(2, *arguments, *self.URL, *attested, "--unverified", data=envelope)
            self.expect(2, *arguments, *self.URL, "--identity", self.IDENTITY, "--unverified", data=envelope)

    def test_a_pinned_identity_is_enough_for_what_it_signs(self):
        for arguments in self.believing():
            if arguments[0] == "log":
                done = self.expect(2, *arguments, *self.URL, "--identity", self.IDENTITY)
                self.assertIn(b"--vkey", done.stderr)  # the identity does not sign the log
            else:  # an --inline reply proves nothing without a TLS key
                self.expect(1 if "--inline" in arguments else 3, *arguments, *self.URL, "--identity", self.IDENTITY,
                            data=self.expect(0, "encrypt", "--pubkey", PUBKEY, data=b"x").stdout)

    def test_old_names_are_aliases(self):
        for command in ("pubkey", "log key"):
            self.expect(3, *command.split(), *self.URL, "--attested", "--mrenclave", "0" * 64)
            self.expect(3, *command.split(), *self.URL, "--attested", "--mrsigner", "0" * 64, "--isvprodid", "1",
                        "--min-isvsvn", "1")
            self.assertIn(b"old name of --require-attestation, until 0.3.0",
                          self.expect(0, *command.split(), "--help").stdout)


class Profile(CliTest):
    IDENTITY = "ab" * 32
    VKEY = "log.example+00000000+AAAA"

    def profile(self, text, mode=0o600, name="profile"):
        return ["--profile", self.write(name, text, mode)]

    def test_it_is_the_short_way(self):
        more = self.profile(f"# mine\n\nurl = http://127.0.0.1:1\nidentity={self.IDENTITY}\n  vkey = {self.VKEY}  \n"
                            "timeout = 5\n")
        for arguments in (["pubkey"], ["encrypt", "--seed", SEED], ["log", "checkpoint"], ["log", "receipt", REQUEST,
                          "--token-file", self.write("token", "abc\n")]):
            done = self.expect(3, *arguments, *more, data=b"x")
            self.assertNotIn(b"warning", done.stderr)
        self.assertEqual(self.expect(0, "log", "key", *more).stdout.decode().strip(), self.VKEY)
        self.expect(3, "encrypt", environment={"VOUCHSAFE_PROFILE": self.path("profile")}, data=b"x")
        os.makedirs(self.path("home/.config/vouchsafe"))
        os.rename(self.path("profile"), self.path("home/.config/vouchsafe/profile"))
        for home in ({"HOME": self.path("home")}, {"XDG_CONFIG_HOME": self.path("home/.config")}):
            self.expect(3, "encrypt", environment=home, data=b"x")

    def test_the_environment_goes_before_the_file_and_the_command_line_before_both(self):
        more = self.profile(f"url = http://127.0.0.1:1\nidentity = {self.IDENTITY}\n")
        environment = {"VOUCHSAFE_URL": "http://127.0.0.1:2", "VOUCHSAFE_VKEY": self.VKEY,
                       "VOUCHSAFE_KEYSTORE_MRENCLAVE": "0" * 64 + ", " + "1" * 64}
        said = json.loads(self.expect(0, "profile", "show", "--json", *more, environment=environment).stdout)
        self.assertEqual(said, {"path": self.path("profile"), "url": "http://127.0.0.1:2", "identity": self.IDENTITY,
                                "vkey": self.VKEY, "keystore-mrenclave": ["0" * 64, "1" * 64]})
        self.assertIn(b"127.0.0.1:2", self.expect(3, "pubkey", *more, environment=environment).stderr)
        done = self.expect(3, "pubkey", *more, "--url", "http://127.0.0.1:3", environment=environment)
        self.assertIn(b"127.0.0.1:3", done.stderr)
        self.expect(2, "pubkey", environment={"VOUCHSAFE_IDENTITY": "short"})
        # what the profile accepts is used when evidence is asked for, and only then
        self.expect(3, "pubkey", *more, "--require-attestation", environment=environment)
        self.expect(2, "pubkey", *more, "--require-attestation")
        done = self.expect(3, "pubkey", *more, "--unverified", environment=environment)
        self.assertIn(b"warning: --unverified", done.stderr)

    def test_a_file_of_others_is_not_trusted(self):
        text = f"identity = {self.IDENTITY}\n"
        for mode in (0o620, 0o602, 0o666):
            done = self.expect(1, "pubkey", *self.profile(text, mode))
            self.assertIn(b"other users may write", done.stderr)
        self.expect(3, "pubkey", "--url", "http://127.0.0.1:1", *self.profile(text, 0o644))
        if os.geteuid() == 0:
            os.chown(self.path("profile"), 1234, 1234)
            self.assertIn(b"belongs to user 1234", self.expect(1, "pubkey", "--profile", self.path("profile")).stderr)
        os.mkfifo(self.path("pipe"))
        self.assertIn(b"not a regular file", self.expect(1, "pubkey", "--profile", self.path("pipe")).stderr)
        self.expect(4, "pubkey", "--profile", self.path("nothing"))

    def test_a_fault_is_named_with_its_line(self):
        for line, why in (("identity = 12", b"64 hex digits"), ("nonsense", b"expected"), ("color = red", b"'color'"),
                          ("token-file = here", b"absolute path"), ("url =", b"no value"),
                          ("insecure-http = maybe", b"yes or no"), ("timeout = soon", b"number")):
            done = self.expect(2, "pubkey", *self.profile(f"# first\n{line}\n"))
            self.assertIn((self.path("profile") + ":2: ").encode(), done.stderr)
            self.assertIn(why, done.stderr)

    def test_it_is_never_made_from_a_keystore_that_is_not_verified(self):
        where = ["--profile", self.path("new/sub/profile"), "--url", "http://127.0.0.1:1"]
        self.expect(2, "profile", "create", *where)
        self.expect(2, "profile", "create", *where, "--unverified")
        self.expect(3, "profile", "create", *where, "--require-attestation", "--keystore-mrenclave", "0" * 64)
        self.assertFalse(os.path.exists(self.path("new")))
        self.write("token", "abc\n")
        self.expect(0, "profile", "create", *where, "--identity", self.IDENTITY, "--vkey", self.VKEY, "--token-file",
                    os.path.relpath(self.path("token")))
        said = json.loads(self.expect(0, "profile", "show", "--json", "--profile", where[1]).stdout)
        self.assertEqual((said["identity"], said["vkey"], said["token-file"]),
                         (self.IDENTITY, self.VKEY, os.path.realpath(self.path("token"))))
        self.assertEqual(stat.S_IMODE(os.stat(where[1]).st_mode), 0o600)
        self.expect(4, "profile", "create", *where, "--identity", "cd" * 32)
        self.expect(0, "profile", "create", *where, "--identity", "cd" * 32, "--force")


class Credentials(CliTest):
    """Tokens, worker keys and sessions: one rule."""

    def status(self, path, code):
        return self.expect(code, "status", "--url", "http://127.0.0.1:1", "--token-file", path)

    def test_owner_and_mode(self):
        for mode, code in ((0o600, 3), (0o400, 3), (0o440, 3), (0o640, 3), (0o644, 4), (0o604, 4), (0o660, 4),
                           (0o602, 4), (0o444, 4)):
            done = self.status(self.write("token", "abc\n", mode), code)
            if code == 4:
                self.assertIn(b"chmod", done.stderr)
                self.assertIn(self.path("token").encode(), done.stderr)
            os.unlink(self.path("token"))

    def test_a_link_to_a_good_file_is_good(self):
        os.makedirs(self.path("..data"))
        self.write("..data/token", "abc\n", 0o440)
        os.symlink("..data/token", self.path("token"))
        self.status(self.path("token"), 3)
        os.chmod(self.path("..data/token"), 0o444)
        self.status(self.path("token"), 4)

    def test_neither_a_pipe_nor_a_device_nor_another_users_file(self):
        os.mkfifo(self.path("pipe"), 0o600)
        self.assertIn(b"not a regular file", self.status(self.path("pipe"), 4).stderr)
        self.assertIn(b"not a regular file", self.status("/dev/null", 4).stderr)
        if os.geteuid() != 0:
            self.skipTest("needs root")
        self.write("token", "abc\n")
        os.chown(self.path("token"), 1234, 0)
        self.assertIn(b"belongs to user 1234", self.status(self.path("token"), 4).stderr)
        os.chown(self.path("token"), 0, 1234)
        os.chmod(self.path("token"), 0o640)
        self.assertIn(b"group 1234", self.status(self.path("token"), 4).stderr)

    def test_worker_keys(self):
        self.make_sim()
        worker = ["decrypt", "--unverified", "--url", "http://127.0.0.1:1", "--sim", self.path("sim"), "--key-file",
                  self.path("key"), "--token-file", self.write("token", "abc\n")]
        envelope = self.expect(0, "encrypt", "--pubkey", PUBKEY, data=b"x").stdout
        self.expect(3, *worker, data=envelope)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("key")).st_mode), 0o600)
        os.chmod(self.path("key"), 0o440)
        self.expect(3, *worker, data=envelope)
        os.chmod(self.path("key"), 0o644)
        self.assertIn(b"0644", self.expect(4, *worker, data=envelope).stderr)
        os.chmod(self.path("key"), 0o600)
        self.write("key", "nonsense")
        self.assertIn(b"not the file of a worker key", self.expect(4, *worker, data=envelope).stderr)


class HostileKeystore(CliTest):
    """Every string of its replies holds what a terminal would obey. None of it comes out."""

    BAD = "\x1b]0;owned\x07\x1b[31m\x9b31m\u202e\u2066\u200b"

    def setUp(self):
        super().setUp()
        test = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body = test.reply(self.path)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Request-Id", REQUEST)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            do_POST = do_DELETE = do_GET

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.escaped = True

    def reply(self, path):
        bad = self.BAD
        when = "2026-01-01T00:00:00Z"
        replies = {
            "/v1/log/checkpoint": b"origin\n1\n" + bad.encode() + b"\n",
            "/v1/log/entries": json.dumps({"time": bad, "op": bad, "decision": bad, "code": bad, "principal": bad, "key": bad},
                                          ensure_ascii=self.escaped).encode() + b"\n",
            "/v1/log/receipt": {"index": 1, "entry": bad},
            "/v1/log/key": {"origin": bad, "vkey": f"a{bad}+00000000+AAAA", "public_key": bad},
            "/v1/status": {"version": bad, "uptime_s": 1, "tee": bad, "simulated": False, "policies": [bad],
                           "anchors": {"lag_ms": 0, "late": False, "list": [
                               {"name": "tpm2", "state": "good", "moved": when, "moves": 1, "failures": 0},
                               {"name": "witness", "state": "failing", "moves": 0, "failures": 1, "detail": bad}]}},
            "/v1/explain": {"request_id": bad, "entries": [
                {"index": bad, "entry": {"time": bad, "op": bad, "detail": {"x": bad}}}]},
            "/v1/policies": {"policy_version": bad, "policies": [{"name": bad, "tee": bad, "reference_values": [
                {"field": bad, "value": bad, "added_by": bad, "added_at": bad, "index": 1, "used": True}]}]},
            "/v1/collateral": {"now": when, "items": [
                {"name": "amd-milan", "kind": bad, "source": bad, "issued": when, "fetched": when, "expires": when,
                 "sha256": "00" * 32, "size": 1}]},
            "/v1/pubkey": {"seed": bad, "pubkey": "00" * 32, "key_version": 1},
            "/v1/attest/explain": {
                "result": bad, "tee": bad, "reason": bad, "steps": [{"step": bad, "passed": True}], "accepted": True,
                "policy": bad, "status": bad, "rules": [{"name": bad, "accepts": False, "code": bad, "expected": bad,
                                                        "presented": bad}], "binding": bad,
                "update": bad, "notice": bad},
        }
        for start, said in replies.items():
            if path.split("?")[0] == start or path.startswith(start + "/"):
                if isinstance(said, bytes):
                    return 200, said
                return 200, json.dumps(said, ensure_ascii=self.escaped).encode()
        refusal = {"error": bad, "code": bad, "detail": {"step": bad, "expected": bad}, "request_id": bad}
        return 403, json.dumps(refusal, ensure_ascii=self.escaped).encode()

    def test_no_command_prints_control_characters(self):
        options = ["--url", self.url, "--token-file", self.write("token", "abc\n")]
        self.make_sim()
        with open(self.path("quote"), "wb") as file:
            file.write(b"x" * 700)
        sim = ["--unverified", "--sim", self.path("sim")]
        envelope = self.expect(0, "encrypt", "--pubkey", PUBKEY, data=b"x").stdout
        unsafe = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]")
        for self.escaped in (True, False):
            for arguments in (
                    ["log", "checkpoint", "--unverified"], ["log", "receipt", REQUEST, "--unverified"],
                    ["log", "key", "--unverified"], ["log", "export", "--out", self.path("e"), "--unverified"],
                    ["log", "list"], ["log", "tail"], ["status"], ["explain", REQUEST], ["policy", "show"], ["policy", "add-value", "p", "mrenclave", "00" * 32],
                    ["policy", "remove-value", "p", "mrenclave", "00" * 32], ["collateral", "show"],
                    ["collateral", "export", "--out", self.path("c")], ["pubkey", "--seed", "s", "--unverified"],
                    ["encrypt", "--seed", "s", "--unverified"], ["decrypt", "--seed", "s", *sim], ["attest", *sim],
                    ["attest", "explain", self.path("quote")],
                    ["pubkey", "--require-attestation", "--keystore-mrenclave", "00" * 32]):
                for json_option in ([], ["--json"]):
                    done = self.run_cli(*options, *arguments, *json_option, data=envelope)
                    for stream in (done.stdout, done.stderr):
                        self.assertIsNone(unsafe.search(stream.decode()), (arguments, json_option, stream))
                    if json_option and done.returncode != 2 and done.stdout:
                        json.loads(done.stdout)

    def test_the_status_has_a_line_for_each_anchor(self):
        done = self.expect(0, "status", "--url", self.url, "--token-file", self.write("token", "abc\n"))
        lines = [line for line in done.stdout.decode().split("\n") if line.startswith("anchor ")]
        self.assertRegex(lines[0], r"^anchor +tpm2: good, moved 2026-01-01T00:00:00Z$")
        self.assertRegex(lines[1], r"^anchor +witness: failing; last failure: .*owned")
        self.assertEqual(len(lines), 2)

    def test_names_of_the_user_are_escaped_too(self):
        done = self.expect(4, "log", "verify-receipt", self.path("\x1b[31m"), "--vkey", "k")
        self.assertIn(b"\\x1b[31m", done.stderr)
        self.assertIn(b"\\x1b[31m", self.expect(2, "\x1b[31m").stderr)


class Generated(CliTest):
    """The manual page and the completions come from the tables of --help, so they name all of it."""

    def options_of(self, command):
        text = self.expect(0, *command.split(), "--help").stdout.decode()
        return [name for name, rest in re.findall(r"^  --([a-z0-9-]+)(.*)$", text, re.M) if "old name of" not in rest]

    def test_the_manual_page(self):
        page = self.expect(0, "generate", "man").stdout
        plain = page.decode().replace("\\-", "-")
        for command in COMMANDS:
            self.assertTrue(f'.SS "vouchsafe {command} [OPTION]...' in plain, command)
            for option in self.options_of(command):
                self.assertTrue(f"\n.B --{option}" in plain, (command, option))
        if shutil.which("groff"):
            done = subprocess.run(["groff", "-man", "-ww", "-z"], input=page, capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_the_manual_page_of_the_daemon(self):
        def run(*arguments):
            return subprocess.run([DAEMON, *arguments], capture_output=True, check=True).stdout

        page, text = run("generate", "man"), run("--help").decode()
        plain = page.decode().replace("\\-", "-").replace("\\(dq", '"').replace("\\(ga", "`").replace("\\(aq", "'")
        rows = re.findall(r"^  (--[a-z-]+|[a-z][a-z_.\[\]]*)(?:  .*| [A-Z]+ .*)?$", text, re.M)
        self.assertIn("--env-file", rows)
        self.assertIn("attestation.policies[].mrenclave", rows)
        for name in rows:
            self.assertRegex(plain, r'(?m)^\.B "' + re.escape(name) + '[ "]')
        for meaning in re.findall(r"^      (\S.*)$", text, re.M):
            self.assertIn(meaning, plain)
        if shutil.which("groff"):
            done = subprocess.run(["groff", "-man", "-ww", "-z"], input=page, capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, b""))

    def complete(self, *words):
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vouchsafe; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, "bash", self.path("bash"), "vouchsafe", *words],
                              capture_output=True, check=True)
        return done.stdout.decode().split()

    def test_bash(self):
        with open(self.path("bash"), "wb") as file:
            file.write(self.expect(0, "generate", "bash").stdout)
        self.assertLessEqual({command.split()[0] for command in COMMANDS}, set(self.complete("")))
        self.assertEqual(set(self.complete("collateral", "")), {"fetch", "import", "export", "show"})
        for command in COMMANDS:
            self.assertEqual(set(self.complete(*command.split(), "--")), {"--" + name for name in self.options_of(command)})
        self.assertEqual(self.complete("--url", "http://x", "log", "export", "--since", "x", "--chec"), ["--checkpoint-out"])
        self.write("a-file", "x")
        self.assertEqual(self.complete("encrypt", "--in", self.path("a-f")), [self.path("a-file")])
        self.assertEqual(self.complete("encrypt", "--seed", ""), [])

    def test_zsh_and_fish(self):
        for shell in ("zsh", "fish"):
            text = self.expect(0, "generate", shell).stdout
            for command in COMMANDS:
                self.assertIn(command.split()[-1].encode(), text)
                for option in self.options_of(command):
                    named = f"--{option}[" if shell == "zsh" else f" -l {option} "
                    if option != "help" or shell == "zsh":  # fish knows --help by itself
                        self.assertIn(named.encode(), text, command)
            if shutil.which(shell):
                done = subprocess.run([shell, "-n", self.write(shell, text.decode())], capture_output=True, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.expect(2, "generate", "nonsense")


class QuoteCommand(CliTest):
    def attest(self, does, *more, code=3):
        program = self.write("quote.sh", "#!/bin/sh\n" + does + "\n", 0o700)
        key = self.write("token", "abc\n")
        # evidence in the request: the program runs before anything is sent
        envelope = self.expect(0, "encrypt", "--pubkey", PUBKEY, data=b"x").stdout
        return self.expect(code, "decrypt", "--unverified", "--inline", "--url", "http://127.0.0.1:1", "--token-file", key,
                           "--quote-command", program, *more, data=envelope).stderr.decode()

    def test_an_error_names_the_program_and_the_failure(self):
        for does, says, code in (("exit 3", "ended with exit code 3", 3), ("kill -9 $$", "signal 9", 3), (":", "no quote", 3),
                                 ("sleep 1000 & exit 5", "exit code 5", 3), ("cat /dev/zero", "more than 65536 bytes", 4)):
            said = self.attest(does, code=code)
            self.assertIn(says, said)
            self.assertIn(self.path("quote.sh"), said)
        self.assertIn("did not end within 1000 ms", self.attest("sleep 1000", "--quote-timeout", "1"))
        os.unlink(self.path("quote.sh"))
        self.assertIn("cannot reach", self.attest("printf quote"))


class Output(CliTest):
    """--out: a file is replaced as a whole; a device, a pipe or a link is written through."""

    def encrypt(self, out, code=0):
        return self.expect(code, "encrypt", "--pubkey", PUBKEY, "--binary", "--out", out, data=b"bytes")

    def test_a_file_is_replaced_as_a_whole(self):
        self.write("e", "old")
        inode = os.stat(self.path("e")).st_ino
        self.encrypt(self.path("e"))
        self.assertEqual(os.stat(self.path("e")).st_size, 54)
        self.assertNotEqual(os.stat(self.path("e")).st_ino, inode)
        self.assertEqual(os.listdir(self.folder.name), ["e"])

    def test_dash_is_standard_output(self):
        self.assertEqual(len(self.encrypt("-").stdout), 54)
        self.assertRegex(self.expect(0, "token", "new", "--out", "-").stdout, rb"\A[0-9a-f]{64}\n\Z")
        said = json.loads(self.expect(0, "encrypt", "--pubkey", PUBKEY, "--json", "--out", "-", data=b"x").stdout)
        self.assertIn("envelope", said)
        self.assertFalse(os.path.exists("-"))

    def test_a_pipe_is_written_through(self):
        os.mkfifo(self.path("pipe"))
        reader = subprocess.Popen(["cat", self.path("pipe")], stdout=subprocess.PIPE)
        self.encrypt(self.path("pipe"))
        self.assertEqual(len(reader.communicate(timeout=30)[0]), 54)
        self.assertTrue(stat.S_ISFIFO(os.lstat(self.path("pipe")).st_mode))

    def test_a_link_is_written_through(self):
        self.write("e", "x" * 100, 0o644)
        os.symlink("e", self.path("link"))
        self.encrypt(self.path("link"))
        self.assertTrue(os.path.islink(self.path("link")))
        self.assertEqual(os.stat(self.path("e")).st_size, 54)
        os.symlink("new", self.path("dangling"))
        self.encrypt(self.path("dangling"))
        self.assertEqual(os.stat(self.path("new")).st_size, 54)
        self.expect(4, "token", "new", "--out", self.path("link"))  # never overwritten
        self.encrypt(self.folder.name, 3)

    def test_a_device_stays_a_device(self):
        self.encrypt("/dev/null")
        self.assertTrue(stat.S_ISCHR(os.lstat("/dev/null").st_mode))
        try:
            os.mknod(self.path("null"), 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        except PermissionError:
            self.skipTest("needs root, to make a device")
        try:
            os.close(os.open(self.path("null"), os.O_WRONLY))
        except OSError:
            self.skipTest("devices do not open on this file system")
        self.encrypt(self.path("null"))
        self.expect(0, "token", "new", "--out", self.path("null"))
        self.assertTrue(stat.S_ISCHR(os.lstat(self.path("null")).st_mode))


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

    def test_the_tenant_is_in_the_entry(self):
        done = self.expect(0, "token", "new", "--tenant", "team:a")
        self.assertIn(b"    role: worker\n    tenant: team:a\n    sha256: ", done.stderr)
        self.assertEqual(json.loads(self.expect(0, "token", "new", "--tenant", "t", "--json").stdout)["tenant"], "t")
        self.assertNotIn(b"tenant", self.expect(0, "token", "new").stderr)
        for bad in ("", "a b", "a\nrole: operator", "x" * 65):
            self.expect(2, "token", "new", "--tenant", bad)


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

    def test_the_table_shows_the_failure(self):
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
            code = 2 if name == "empty" else 1  # empty is text that holds none
            self.expect(code, "attest", "verify", self.path(name), "--collateral", self.path("b"), *self.trusted())
            self.expect(code, "attest", "verify", self.path(name), "--collateral", self.path(name))
        self.expect(4, "attest", "verify", self.path("none"), "--collateral", self.path("b"))

    def test_the_platform(self):
        self.make_sim()
        self.expect(4, "sim", "create", self.path("sim"))
        self.expect(4, "sim", "quote", "--dir", self.path("none"), "--report-data", "00" * 64)
        self.expect(2, "sim", "collateral", "--dir", self.path("sim"), "--status", "Splendid")

    def test_with_json_a_written_file_is_named(self):
        sim = self.make_sim()
        for command in (["quote", "--report-data", "00" * 64], ["collateral"]):
            out = self.path(command[0])
            said = self.expect(0, "sim", *command, "--dir", sim, "--out", out, "--json").stdout
            self.assertEqual(json.loads(said), {"out": out, "size": os.path.getsize(out)})
            said = json.loads(self.expect(0, "sim", *command, "--dir", sim, "--json").stdout)  # one document, too
            if command[0] == "quote":
                self.assertEqual(len(base64.b64decode(said["quote"], validate=True)), said["size"])
            else:
                self.assertIn("tcb_info", said)

    def test_files_that_decide_trust_are_not_of_others(self):
        self.verify(0, *self.trusted())
        verify = ["attest", "verify", self.path("quote"), "--collateral", self.path("bundle"), *self.trusted()]
        note = self.write("note", "x\n1\nAAAA\n\n")
        log = ["log", "verify", self.write("log", "{}\n"), "--vkey", "nonsense"]
        ca = self.write("ca", "x")
        for name, command in (("bundle", verify), ("sim/root_ca.pem", verify), ("note", [*log, "--checkpoint", note]),
                              ("sim/root_ca.pem", ["collateral", "show", self.path("bundle"), *self.trusted()]),
                              ("ca", ["pubkey", "--unverified", "--url", "https://127.0.0.1:1", "--ca", ca]),
                              ("ca", ["collateral", "fetch", "amd-milan", "--kds", "https://127.0.0.1:1", "--source-ca", ca])):
            for mode in (0o666, 0o646, 0o664, 0o644):
                with self.subTest(name=name, command=command[:2], mode=oct(mode)):
                    os.chmod(self.path(name), mode)
                    done = self.run_cli(*command)
                    refused = b"other users may write" in done.stderr and self.path(name).encode() in done.stderr
                    self.assertEqual(refused, mode != 0o644, done.stderr)
                    if refused:
                        self.assertEqual(done.returncode, 1)

    def test_a_missing_file_is_named_without_advice_about_tokens(self):
        self.verify(0, *self.trusted())
        none = self.path("none")
        for command in (["attest", "verify", none], ["attest", "verify", self.path("quote"), "--collateral", none],
                        ["attest", "verify", self.path("quote"), "--trust-root", none], ["collateral", "show", none],
                        ["log", "verify-receipt", none, "--vkey", "x"]):
            with self.subTest(command=command):
                done = self.expect(4, *command)
                self.assertRegex(done.stderr.decode(), re.escape(none) + r": (it does not exist|no such file)")
                said = json.loads(self.expect(4, *command, "--json").stdout)
                self.assertEqual((said["code"], said.get("advice")), ("not_found", None))

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
