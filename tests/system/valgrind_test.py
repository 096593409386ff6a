"""A short life of the daemon under valgrind: no error, nothing lost at the end."""
import os
import shutil
import socket
import subprocess
import unittest

import workload
from harness import PLAIN, Keystore, Worker, ecies_seal

SEED = "github.com/alice/project:alice.near"
START_S = 120
# valgrind 3.19 does not know seccomp(2), without which the daemon rightly refuses to start
WITHOUT_SECCOMP = """
int seccomp_attr_set(void *filter, int attribute, unsigned value) { return 0; }
int seccomp_load(const void *filter) { return 0; }
"""
FAULT_STATUS = 77


@unittest.skipUnless(shutil.which("valgrind"), "valgrind is not installed")
class Valgrind(unittest.TestCase):
    def check(self, **options):
        keystore = Keystore(workers=2, policies=[PLAIN], **options)
        self.addCleanup(keystore.close)
        keystore.init()
        shim = os.path.join(keystore.dir, "without_seccomp.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", shim], check=True,
                       input=WITHOUT_SECCOMP.encode())
        report = os.path.join(keystore.dir, "valgrind")
        keystore.wrapper = ["env", f"LD_PRELOAD={shim}", "valgrind", "--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite",
                            "--show-leak-kinds=definite", f"--error-exitcode={FAULT_STATUS}",
                            "--track-fds=no", f"--log-file={report}"]
        keystore.start(wait_s=START_S)
        self.scenario(keystore)
        status = keystore.stop()
        with open(report, encoding="utf-8", errors="replace") as f:
            said = [line for line in f if line.startswith("==")]  # "--": what it does not know itself
        self.assertEqual((status, said), (0, []), keystore.log()[-2000:])

    def scenario(self, keystore):
        worker = Worker(keystore)
        self.assertEqual(worker.attest().status, 200)
        for plain in (b"x", os.urandom(50_000)):
            envelope = ecies_seal(keystore.pubkey(SEED), plain)
            for seal in (False, True):
                reply = worker.decrypt(envelope, seed=SEED, seal=seal, receipt=True)
                self.assertEqual(reply.status, 200, reply.body)
        evidence = worker.inline()
        inline = worker.decrypt(envelope, session=False, seed=SEED, seal=True, attestation=evidence)
        self.assertEqual(inline.status, 200, inline.body)
        again = worker.decrypt(envelope, session=False, seed=SEED, attestation=evidence)
        self.assertEqual((again.status, again.code), (401, "evidence_replayed"))
        self.assertEqual(worker.decrypt(envelope, seed=SEED, token="worker1").status, 403)
        self.assertEqual(worker.decrypt(envelope[:-1], seed=SEED).status, 400)
        self.assertEqual(worker.decrypt(b"\x07" * 60, seed=SEED).status, 400)
        self.assertEqual(Worker(keystore, mrenclave="99" * 32).attest().status, 401)
        self.assertEqual(worker.attest_with(os.urandom(32), b"not a quote").status, 401)
        for path, token in (("/health", None), ("/metrics", None), ("/v1/log/checkpoint", None),
                            ("/v1/attestation?nonce=" + "ab" * 32, None), ("/v1/log/key", None),
                            ("/v1/log/entries?start=0&count=5", "auditor"), ("/v1/status", "operator"),
                            ("/v1/log/inclusion?index=0&size=3", None), ("/openapi.json", None),
                            ("/v1/log/consistency?from=1&to=3", None),
                            ("/v1/explain?request_id=" + inline.request_id, "operator"),
                            ("/v1/log/receipt?request_id=" + inline.request_id, "worker")):
            self.assertEqual(keystore.get(path, token=token).status, 200, path)
        self.assertEqual(keystore.post("/decrypt", {}, token="nonsense").status, 401)
        body = {"seed": SEED, "secrets_json": '{"A":"b"}'}
        self.assertEqual(keystore.post("/pubkey", body).status, 200)
        for data in (b"\0", b"GET / HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 50,
                     b"POST /pubkey HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf", b"\x16\x03\x01"):
            with socket.create_connection(("127.0.0.1", keystore.port), timeout=30) as s:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
        crew = workload.Crew(keystore, 2, plain=True)
        counted, status, said = crew.run(300, 8)
        self.assertEqual((counted["wrong"], status), (0, 0), said)
        # the end comes while connections are open and a request is half sent
        idle = keystore.connection()
        idle.request("GET", "/healthz")
        idle.getresponse().read()
        self.addCleanup(idle.close)
        half = socket.create_connection(("127.0.0.1", keystore.port), timeout=30)
        half.sendall(b"GET /healthz HT")
        self.addCleanup(half.close)

    def test_plain(self):
        self.check()

    def test_tls(self):
        self.check(tls=True)


if __name__ == "__main__":
    unittest.main()
