"""How much memory the daemon may take at most, in numbers that are promised, not in timings."""
import base64
import os
import socket
import subprocess
import time
import unittest

import workload
from harness import Keystore, Worker, ecies_seal

IDLE = 1000
SEED = "github.com/alice/project:alice.near"
# Syncs of the log hang while the file named by STALL exists: a disk that does not answer.
STALL = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    while (access(getenv("STALL"), F_OK) == 0)
        usleep(10000);
    return real(fd);
}
int fsync(int fd) { return fdatasync(fd); }
"""


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

    def test_a_disk_that_hangs(self):
        """Requests that were told 503 keep neither their bodies nor their replies."""
        keystore = Keystore(settings={"server.request_timeout_ms": 5000})
        self.addCleanup(keystore.close)
        shim = os.path.join(keystore.dir, "stall.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", shim, "-ldl"], check=True,
                       input=STALL.encode())
        stall = os.path.join(keystore.dir, "stall")
        keystore.wrapper = ["env", f"LD_PRELOAD={shim}", f"STALL={stall}"]
        keystore.init().start()
        worker = Worker(keystore)
        self.assertEqual(worker.attest().status, 200)
        envelope = ecies_seal(keystore.pubkey(SEED), os.urandom(1_000_000))
        body = ('{"encrypted_secrets":"%s","seed":"%s"}' %
                (base64.b64encode(envelope).decode(), SEED)).encode()
        request = (f"POST /decrypt HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {keystore.tokens['worker']}\r\n"
                   f"X-TEE-Session: {worker.session}\r\nContent-Type: application/json\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n").encode() + body
        before = workload.resident_kib(keystore.pid())
        with open(stall, "wb"):
            pass
        statuses, most = [], 0
        for _ in range(3):  # 90 requests with 1.3 MiB each and as much for each reply
            held = []
            for _ in range(30):
                s = socket.create_connection(("127.0.0.1", keystore.port), 10)
                self.addCleanup(s.close)
                s.sendall(request)
                held.append(s)
            for s in held:
                statuses.append(int(s.recv(4096).split()[1]))
                s.close()
            most = max(most, workload.resident_kib(keystore.pid()) - before)
        time.sleep(0.2)
        left = workload.resident_kib(keystore.pid()) - before
        print(f"memory_test: {most} KiB while the disk hangs, {left} KiB afterwards", flush=True)
        # on a busy machine some bodies come too slowly
        self.assertLessEqual(set(statuses), {503, 408})
        self.assertGreater(statuses.count(503), 45)
        self.assertLess(most, 200 * 1024)
        self.assertLess(left, 40 * 1024)
        os.unlink(stall)
        time.sleep(0.5)
        self.assertEqual(worker.decrypt(ecies_seal(keystore.pubkey(SEED), b"x"), seed=SEED).status, 200)

    def test_plain(self):
        self.check(32)

    def test_tls(self):
        self.check(64, tls=True)


if __name__ == "__main__":
    unittest.main()
