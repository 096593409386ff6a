"""The root is sealed: another machine, another state of it, or a damaged blob gives a clear error and no start."""
import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import harness
import workload
from harness import Keystore


class Swtpm:
    """A software TPM 2.0 on loopback; its state outlives a restart."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="vouchsafe-swtpm-")
        self.process = None
        self.start()

    def start(self):
        self.port = harness.free_port(2)  # the control port is the next one
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.dir}", "--server",
             f"type=tcp,port={self.port},bindaddr=127.0.0.1", "--ctrl",
             f"type=tcp,port={self.port + 1},bindaddr=127.0.0.1", "--flags",
             "not-need-init,startup-clear"], stdin=subprocess.DEVNULL)
        harness.wait_for_port(self.port + 1)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.stop()
        self.start()

    @staticmethod
    def extend_command(pcr):
        """TPM2_PCR_Extend with an empty password (TPM 2.0 part 3, section 22.2)."""
        body = (struct.pack(">I", pcr) + struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0) +
                struct.pack(">IH", 1, 0x000B) + b"\x5a" * 32)
        return struct.pack(">HII", 0x8002, 10 + len(body), 0x00000182) + body

    def extend(self, pcr):
        request = self.extend_command(pcr)
        with socket.create_connection(("127.0.0.1", self.port), 5) as s:
            s.sendall(request)
            _, _, code = struct.unpack(">HII", s.recv(4096)[:10])
        assert code == 0, hex(code)

    @property
    def tcti(self):
        return f"swtpm:host=127.0.0.1,port={self.port}"

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Race:
    """Stands between the keystore and its TPM, and extends a PCR before the first `times` TPM2_Unseal commands."""

    UNSEAL = 0x15E

    def __init__(self, tpm, pcr, times):
        self.tpm, self.pcr, self.left, self.seen = tpm, pcr, times, 0
        while True:
            self.commands, self.control = socket.socket(), socket.socket()
            self.commands.bind(("127.0.0.1", 0))
            self.port = self.commands.getsockname()[1]
            try:
                self.control.bind(("127.0.0.1", self.port + 1))
                break
            except OSError:
                self.commands.close()
                self.control.close()
        for s, serve in ((self.commands, self.serve_commands), (self.control, self.serve_control)):
            s.listen()
            threading.Thread(target=self.accept, args=(s, serve), daemon=True).start()

    @property
    def tcti(self):
        return f"swtpm:host=127.0.0.1,port={self.port}"

    def accept(self, listener, serve):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                serve(client)

    @staticmethod
    def whole(s):
        """One command or response: its header says its size."""
        data = b""
        while len(data) < 10 or len(data) < struct.unpack(">I", data[2:6])[0]:
            part = s.recv(4096)
            if not part:
                return b""
            data += part
        return data

    def serve_commands(self, client):
        with socket.create_connection(("127.0.0.1", self.tpm.port), 5) as tpm:
            while command := self.whole(client):
                if struct.unpack(">I", command[6:10])[0] == self.UNSEAL:
                    self.seen += 1
                    if self.left > 0:
                        self.left -= 1
                        tpm.sendall(Swtpm.extend_command(self.pcr))
                        assert self.whole(tpm)[6:10] == bytes(4)
                tpm.sendall(command)
                client.sendall(self.whole(tpm))

    def serve_control(self, client):
        with socket.create_connection(("127.0.0.1", self.tpm.port + 1), 5) as tpm:
            while command := client.recv(4096):
                tpm.sendall(command)
                client.sendall(tpm.recv(4096))

    def close(self):
        for s in (self.commands, self.control):
            s.shutdown(socket.SHUT_RDWR)
            s.close()


class Sealing(unittest.TestCase):
    def keystore(self, **settings):
        keystore = Keystore(settings=settings)
        self.addCleanup(keystore.close)
        return keystore

    def refuses_to_start(self, keystore, *words, status=1):
        done = subprocess.run(keystore.daemon(), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        text = done.stderr.decode(errors="replace")
        for word in words:
            self.assertIn(word, text)
        return text

    def blob(self, keystore):
        return os.path.join(keystore.dir, "state", "root.sealed")

    def damage(self, path, offset):
        with open(path, "r+b") as f:
            f.seek(offset, os.SEEK_SET if offset >= 0 else os.SEEK_END)
            byte = f.read(1)
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte[0] ^ 1]))

    def test_simulated(self):
        keystore = self.keystore().init()
        key = None
        for _ in range(2):
            keystore.start()
            key, before = keystore.pubkey(), key
            self.assertIn(before, (None, key))
            keystore.stop()
        again = subprocess.run(keystore.daemon("init"), capture_output=True, timeout=60)
        self.assertEqual(again.returncode, 1)
        self.assertIn(b"already initialised", again.stderr)
        self.damage(self.blob(keystore), -1)
        self.refuses_to_start(keystore, "root.sealed", "damaged")
        os.remove(self.blob(keystore))
        self.refuses_to_start(keystore, "vouchsafe init")

    def test_a_simulated_root_has_to_be_asked_for(self):
        keystore = self.keystore(**{"tee.allow_simulated": False})
        done = subprocess.run(keystore.daemon("init"), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 78)
        self.assertIn(b"allow_simulated", done.stderr)

    def test_the_root_of_another_simulated_platform(self):
        one, two = self.keystore().init(), self.keystore().init()
        shutil.copy(self.blob(one), self.blob(two))
        self.refuses_to_start(two, "another")

    def check_config(self, keystore):
        done = subprocess.run(keystore.daemon("--check-config"), capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    @unittest.skipUnless(shutil.which("swtpm"), "swtpm is not installed")
    def test_pcrs_that_change_while_it_runs(self):
        """The keystore continues, reports that its next start would fail, and is sealed again for it."""
        tpm = Swtpm()
        self.addCleanup(tpm.close)
        keystore = self.keystore(**{"tee.provider": "tpm2", "tee.tpm2_tcti": tpm.tcti, "tee.tpm2_pcrs": "0,7"})
        self.assertEqual(self.check_config(keystore)[0], 0)  # not initialised yet
        keystore.init().start()
        key = keystore.pubkey()

        def await_state(state):
            """The device is asked once a second at most, so a new state takes up to a second."""
            end = time.monotonic() + 20
            while True:
                status = keystore.get("/v1/status", token="operator").json()["sealed_root"]
                if status["state"] == state or time.monotonic() > end:
                    self.assertEqual(status["state"], state)
                    return status
                time.sleep(0.05)

        def sealed(state, ready, word=""):
            status = await_state(state)
            self.assertIn(word, status.get("detail", ""))
            self.assertEqual(workload.metric(keystore, "vouchsafe_sealed_root_ready"), ready)
            for age in (status["checked_s_ago"], workload.metric(keystore, "vouchsafe_sealed_root_check_age_seconds")):
                self.assertIn(age, range(3600))
            text = keystore.get("/readyz")
            self.assertEqual(text.status, 200)  # a restart is what must not happen
            self.assertEqual(b"warning" in text.body, not ready)
            self.assertEqual(self.check_config(keystore)[0], 0 if ready else 1)

        sealed("ready", 1)
        tpm.extend(10)  # not one of ours
        os.rename(self.blob(keystore), self.blob(keystore) + ".away")
        await_state("missing")
        os.rename(self.blob(keystore) + ".away", self.blob(keystore))
        sealed("ready", 1)  # the device was asked again, because the state before was another one
        before = keystore.log().count("sealed_root_not_ready")
        tpm.extend(7)
        sealed("changed", 0, "PCR 7 differs")
        self.assertIn("vouchsafe reseal", self.check_config(keystore)[1])
        self.assertEqual(keystore.log().count("sealed_root_not_ready"), before + 1)
        with self.subTest("who may"):
            for token, status in (("worker", 403), ("auditor", 403), (None, 401)):
                self.assertEqual(keystore.post("/v1/reseal", {}, token=token).status, status)
        with self.subTest("bad lists"):
            for pcrs, code in (("7=00", "bad_pcrs"), ("8=" + "00" * 32, "bad_pcrs"), (7, "bad_field"),
                               ("7=" + "00" * 32 + "," * 3000, "bad_field")):
                reply = keystore.post("/v1/reseal", {"pcrs": pcrs}, token="operator")
                self.assertEqual((reply.status, reply.code), (400, code), reply.body)
            self.assertEqual(keystore.post("/v1/reseal", {"pcr": ""}, token="operator").status, 400)
        with self.subTest("to the present state"):
            done = keystore.command("reseal", token="operator")
            self.assertIn(b"present PCRs", done.stdout)
            sealed("ready", 1)
            keystore.stop()
            keystore.start()
            self.assertEqual(keystore.pubkey(), key)
        with self.subTest("to the state after an update"):
            value = bytes(32)
            for _ in range(3):
                value = hashlib.sha256(value + b"\x5a" * 32).digest()
            tpm.extend(7)
            keystore.command("reseal", "--pcrs", "7=" + value.hex(), token="operator")
            sealed("changed", 0, "PCR 7 differs")  # not there yet
            tpm.extend(7)
            sealed("ready", 1)
            keystore.stop()
            keystore.start()
            self.assertEqual(keystore.pubkey(), key)
            self.assertTrue(os.path.exists(self.blob(keystore) + ".previous"))
            self.assertFalse(os.path.exists(self.blob(keystore) + ".next"))
        with self.subTest("the log has it"):
            lines, note = workload.export_log(keystore)
            entries = [e for e in map(json.loads, lines) if e["op"] == "reseal"]
            self.assertEqual([(e["decision"], e["code"]) for e in entries if e["decision"] == "allow"],
                             [("allow", "ok")] * 2)
            self.assertEqual(workload.verify_log(keystore, lines, note).returncode, 0)
        with self.subTest("a root that is gone"):
            os.remove(self.blob(keystore))
            await_state("missing")
            keystore.command("reseal", token="operator")
            sealed("ready", 1)
        with self.subTest("no TPM"):
            tpm.stop()
            await_state("unavailable")
            reply = keystore.post("/v1/reseal", {}, token="operator")
            self.assertEqual((reply.status, reply.code), (503, "reseal_failed"))

    def test_a_seal_without_pcrs(self):
        keystore = self.keystore().init().start()
        self.assertEqual(keystore.get("/v1/status", token="operator").json()["sealed_root"]["state"], "ready")
        reply = keystore.post("/v1/reseal", {}, token="operator")
        self.assertEqual((reply.status, reply.code), (400, "reseal_unsupported"))

    @unittest.skipUnless(shutil.which("swtpm"), "swtpm is not installed")
    def test_tpm(self):
        tpm = Swtpm()
        self.addCleanup(tpm.close)
        settings = {"tee.provider": "tpm2", "tee.tpm2_tcti": tpm.tcti, "tee.tpm2_pcrs": "0,7"}
        keystore = self.keystore(**settings)
        keystore.init().start()
        self.assertEqual(keystore.get("/health").json()["tee_mode"], "Tpm2")
        reply = keystore.get("/v1/attestation?nonce=" + "00" * 16)
        self.assertEqual((reply.status, reply.code), (404, "no_evidence"))
        key = keystore.pubkey()
        keystore.stop()
        with self.subTest("another TPM"):
            other = Swtpm()
            self.addCleanup(other.close)
            moved = self.keystore(**{**settings, "tee.tpm2_tcti": other.tcti})
            shutil.copytree(os.path.join(keystore.dir, "state"), os.path.join(moved.dir, "state"))
            self.refuses_to_start(moved, "another")
        with self.subTest("the same state again"):
            tpm.extend(16)  # not one of ours
            keystore.start()
            self.assertEqual(keystore.pubkey(), key)
            keystore.stop()
        with self.subTest("a PCR that is not ours is extended during unsealing, as while a machine boots"):
            race = Race(tpm, 10, 3)
            self.addCleanup(race.close)
            racing = self.keystore(**{**settings, "tee.tpm2_tcti": race.tcti})
            shutil.copytree(os.path.join(keystore.dir, "state"), os.path.join(racing.dir, "state"))
            racing.start()
            self.assertEqual((race.seen, race.left), (4, 0))
            self.assertEqual(racing.pubkey(), key)
            racing.stop()
        with self.subTest("and without end: the message blames no difference that is not there"):
            race.left = 1000
            text = self.refuses_to_start(racing, "extended a PCR", "try again")
            self.assertNotIn("differs", text)
            self.assertNotIn("sealed by another machine", text)
        with self.subTest("a PCR of ours changes between check and unsealing"):
            race.pcr, race.left, before = 7, 1, race.seen
            self.refuses_to_start(racing, "PCR 7 differs")
            self.assertEqual(race.seen - before, 1)
        with self.subTest("another state"):
            tpm.extend(7)
            self.refuses_to_start(keystore, "PCR 7")
        with self.subTest("no TPM"):
            tpm.stop()
            self.refuses_to_start(keystore, "TPM")
        with self.subTest("damaged"):
            tpm.start()
            keystore.stop()
            size = os.path.getsize(self.blob(keystore))
            for offset in (0, 10, size // 2, size - 1):
                self.damage(self.blob(keystore), offset)
                self.refuses_to_start(keystore, "vouchsafed:")
                self.damage(self.blob(keystore), offset)

    @unittest.skipUnless(shutil.which("swtpm"), "swtpm is not installed")
    def test_evidence_of_the_provider_and_sealing_by_the_tpm(self):
        tpm = Swtpm()
        self.addCleanup(tpm.close)
        settings = {"tee.sealing": "tpm2", "tee.tpm2_tcti": tpm.tcti, "tee.tpm2_pcrs": "7"}
        keystore = self.keystore(**settings)
        keystore.init().start()
        with open(self.blob(keystore), "rb") as f:
            self.assertEqual(f.read(6), b"VSTPM2")
        self.assertEqual(keystore.get("/health").json()["tee_mode"], "Simulated")
        evidence = keystore.get("/v1/attestation?nonce=" + "00" * 16).json()
        self.assertEqual((evidence["tee_type"], evidence["simulated"]), ("simulated", True))
        self.assertNotIn("certificates", evidence)
        key = keystore.pubkey()
        keystore.stop()
        keystore.start()
        self.assertEqual(keystore.pubkey(), key)
        keystore.stop()
        tpm.extend(7)
        self.refuses_to_start(keystore, "PCR 7")

    def test_hardware_that_is_not_there_is_not_replaced(self):
        reasons = {"sgx": "Gramine", "snp": "/dev/sev-guest", "tdx": "/sys/kernel/config/tsm/report"}
        there = [path for path in ("/dev/attestation", "/dev/sev-guest", "/sys/kernel/config/tsm/report")
                 if os.path.exists(path)]
        if there:
            self.skipTest(f"this is a machine with {there}")
        for provider in ("auto", *reasons):
            with self.subTest(provider):
                keystore = self.keystore(**{"tee.provider": provider})
                done = subprocess.run(keystore.daemon("init"), capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 1)
                text = done.stderr.decode()
                for name, reason in reasons.items():
                    if provider in ("auto", name):
                        self.assertIn(reason, text)
                if provider == "auto":
                    for name in reasons:
                        self.assertIn(f"{name}: ", text)
                self.assertFalse(os.path.exists(self.blob(keystore)))

    def test_a_master_secret_is_imported_with_a_warning_and_must_match_later(self):
        keystore = self.keystore()
        master = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        with open(os.path.join(keystore.dir, ".env"), "w", encoding="ascii") as f:
            f.write(f"KEYSTORE_MASTER_SECRET={master}\n")
        done = subprocess.run(keystore.daemon("init"), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"KEYSTORE_MASTER_SECRET", done.stderr)
        self.assertNotIn(master.encode(), done.stderr + done.stdout)
        keystore.start()
        # the worked example of OutLayer's interface, with the default prefix
        self.assertEqual(keystore.pubkey("github.com/alice/project:alice.near"),
                         "c74fd1289bf254bc29072a707c1a64841e4e4afc3aef8183fb9fcf28cb31166d")
        keystore.stop()
        with open(os.path.join(keystore.dir, ".env"), "w", encoding="ascii") as f:
            f.write("KEYSTORE_MASTER_SECRET=" + "ff" * 32 + "\n")
        self.refuses_to_start(keystore, "KEYSTORE_MASTER_SECRET", status=78)
        os.truncate(os.path.join(keystore.dir, ".env"), 0)
        keystore.start()

    def test_the_empty_prefix_opens_what_was_made_for_outlayer(self):
        keystore = self.keystore(**{"keys.prefix": ""})
        with open(os.path.join(keystore.dir, ".env"), "w", encoding="ascii") as f:
            f.write("KEYSTORE_MASTER_SECRET=" + bytes(range(32)).hex() + "\n")
        keystore.init().start()
        self.assertEqual(keystore.pubkey("github.com/alice/project:alice.near"),
                         "fb3234db8f36e87a8ec08c1b77799b55788f8855931c76eec948f33b76f9ff19")
        worker = harness.Worker(keystore)
        worker.attest()
        # the ECIES worked example: made by OutLayer's rules, byte for byte
        blob = bytes.fromhex(
            "01358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254000102030405060708090a0b9bf74f"
            "d7295780a63ce62326a0852b6bad3ac6e33c12642576daffedc5bc51a194ba65c2f0837e605b82df282e4898cf235630"
            "4a60da61")
        reply = worker.decrypt(blob, seed="github.com/alice/project:alice.near", seal=True)
        self.assertEqual(worker.open_sealed(reply), b'{"OPENAI_KEY":"sk-test123","FOO":"bar"}')

    def test_a_changed_log_is_not_opened(self):
        import sqlite3
        keystore = self.keystore().init().start()
        worker = harness.Worker(keystore)
        worker.attest()
        keystore.stop()
        path = os.path.join(keystore.dir, "state", "log.db")
        for statement in ("UPDATE log_entry SET entry = CAST(replace(CAST(entry AS TEXT), 'allow', "
                          "'denyx') AS BLOB) WHERE idx = 1",
                          "DELETE FROM log_entry WHERE idx = 2"):
            with self.subTest(statement):
                shutil.copy(path, path + ".kept")
                database = sqlite3.connect(path)
                database.execute(statement)
                database.commit()
                database.close()
                self.refuses_to_start(keystore, "not what this keystore wrote")
                shutil.copy(path + ".kept", path)
        keystore.start()


if __name__ == "__main__":
    unittest.main()
