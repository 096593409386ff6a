"""SIGHUP exchanges what it can as one checked whole; SIGUSR1 does no harm; the service manager is told."""
import datetime
import hashlib
import json
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import workload
from harness import DEFAULT, PLAIN, Keystore, Worker, ecies_seal


def certificate_write(directory, days, name="localhost"):
    """As cert-manager does: a directory of its own, and a link that is swapped."""
    fresh = os.path.join(directory, f"..{os.urandom(4).hex()}")
    os.mkdir(fresh)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    end = now + datetime.timedelta(days=days)
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=400))
            .not_valid_after(end).sign(key, hashes.SHA256()))
    for file, data in (("tls.crt", made.public_bytes(serialization.Encoding.PEM)),
                       ("tls.key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                     serialization.NoEncryption()))):
        path = os.path.join(fresh, file)
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, 0o440)
    link = os.path.join(directory, "..data")
    os.symlink(fresh, link + ".new")
    os.rename(link + ".new", link)
    return made


def configuration_of(keystore):
    with open(keystore.config, encoding="utf-8") as f:
        return json.load(f)


class Case(unittest.TestCase):
    def configure(self, keystore):
        with open(keystore.config, "w", encoding="utf-8") as f:
            json.dump(keystore.configuration, f)

    def hang_up(self, keystore, event):
        """Sends SIGHUP, waits for the event and returns its line."""
        before = keystore.log().count(event)
        keystore.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while keystore.log().count(event) == before:
            self.assertLess(time.monotonic(), deadline, keystore.log()[-2000:])
            time.sleep(0.02)
        return [line for line in keystore.log().split("\n") if event in line][-1]


class Reload(Case):
    def keystore(self, days=30):
        keystore = Keystore(tls=True)
        self.addCleanup(keystore.close)
        keystore.certificate = certificate_write(keystore.dir, days)
        keystore.configuration = configuration_of(keystore)
        keystore.configuration["tls"] = {"mode": "files", **{
            f"{what}_file": os.path.join(keystore.dir, "..data", file)
            for what, file in (("certificate", "tls.crt"), ("key", "tls.key"))}}
        self.configure(keystore)
        return keystore.init().start()

    def served(self, keystore):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # own server, own test
        with socket.create_connection(("127.0.0.1", keystore.port), 10) as s, context.wrap_socket(s) as t:
            return x509.load_der_x509_certificate(t.getpeercert(True))

    def test_a_renewed_certificate_is_served(self):
        keystore = self.keystore()
        self.assertEqual(self.served(keystore).serial_number, keystore.certificate.serial_number)
        old = keystore.connection()
        keystore.get("/readyz", connection=old)
        for days in (60, 90):
            fresh = certificate_write(keystore.dir, days)
            self.hang_up(keystore, " reloaded ")
            self.assertEqual(self.served(keystore).serial_number, fresh.serial_number)
            self.assertEqual(workload.metric(keystore, "vouchsafe_tls_certificate_expiry_timestamp_seconds"),
                             fresh.not_valid_after.replace(tzinfo=datetime.timezone.utc).timestamp())
            self.assertEqual(keystore.get("/readyz", connection=old).status, 200)  # goes on with its own
            spki = hashes.Hash(hashes.SHA256())
            spki.update(fresh.public_key().public_bytes(serialization.Encoding.DER,
                                                        serialization.PublicFormat.SubjectPublicKeyInfo))
            said = keystore.get("/v1/attestation?nonce=" + "00" * 32).json()
            self.assertEqual(said["tls_spki_sha256"], spki.finalize().hex())
        lines, note = workload.export_log(keystore)
        self.assertEqual(sum(json.loads(line)["op"] == "reload" for line in lines), 2)
        self.assertEqual(workload.verify_log(keystore, lines, note).returncode, 0)

    def test_a_faulty_reload_changes_nothing(self):
        keystore = self.keystore()
        good = self.served(keystore).serial_number
        data = os.path.realpath(os.path.join(keystore.dir, "..data"))

        def restore():
            os.rename(os.path.join(keystore.dir, "..data"), os.path.join(keystore.dir, "..bad"))
            os.symlink(data, os.path.join(keystore.dir, "..data"))
            os.remove(os.path.join(keystore.dir, "..bad"))

        with self.subTest("an expired certificate"):
            certificate_write(keystore.dir, -1)
            self.assertIn("expired at", self.hang_up(keystore, "reload_refused"))
            restore()
        with self.subTest("a key of another certificate"):
            certificate_write(keystore.dir, 30)
            bad = os.path.realpath(os.path.join(keystore.dir, "..data"))
            os.chmod(os.path.join(bad, "tls.key"), 0o640)
            with open(os.path.join(data, "tls.key"), "rb") as f, open(os.path.join(bad, "tls.key"), "wb") as out:
                out.write(f.read())
            self.assertIn("the private key is not", self.hang_up(keystore, "reload_refused"))
            restore()
        with self.subTest("no certificate"):
            certificate_write(keystore.dir, 30)
            os.remove(os.path.join(keystore.dir, "..data/tls.crt"))
            self.assertIn("tls.crt", self.hang_up(keystore, "reload_refused"))
            restore()
        with self.subTest("settings that are not acceptable, and a good certificate"):
            certificate_write(keystore.dir, 30)
            keystore.configuration["server"]["prot"] = 1
            self.configure(keystore)
            self.assertIn("server.prot", self.hang_up(keystore, "reload_refused"))
            del keystore.configuration["server"]["prot"]
            self.configure(keystore)
            restore()
        with self.subTest("another mode"):
            before = keystore.configuration["tls"]
            keystore.configuration["tls"] = {"mode": "off"}
            self.configure(keystore)
            self.assertIn("tls.mode", self.hang_up(keystore, "reload_refused"))
            keystore.configuration["tls"] = before
            self.configure(keystore)
        self.assertEqual(self.served(keystore).serial_number, good)
        self.hang_up(keystore, " reloaded ")
        self.assertEqual(self.served(keystore).serial_number, good)

    def test_tokens_are_exchanged(self):
        keystore = self.keystore()
        connection = keystore.connection()  # is not closed by it
        status = lambda token: keystore.get("/v1/status", token=token, connection=connection).status  # noqa: E731
        self.assertEqual((status("operator"), status("00" * 32)), (200, 401))
        tokens = keystore.configuration["tokens"]
        fresh = os.urandom(32).hex()
        keystore.configuration["tokens"] = [t for t in tokens if t["name"] != "operator"] + [
            {"name": "other", "role": "operator", "sha256": hashlib.sha256(fresh.encode()).hexdigest()}]
        self.configure(keystore)
        self.hang_up(keystore, " reloaded ")
        self.assertEqual((status("operator"), status(fresh)), (401, 200))
        with self.subTest("a token that is wrong: the others stay as they are"):
            keystore.configuration["tokens"][0]["sha256"] = "00"
            self.configure(keystore)
            self.assertIn("sha256", self.hang_up(keystore, "reload_refused"))
            self.assertEqual(status(fresh), 200)

    def test_tokens_are_exchanged_under_load(self):
        keystore = self.keystore()
        stop, wrong = threading.Event(), []

        def ask():
            connection = keystore.connection()
            while not stop.is_set():
                code = keystore.get("/v1/log/entries?start=0", token="auditor", connection=connection).status
                if code != 200:
                    wrong.append(code)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for t in threads:
            t.start()
        for _ in range(20):
            self.hang_up(keystore, " reloaded ")
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])

    def test_certificates_that_end_soon_are_warned_of(self):
        for days, event in ((30, None), (7, "tls_certificate_expires_soon"), (-1, "tls_certificate_expired")):
            with self.subTest(days=days):
                keystore = self.keystore(days)
                time.sleep(0.1)
                if event:
                    self.assertIn(event, keystore.log())
                else:
                    self.assertNotIn("tls_certificate_e", keystore.log())

    def test_collateral_that_ends_soon_is_warned_of(self):
        for lifetime, later, events in ((30 * 86400, 0, {}), (6 * 86400, 0, {"collateral_expires_soon": 1}),
                                        (3600, 7200, {"collateral_expired": 1})):
            with self.subTest(lifetime=lifetime, later=later):
                keystore = Keystore(collateral_options=("--lifetime", str(lifetime)), clock=int(time.time()) + later)
                self.addCleanup(keystore.close)
                keystore.init().start()
                deadline = time.monotonic() + 10
                while any(event not in keystore.log() for event in events):
                    self.assertLess(time.monotonic(), deadline, keystore.log()[-2000:])
                    time.sleep(0.02)
                for _ in range(2):  # of another turn of the loop
                    self.hang_up(keystore, " reloaded ")
                found = {e: keystore.log().count(f" {e} ") for e in ("collateral_expires_soon", "collateral_expired")}
                self.assertEqual({e: n for e, n in found.items() if n}, events)

    def test_signals_that_do_no_harm(self):
        keystore = Keystore()
        self.addCleanup(keystore.close)
        keystore.init().start()
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
            keystore.process.send_signal(number)
        deadline = time.monotonic() + 10
        while " state version=" not in keystore.log():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        self.assertEqual(keystore.get("/readyz").status, 200)

    def test_a_clock_behind_the_log(self):
        now = int(time.time())
        keystore = Keystore(clock=now)
        self.addCleanup(keystore.close)
        keystore.init().start()
        keystore.stop()
        self.assertNotIn("clock_behind_log", keystore.log())
        keystore.clock = now - 3600
        keystore.start()
        self.assertIn("clock_behind_log", keystore.log())


OTHER, THIRD = "33" * 32, "44" * 32


class Policies(Case):
    def keystore(self, policies=None, settings=None):
        k = Keystore(policies=policies or [PLAIN], settings=settings)
        self.addCleanup(k.close)
        k.configuration = configuration_of(k)
        return k.init().start()

    def policies(self, k, *policies):
        k.configuration["attestation"]["policies"] = list(policies)
        self.configure(k)
        return self.hang_up(k, " reloaded ")

    def attests(self, k, measurement):
        return Worker(k, mrenclave=measurement).attest().status == 200

    def opens(self, k, worker):
        return worker.decrypt(ecies_seal(k.pubkey("s"), b"{}"), seed="s")

    def second(self, measurement):
        return {**DEFAULT, "name": "second", "mrenclave": [measurement]}

    def test_one_is_added_changed_and_removed(self):
        k = self.keystore()
        worker = Worker(k)
        self.assertEqual(worker.attest().status, 200)
        self.assertFalse(self.attests(k, OTHER))
        self.assertIn("policies=1 policies_changed=0 collateral_changed=0", self.hang_up(k, " reloaded "))
        self.assertEqual(self.opens(k, worker).status, 200)  # nothing changed: its session goes on
        self.assertIn("policies=2 policies_changed=1", self.policies(k, PLAIN, self.second(OTHER)))
        self.assertEqual(self.opens(k, worker).code, "session_policy_changed")
        self.assertEqual([self.attests(k, m) for m in (OTHER, THIRD)], [True, False])
        self.policies(k, PLAIN, self.second(THIRD))
        self.assertEqual([self.attests(k, m) for m in (OTHER, THIRD)], [False, True])
        self.policies(k, PLAIN)
        self.assertEqual([self.attests(k, m) for m in (OTHER, THIRD)], [False, False])
        self.assertEqual(worker.attest().status, 200)
        lines, _ = workload.export_log(k)
        details = [json.loads(line)["detail"] for line in lines if json.loads(line)["op"] == "reload"]
        self.assertEqual([(d["policies"], d["policies_changed"]) for d in details],
                         [(1, False), (2, True), (2, True), (1, True)])

    def test_files_of_policies_are_read_again(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "more.yaml")

            def write(*policies):
                with open(path, "w", encoding="utf-8") as f:
                    json.dump({"policies": list(policies)}, f)

            write(self.second(OTHER))
            k = self.keystore(settings={"attestation.policy_files": [directory]})
            self.assertTrue(self.attests(k, OTHER))
            write(self.second(THIRD))
            self.hang_up(k, " reloaded ")
            self.assertEqual([self.attests(k, m) for m in (OTHER, THIRD)], [False, True])

    def test_a_broken_one_keeps_everything(self):
        k = self.keystore()
        worker, fresh = Worker(k), os.urandom(32).hex()
        self.assertEqual(worker.attest().status, 200)
        k.configuration["tokens"].append(
            {"name": "other", "role": "operator", "sha256": hashlib.sha256(fresh.encode()).hexdigest()})
        k.configuration["attestation"]["policies"] = [
            PLAIN, {**self.second(OTHER), "mrenclave": ["00"]}, {**DEFAULT, "name": "third", "color": "red"}]
        k.configuration["attestation"]["collateral"].append(k.dir + "/missing.json")
        self.configure(k)
        self.assertIn("faults=3", self.hang_up(k, "reload_refused"))  # of the settings and of the files, at once
        faults = [line for line in k.log().split("\n") if " reload_fault " in line]
        self.assertEqual(len(faults), 3)
        self.assertIn(k.dir + "/missing.json: attestation.collateral: no such file", faults.pop())
        for line, what in zip(faults, ("attestation.policies[1].mrenclave", "attestation.policies[2].color")):
            self.assertRegex(line, re.escape(k.config) + r":\d+: " + re.escape(what))
        self.assertEqual(k.get("/v1/status", token=fresh).status, 401)
        self.assertFalse(self.attests(k, OTHER))
        self.assertEqual(self.opens(k, worker).status, 200)

    def test_values_that_were_added_survive(self):
        k = self.keystore()
        added = k.post("/v1/policies/worker/reference-values", {"field": "mrenclave", "value": OTHER}, token="operator")
        self.assertEqual(added.status, 200, added.body)
        self.assertTrue(self.attests(k, OTHER))
        self.policies(k, PLAIN, self.second(THIRD))
        self.assertEqual([self.attests(k, m) for m in (OTHER, THIRD)], [True, True])
        self.policies(k, self.second(THIRD))  # the value waits for its policy
        self.assertIn("reference_value_not_used", k.log())
        self.assertFalse(self.attests(k, OTHER))
        self.policies(k, PLAIN)
        self.assertTrue(self.attests(k, OTHER))
        path = f"/v1/policies/worker/reference-values?field=mrenclave&value={OTHER}"
        self.assertEqual(k.request("DELETE", path, token="operator").status, 200)
        self.hang_up(k, " reloaded ")
        self.assertFalse(self.attests(k, OTHER))

    def test_changes_and_reloads_at_once(self):
        k = self.keystore()
        values = [f"{i:064x}" for i in range(1, 25)]
        threads = [threading.Thread(target=lambda v=v: k.post(
            "/v1/policies/worker/reference-values", {"field": "mrenclave", "value": v}, token="operator"))
            for v in values]
        for t in threads:
            t.start()
        for i in range(6):
            self.policies(k, PLAIN, *([self.second(THIRD)] if i % 2 else []))
        for t in threads:
            t.join()
        self.assertTrue(self.attests(k, THIRD))
        known = k.get("/v1/policies", token="operator").json()["policies"][0]["reference_values"]
        self.assertEqual(sorted(v["value"] for v in known if v["used"]), values)

    def test_what_needs_a_restart_is_named(self):
        k = self.keystore()
        self.hang_up(k, " reloaded ")
        self.assertNotIn("restart_needed", k.log())
        k.configuration["session"] = {"lifetime_s": 77}
        k.configuration["collateral"] = {"sources": [{"name": "x", "type": "pccs", "url": "https://127.0.0.1:1"}]}
        self.configure(k)
        self.hang_up(k, " reloaded ")
        self.assertIn('restart_needed settings=session.lifetime_s,collateral.sources', k.log())


class Collateral(Case):
    """No directory is looked at again by itself: what is in use after SIGHUP is of SIGHUP."""

    def keystore(self):
        k = Keystore(policies=[PLAIN], settings={"attestation.collateral": [], "collateral.reread_s": 86400})
        self.addCleanup(k.close)
        k.directory = os.path.join(k.dir, "published")
        os.mkdir(k.directory)
        k.configuration = configuration_of(k)
        k.configuration["collateral"]["directories"] = [k.directory]
        self.configure(k)
        return k.init().start()

    def publish(self, k, name="mine.json", *options):
        return k.platform.collateral(os.path.join(k.directory, name), *options)

    def test_a_new_file_is_in_use(self):
        k = self.keystore()
        self.assertEqual(Worker(k).attest().code, "collateral_missing")
        self.publish(k)
        self.assertIn("collateral_changed=1", self.hang_up(k, " reloaded "))
        self.assertEqual(Worker(k).attest().status, 200)
        self.assertIn("collateral_changed=0", self.hang_up(k, " reloaded "))
        lines, _ = workload.export_log(k)
        changes = [json.loads(line)["detail"] for line in lines if json.loads(line)["op"] == "collateral"]
        self.assertEqual([(c["change"], c["source"]) for c in changes], [("added", "directory")])

    def test_another_directory_or_bundle_is_in_use(self):
        k = self.keystore()
        k.directory = os.path.join(k.dir, "elsewhere")
        os.mkdir(k.directory)
        bundle = self.publish(k, "bundle")
        k.configuration["collateral"]["directories"] = [k.directory]
        self.configure(k)
        self.assertIn("collateral_changed=0", self.hang_up(k, " reloaded "))
        k.configuration["attestation"]["collateral"] = [bundle]
        self.configure(k)
        self.assertIn("collateral_changed=1", self.hang_up(k, " reloaded "))
        self.assertEqual(Worker(k).attest().status, 200)
        self.assertNotIn("restart_needed", k.log())

    def test_a_broken_file_refuses_the_whole(self):
        k = self.keystore()
        fresh = os.urandom(32).hex()
        self.publish(k)
        k.configuration["tokens"].append(
            {"name": "other", "role": "operator", "sha256": hashlib.sha256(fresh.encode()).hexdigest()})
        self.configure(k)
        bad, worse = (os.path.join(k.directory, name) for name in ("nonsense.json", "zz.vcek.pem"))
        for path, text in ((bad, "{}"), (worse, "-----BEGIN CERTIFICATE-----\n")):
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
        self.assertIn("faults=2", self.hang_up(k, "reload_refused"))
        for path in (bad, worse):
            self.assertIn(f"{path}: collateral.directories: ", k.log())
        self.assertEqual(k.get("/v1/status", token=fresh).status, 401)
        self.assertEqual(Worker(k).attest().code, "collateral_missing")
        os.remove(bad)
        os.remove(worse)
        self.hang_up(k, " reloaded ")
        self.assertEqual(k.get("/v1/status", token=fresh).status, 200)
        self.assertEqual(Worker(k).attest().status, 200)

    def test_what_is_older_does_not_go_back(self):
        k = self.keystore()
        self.publish(k)
        self.hang_up(k, " reloaded ")
        self.publish(k, "mine.json", "--issued-before", "86400")
        self.assertIn("collateral_changed=0", self.hang_up(k, " reloaded "))
        self.assertIn("file_passed_over", k.log())
        self.assertEqual(Worker(k).attest().status, 200)


class NoRoomForTheLog(Case):
    """No change without its entry: while the log cannot be written, nothing is reloaded, and entries are kept."""

    def keystore(self):
        k = Keystore(policies=[PLAIN], settings={"attestation.collateral": [], "collateral.reread_s": 1,
                                                 "log.summary_interval_s": 1})
        self.addCleanup(k.close)
        k.directory = os.path.join(k.dir, "published")
        os.mkdir(k.directory)
        k.configuration = configuration_of(k)
        k.configuration["collateral"]["directories"] = [k.directory]
        self.configure(k)
        return k.init().start()

    def limit(self, k, size):
        os.truncate(k.log_path, 0)  # the limit applies to the operational log, too
        _, hard = resource.prlimit(k.pid(), resource.RLIMIT_FSIZE)
        resource.prlimit(k.pid(), resource.RLIMIT_FSIZE, (size, hard))

    def entries(self, k, op):
        return [e.get("detail") for e in map(json.loads, workload.export_log(k)[0]) if e["op"] == op]

    def wait_for(self, condition):
        deadline = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), deadline, "it did not happen")
            time.sleep(0.1)

    def test_a_reload_that_cannot_be_logged_changes_nothing(self):
        k = self.keystore()
        fresh = os.urandom(32).hex()
        k.configuration["tokens"].append(
            {"name": "other", "role": "operator", "sha256": hashlib.sha256(fresh.encode()).hexdigest()})
        k.configuration["attestation"]["policies"].append({**DEFAULT, "name": "second", "mrenclave": [OTHER]})
        self.configure(k)
        self.limit(k, 4096)
        refused = self.hang_up(k, "reload_refused")
        self.assertIn("`reload` cannot be written", refused)
        self.assertEqual(k.get("/v1/status", token=fresh).status, 401)
        self.assertEqual(len(k.get("/v1/policies", token="operator").json()["policies"]), 1)
        self.limit(k, resource.RLIM_INFINITY)
        self.hang_up(k, " reloaded ")
        self.assertEqual(k.get("/v1/status", token=fresh).status, 200)
        self.assertEqual(len(self.entries(k, "reload")), 1)

    def test_events_and_counts_of_an_outage_are_logged_after_it(self):
        k = self.keystore()
        self.limit(k, 4096)
        self.assertEqual(k.get("/v1/status", token="wrong").status, 401)
        k.platform.collateral(os.path.join(k.directory, "mine.json"))
        self.wait_for(lambda: workload.metric(k, "vouchsafe_log_failures_total") >= 3)
        for _ in range(3):
            self.assertEqual(k.get("/v1/status", token="wrong").status, 401)
        time.sleep(2)  # two intervals of summaries
        self.limit(k, resource.RLIM_INFINITY)
        self.wait_for(lambda: sum(d.get("bad_token", 0) for d in self.entries(k, "refused-summary")) == 4)
        self.wait_for(lambda: [(d["change"], d["source"]) for d in self.entries(k, "collateral")] ==
                      [("added", "directory")])
        self.assertEqual(len(self.entries(k, "log-recovered")), 1)
        lines, note = workload.export_log(k)
        self.assertEqual(workload.verify_log(k, lines, note).returncode, 0)


# Each sync of the log fails while the file named by BROKEN exists: whether a commit is stored is unknown.
BROKEN_SYNC = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (access(getenv("BROKEN"), F_OK) != 0)
        return real(fd);
    errno = EIO;
    return -1;
}
int fsync(int fd) { return fdatasync(fd); }
"""


class BrokenDisk(Case):
    """Whether the entry of a change is stored is unknown for as long as the disk is broken. SIGTERM still ends the daemon."""

    def start(self, **settings):
        keystore = Keystore(policies=[PLAIN], settings=settings)
        self.addCleanup(keystore.close)
        shim = os.path.join(keystore.dir, "broken_sync.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", shim, "-ldl"], check=True,
                       input=BROKEN_SYNC.encode())
        self.broken = os.path.join(keystore.dir, "broken")
        keystore.wrapper = ["env", f"LD_PRELOAD={shim}", f"BROKEN={self.broken}"]
        keystore.init().start()
        with open(self.broken, "wb"):
            pass
        return keystore

    def await_failing(self, keystore):
        deadline = time.monotonic() + 20
        while keystore.get("/readyz").status != 503:
            self.assertLess(time.monotonic(), deadline, keystore.log()[-2000:])
            time.sleep(0.05)

    def stops_and_starts(self, keystore):
        self.assertEqual(keystore.stop(), 0, keystore.log()[-2000:])
        os.unlink(self.broken)
        keystore.start()
        self.assertEqual(keystore.get("/readyz").status, 200)

    def test_a_reload(self):
        keystore = self.start()
        keystore.process.send_signal(signal.SIGHUP)
        self.await_failing(keystore)
        self.stops_and_starts(keystore)
        self.assertIn("the daemon stops, and it is not known", keystore.log())

    def test_a_change_of_a_policy(self):
        keystore = self.start()
        replies = []
        thread = threading.Thread(target=lambda: replies.append(keystore.post(
            "/v1/policies/worker/reference-values", {"field": "mrenclave", "value": "77" * 32}, token="operator")))
        thread.start()
        self.await_failing(keystore)
        self.stops_and_starts(keystore)
        thread.join()
        self.assertEqual((replies[0].status, replies[0].code), (503, "log_unavailable"))
        self.assertIn(b"it is not known whether the change is in effect", replies[0].body)

    def test_an_event(self):
        keystore = self.start(**{"log.summary_interval_s": 1})
        self.assertEqual(keystore.get("/v1/status", token="wrong").status, 401)  # the summary is an event
        self.await_failing(keystore)
        self.stops_and_starts(keystore)
        self.assertRegex(keystore.log(), r'event_lost code=unavailable effect="an entry .* may be missing in its log')


class OperationalLog(unittest.TestCase):
    """It says what happened, by names and codes, and never more than a bounded number of lines."""

    def test_denials_and_bad_tokens(self):
        keystore = Keystore(workers=1)
        self.addCleanup(keystore.close)
        keystore.init().start()
        wrong = keystore.tokens["worker"][:-1] + "x"
        for _ in range(200):
            self.assertEqual(keystore.get("/v1/status", token=wrong).status, 401)
        worker = Worker(keystore)
        for _ in range(3):
            self.assertEqual(worker.attest_with(os.urandom(32), b"nothing").status, 401)
        log = keystore.log()
        bad = re.findall(r" bad_token address=127\.0\.0\.1 reason=.* left_out=\d+", log)
        self.assertIn(len(bad), range(1, 101), log[-3000:])
        denied = re.findall(r" denied op=attest code=(\w+) .*principal=worker request_id=([0-9a-f-]{36})", log)
        self.assertEqual(len(denied), 3)
        self.assertEqual(keystore.get(f"/v1/explain?request_id={denied[0][1]}", token="operator").status, 200)
        for secret in (*keystore.tokens.values(), wrong):
            self.assertNotIn(secret, log)


class ServiceManager(unittest.TestCase):
    def test_it_is_told(self):
        keystore = Keystore()
        self.addCleanup(keystore.close)
        path = os.path.join(keystore.dir, "notify")
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(path)
        manager.settimeout(10)
        keystore.init()
        keystore.wrapper = ["env", f"NOTIFY_SOCKET={path}", "WATCHDOG_USEC=2000000"]
        keystore.start()

        def told():
            return manager.recv(4096).decode()

        first = told()
        self.assertIn("READY=1\n", first)
        self.assertIn(f"MAINPID={keystore.pid()}\n", first)
        self.assertIn("WATCHDOG=1", told())
        self.assertIn("WATCHDOG=1", told())
        keystore.process.send_signal(signal.SIGHUP)
        messages = [told() for _ in range(2)]
        while not any("READY=1" in m for m in messages):
            messages.append(told())
        self.assertTrue(any("RELOADING=1" in m for m in messages), messages)
        keystore.stop()
        last = told()
        while "WATCHDOG" in last:
            last = told()
        self.assertEqual(last, "STOPPING=1\n")


if __name__ == "__main__":
    unittest.main()
