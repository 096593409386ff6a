"""The configuration: every fault is named at once, and the exit status tells whether a restart can help."""
import json
import os
import re
import subprocess
import tempfile
import unittest

from harness import BUILD, COMMAND, DAEMON, ROOT, Keystore

REFUSED, USAGE, CONFIGURATION = 1, 2, 78
GOOD = "tee: {provider: none}\nserver: {host: 127.0.0.1}\n"


class Configuration(unittest.TestCase):
    def setUp(self):
        where = tempfile.TemporaryDirectory()
        self.addCleanup(where.cleanup)
        self.dir = where.name

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def run_daemon(self, *arguments, environment=None):
        return subprocess.run([DAEMON, *arguments], capture_output=True, text=True, timeout=60, cwd=self.dir,
                              env={"PATH": os.environ["PATH"], **(environment or {})}, check=False)

    def check(self, text, *arguments, environment=None):
        return self.run_daemon("--check-config", "--config", self.write("v.yaml", text), *arguments,
                               environment=environment)

    def test_all_faults_at_once_and_a_status_of_their_own(self):
        text = "servr: {}\nserver:\n  port: 80a\ntls:\n  mode: selfsigned\n"
        for first in (["--check-config"], ["init"], [], ["--supervise"]):
            with self.subTest(first):
                done = self.run_daemon(*first, "--config", self.write("v.yaml", text))
                self.assertEqual(done.returncode, CONFIGURATION, done.stderr)
                lines = done.stderr.splitlines()
                path = os.path.join(self.dir, "v.yaml")
                self.assertIn(f"vouchsafed: {path}:1: servr: unknown setting; did you mean server?", lines[0])
                self.assertIn(f"vouchsafed: {path}:3: server.port: \"80a\" is not allowed; it must be a whole "
                              "number from 1 to 65535", lines[1])
                self.assertIn(f"vouchsafed: {path}:5: tls.mode: \"selfsigned\" is not allowed; it must be one of "
                              "off, self-signed, files; did you mean self-signed?", lines[2])
                self.assertIn(f"vouchsafed: {path}: tee.provider: not set", lines[3])
                self.assertEqual(len(lines), 4)

    def test_the_check_answers_in_json(self):
        text = "servr: {}\nserver:\n  port: 80a\n"
        done = self.check(text, "--json")
        self.assertEqual(done.returncode, CONFIGURATION, done.stderr)
        answer = json.loads(done.stdout)
        path = os.path.join(self.dir, "v.yaml")
        self.assertEqual(set(answer), {"ok", "problems", "more_problems"})
        self.assertIs(answer["ok"], False)
        self.assertEqual([(p["file"], p["line"], p["setting"]) for p in answer["problems"]],
                         [(path, 1, "servr"), (path, 3, "server.port"), (path, None, "tee.provider")])
        self.assertEqual(["vouchsafed: " + p["text"] for p in answer["problems"]], done.stderr.splitlines())
        done = self.run_daemon("init", "--json", "--config", path)
        self.assertEqual(done.returncode, CONFIGURATION, done.stderr)
        self.assertEqual(json.loads(done.stdout), {"ok": False, "error": answer["problems"][0]["text"],
                                                   "problems": answer["problems"], "more_problems": 0})
        for wrong in (["--json"], ["--supervise", "--json"]):
            done = self.run_daemon(*wrong, "--config", path)
            self.assertEqual((done.returncode, done.stdout), (2, ""))

    def test_init_answers_in_json(self):
        k = Keystore()
        self.addCleanup(k.close)

        def run(*arguments):
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(len(done.stdout.splitlines()), 1, done.stderr)
            return done.returncode, json.loads(done.stdout)

        check, init = k.daemon("--check-config", "--json"), k.daemon("init", "--json")
        command = [COMMAND, "--json", "config", "check", "--config", k.config]
        good = {"ok": True, "problems": [], "more_problems": 0, "expired_certificate": None}
        self.assertEqual(run(*check), (0, {**good, "initialised": False}))
        code, answer = run(*init)
        self.assertEqual((code, set(answer), answer["ok"]), (0, {"ok", "state", "log_key"}, True))
        self.assertTrue(os.path.isfile(os.path.join(answer["state"], "root.sealed")), answer)
        self.assertIn("+", answer["log_key"])
        self.assertEqual(run(*check), (0, {**good, "initialised": True}))
        self.assertEqual(run(*command), (0, {**good, "initialised": True}))
        for again in (init, [COMMAND, "init", "--json", "--config", k.config]):
            code, answer = run(*again)
            self.assertEqual((code, answer["ok"], len(answer["problems"])), (1, False, 1))
            self.assertEqual(answer["error"], answer["problems"][0]["text"])

    def test_an_env_file_that_was_asked_for_must_be_there(self):
        done = self.check(GOOD, "--env-file", "none.env")
        self.assertEqual(done.returncode, CONFIGURATION)
        self.assertIn("none.env: no such file", done.stderr)
        self.assertEqual(self.check(GOOD).returncode, 0)
        self.write("some.env", "SERVER_PORT=x\n")
        done = self.check(GOOD, "--env-file", "some.env")
        self.assertIn("some.env:1: server.port:", done.stderr)
        done = subprocess.run([COMMAND, "config", "check", "--config", os.path.join(self.dir, "v.yaml"), "--env-file",
                               os.path.join(self.dir, "some.env")], capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual(done.returncode, CONFIGURATION)
        self.assertIn("some.env:1: server.port:", done.stderr)

    def test_an_unknown_variable_of_ours_is_refused(self):
        done = self.check(GOOD, environment={"VOUCHSAFE_SERVER_BODYMAX": "1"})
        self.assertEqual(done.returncode, CONFIGURATION)
        self.assertIn("did you mean VOUCHSAFE_SERVER_BODY_MAX?", done.stderr)
        self.assertEqual(self.check(GOOD, environment={"VOUCHSAFE_SERVICE_HOST": "10.0.0.1"}).returncode, 0)

    def test_env_files_as_shells_docker_and_windows_write_them(self):
        """All give one and the same root, so the log's key is the same."""
        secret = "0f" * 32
        keys = set()
        for number, line in enumerate([f'KEYSTORE_MASTER_SECRET="{secret}"', f"export KEYSTORE_MASTER_SECRET={secret}",
                                       f"KEYSTORE_MASTER_SECRET={secret} # master", f"KEYSTORE_MASTER_SECRET='{secret}'",
                                       f"KEYSTORE_MASTER_SECRET = {secret}", f"\tKEYSTORE_MASTER_SECRET={secret}\t",
                                       f"export  KEYSTORE_MASTER_SECRET='{secret}'\t# quoted"]):
            for end in ("\n", "\r\n", ""):
                with self.subTest(line=line, end=end):
                    self.write("env", line + end)
                    state = os.path.join(self.dir, f"state{number}{len(end)}")
                    done = self.run_daemon("init", "--env-file", "env", environment={
                        "TEE_MODE": "simulated", "SERVER_HOST": "127.0.0.1", "VOUCHSAFE_STATE_DIR": state})
                    self.assertEqual(done.returncode, 0, done.stderr)
                    keys.add(done.stdout.splitlines()[-1])
        self.assertEqual(len(keys), 1)

    def test_files_that_others_can_write_are_refused(self):
        path = self.write("v.yaml", GOOD, 0o666)
        done = self.run_daemon("--check-config", "--config", path)
        self.assertEqual(done.returncode, CONFIGURATION)
        self.assertIn(f"{path}: other users may write to it (mode 0666); run chmod go-w", done.stderr)
        self.write(".env", "SERVER_PORT=1\n", 0o666)  # not asked for, and in the working directory
        done = self.check(GOOD)
        self.assertEqual(done.returncode, CONFIGURATION)
        self.assertIn(".env: other users may write to it", done.stderr)
        if os.geteuid() == 0:
            os.chmod(os.path.join(self.dir, ".env"), 0o600)
            os.chown(os.path.join(self.dir, ".env"), 65534, 65534)
            self.assertIn(".env: it belongs to user 65534", self.check(GOOD).stderr)
        os.unlink(os.path.join(self.dir, ".env"))
        os.chmod(self.dir, 0o777)
        self.assertIn("every user may write to the directory", self.check(GOOD).stderr)
        os.chmod(self.dir, 0o1777)
        self.assertEqual(self.check(GOOD).returncode, 0)

    def faulty(self, text, mode=0o600):
        return self.write(f"faulty{len(os.listdir(self.dir))}", text, mode)

    def test_the_start_and_the_check_refuse_the_same(self):
        keystore = Keystore()
        self.addCleanup(keystore.close)
        keystore.init()
        with open(keystore.config, encoding="utf-8") as f:
            good = json.load(f)
        missing, empty = os.path.join(self.dir, "missing"), self.faulty("")
        bundle, broken = keystore.collateral, self.faulty("{}")
        directory = os.path.join(self.dir, "published")
        os.mkdir(directory)
        with open(os.path.join(directory, "nonsense.json"), "w", encoding="utf-8") as f:
            f.write("{}")
        peer = {"name": "p", "type": "peer", "url": "https://127.0.0.1:1"}
        for setting, value, says in (
                ("server.port", "x", ": server.port: "),
                ("attestation.policies", [{"name": "a"}], ": attestation.policies[0]"),
                ("attestation.policy_files", [missing], f"{missing}: "),
                ("attestation.trust_simulated_roots", [missing], f"{missing}: attestation.trust_simulated_roots: no such"),
                ("attestation.trust_simulated_roots", [empty], f"{empty}: attestation.trust_simulated_roots: "),
                ("attestation.collateral", [missing], f"{missing}: attestation.collateral: no such file"),
                ("attestation.collateral", [self.faulty("{}", 0o666)], ": attestation.collateral: other users"),
                ("attestation.collateral", [bundle, broken], f"{broken}: attestation.collateral: cannot be used (malformed)"),
                ("collateral.directories", [missing], f"{missing}: collateral.directories: no such file"),
                ("collateral.directories", [directory], f"{directory}/nonsense.json: collateral.directories: cannot"),
                ("collateral.prefetch", ["nonsense"], ": collateral.prefetch: nonsense is not the name"),
                ("collateral.prefetch", ["amd-milan"], ": collateral.prefetch: no source can have amd-milan"),
                ("collateral.sources", [{**peer, "ca_file": missing}], f"{missing}: collateral.sources: p: ca_file: no such"),
                ("collateral.sources", [{**peer, "token_file": missing}], f"{missing}: collateral.sources: p: token_file: "),
                ("collateral.sources", [{**peer, "token_file": self.faulty("t", 0o644)}], ": collateral.sources: p: token_file: "),
                ("collateral.sources", [{**peer, "token_file": empty}], ": collateral.sources: p: "),
                ("tls", {"mode": "files", "certificate_file": missing, "key_file": empty}, f"{missing}: tls.certificate_file: no such"),
                ("tls", {"mode": "files", "certificate_file": missing, "key_file": empty}, f"{empty}: tls.key_file: is not"),
                ("tokens", [{"name": "a", "role": "worker", "sha256": "00"}], ": tokens[0].sha256: ")):
            with self.subTest(setting=setting, value=value):
                changed = json.loads(json.dumps(good))
                group, _, key = setting.partition(".")
                if key:
                    changed.setdefault(group, {})[key] = value
                else:
                    changed[group] = value
                with open(keystore.config, "w", encoding="utf-8") as f:
                    json.dump(changed, f, indent=1)
                done = [subprocess.run(keystore.daemon(*how), capture_output=True, text=True, timeout=60, check=False)
                        for how in ((), ("--check-config",))]
                said = [[line for line in d.stderr.splitlines() if line.startswith("vouchsafed: ")] for d in done]
                self.assertEqual([d.returncode for d in done], [CONFIGURATION] * 2, done[0].stderr)
                self.assertEqual(said[0], said[1])
                self.assertEqual(len([line for line in said[0] if says in line]), 1, said[0])
                line, = [line for line in said[0] if says in line]
                if not line.startswith(f"vouchsafed: {keystore.config}:"):  # a fault of a file, or of its use
                    self.assertRegex(line, rf" \(set in {re.escape(keystore.config)}:[0-9]+\)$")
                self.assertEqual(done[0].stderr.count(line.removeprefix("vouchsafed: ")), 1, "said twice")
        with self.subTest("all at once"):
            changed = {**good, "collateral": {"directories": [directory], "prefetch": ["nonsense"]}}
            changed["attestation"] = {**good["attestation"], "collateral": [broken, missing]}
            with open(keystore.config, "w", encoding="utf-8") as f:
                json.dump(changed, f)
            done = subprocess.run(keystore.daemon("--check-config"), capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(len([line for line in done.stderr.splitlines() if line.startswith("vouchsafed: ")]), 4)
        with self.subTest("faults of settings and of files"):
            changed = json.loads(json.dumps(good))
            changed["server"]["port"] = "80a"
            changed["tls"] = {"mode": "files", "certificate_file": missing, "key_fil": empty}
            changed["attestation"].update({"trust_simulated_root": [], "collateral": [bundle, broken, missing]})
            del changed["attestation"]["trust_simulated_roots"]  # misspelt: good collateral is not blamed for that
            changed["collateral"] = {"prefetch": ["nonsense", "amd-milan"], "sources": [{**peer, "token_file": missing, "typ": 1},
                                                                                         {**peer, "name": "", "ca_file": missing}]}
            with open(keystore.config, "w", encoding="utf-8") as f:
                json.dump(changed, f)
            done = subprocess.run(keystore.daemon("--check-config"), capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, CONFIGURATION)
            for says in (": server.port: ", ": tls.key_fil: ", ": attestation.trust_simulated_root: ",
                         f"{broken}: attestation.collateral: cannot be used (malformed)", f"{missing}: attestation.collateral: no",
                         f"{missing}: tls.certificate_file: no such", ": collateral.prefetch: nonsense", ".typ: unknown setting",
                         f"{missing}: collateral.sources: ca_file: no such"):
                self.assertEqual(done.stderr.count(says), 1, f"{says}\n{done.stderr}")
            for says in (bundle + ":", "amd-milan: ", "no source", f"{empty}: ", "(null)"):
                self.assertNotIn(says, done.stderr)
        with self.subTest("a bad trust root, and collateral beside it"):
            changed = json.loads(json.dumps(good))
            changed["attestation"].update({"trust_simulated_roots": [empty], "collateral": [bundle, broken, missing]})
            with open(keystore.config, "w", encoding="utf-8") as f:
                json.dump(changed, f)
            done = subprocess.run(keystore.daemon("--check-config"), capture_output=True, text=True, timeout=60, check=False)
            said = [line for line in done.stderr.splitlines() if line.startswith("vouchsafed: ")]
            for line, says in zip(said, (f"{empty}: ", f"{broken}: attestation.collateral: cannot be used (malformed)",
                                         f"{missing}: attestation.collateral: no such file",
                                         ": attestation.collateral: the collateral was read but not verified"), strict=True):
                self.assertIn(says, line)
        with open(keystore.config, "w", encoding="utf-8") as f:
            json.dump(good, f)
        self.assertEqual(subprocess.run(keystore.daemon("--check-config"), capture_output=True, timeout=60,
                                        check=False).returncode, 0)

    def test_secrets_are_mounted_as_kubernetes_does(self):
        """As a link into a directory that is a link, mode 0440; and a state directory as fsGroup leaves it."""
        keystore = Keystore(**{})
        self.addCleanup(keystore.close)
        keystore.init()
        for base, _, files in os.walk(os.path.join(keystore.dir, "state")):
            os.chmod(base, 0o2770)
            for name in files:
                os.chmod(os.path.join(base, name), 0o660)
        keystore.start()
        self.assertEqual(keystore.stop(), 0)

    def test_the_sample_is_accepted(self):
        with open(os.path.join(ROOT, "dist/vouchsafe.yaml"), encoding="utf-8") as f:
            sample = f.read()
        done = self.check(sample, environment={"TEE_MODE": "none"})
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_steps_of_the_installation_exist(self):
        """What can be checked without installing: scripts, options, and the files that are installed."""
        with open(os.path.join(ROOT, "docs/operations.md"), encoding="utf-8") as f:
            steps = f.read().split("```sh install\n")[1].split("```")[0]
        self.assertTrue(os.access(os.path.join(ROOT, steps.split()[0]), os.X_OK))
        self.assertIn("-Dtests=disabled", steps)  # jansson and cmocka are not installed by `bootstrap build`
        plan = subprocess.run(["/usr/bin/meson", "introspect", "--installed", BUILD], capture_output=True, text=True,
                              check=True, timeout=120).stdout
        for path in ("/usr/local/share/doc/vouchsafe/examples/vouchsafe.yaml", "/usr/local/lib/systemd/system/vouchsafed.service",
                     "/usr/local/sbin/vouchsafed", "/usr/local/bin/vouchsafe"):
            self.assertIn(f'"{path}"', plan)
        self.assertIn("/usr/local/share/doc/vouchsafe/examples/vouchsafe.yaml", steps)

    def test_the_unit_does_not_restart_a_daemon_that_cannot_start(self):
        with open(os.path.join(ROOT, "dist/vouchsafed.service"), encoding="utf-8") as f:
            self.assertIn(f"RestartPreventExitStatus={USAGE} {CONFIGURATION}\n", f.read())
        with Keystore() as keystore:  # what is not the configuration's fault may go away
            done = subprocess.run(keystore.daemon(), capture_output=True, timeout=60, check=False)
            self.assertEqual(done.returncode, REFUSED)


if __name__ == "__main__":
    unittest.main()
