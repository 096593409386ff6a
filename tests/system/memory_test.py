"""What a thousand idle connections may take at most: limits that DESIGN promises, not timings."""
import base64
import unittest

import workload
from harness import Keystore, Worker, ecies_seal

IDLE = 1000
SEED = "github.com/alice/project:alice.near"


class Memory(unittest.TestCase):
    def check(self, limit_mib, **options):
        with Keystore(**options) as keystore:
            worker = Worker(keystore)
            self.assertEqual(worker.attest().status, 200)
            envelope = ecies_seal(keystore.pubkey(SEED), b"s" * 1000)
            body = {"encrypted_secrets": base64.b64encode(envelope).decode(), "seed": SEED}
            idle = [keystore.connection() for _ in range(IDLE)]
            for connection in idle:
                reply = keystore.post("/decrypt", body, token="worker", connection=connection,
                                      headers={"X-TEE-Session": worker.session})
                self.assertEqual(reply.status, 200, reply.body)
            open_now = workload.metric(keystore, "vouchsafe_http_open_connections")
            self.assertGreaterEqual(open_now, IDLE)
            resident = workload.resident_kib(keystore.pid())
            print(f"memory_test: {open_now} connections, {resident} KiB resident", flush=True)
            self.assertLess(resident, limit_mib * 1024)
            for connection in idle:
                connection.close()

    def test_plain(self):
        self.check(32)

    def test_tls(self):
        self.check(64, tls=True)


if __name__ == "__main__":
    unittest.main()
