"""What the running daemon and its supervisor have given up: secrets in the environment, capabilities, system calls."""
import os
import re
import resource
import signal
import unittest

from harness import Keystore

CAP_IPC_LOCK = 1 << 14


def status_of(pid, thread):
    with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as f:
        return dict(re.findall(r"^(\w+):\s*(.*)$", f.read(), re.MULTILINE))


def holds(pid, what):
    """The mappings of a process that contain these bytes."""
    with open(f"/proc/{pid}/environ", "rb") as f:
        found = ["environ"] if what in f.read() else []
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            fields = line.split()
            if "r" not in fields[1] or "[v" in line:
                continue
            first, end = (int(x, 16) for x in fields[0].split("-"))
            if end - first > 1 << 30:  # the shadow memory of sanitizers
                continue
            try:
                memory.seek(first)
                if what in memory.read(end - first):
                    found.append(fields[5] if len(fields) > 5 else "anonymous")
            except (OSError, ValueError):
                pass
    return found


class Privileges(unittest.TestCase):
    def test_every_thread(self):
        keystore = Keystore(tls=True)
        self.addCleanup(keystore.close)
        keystore.init().start()
        pid = keystore.pid()
        hard = resource.prlimit(pid, resource.RLIMIT_MEMLOCK)[1]
        allowed = {0} if hard == resource.RLIM_INFINITY else {0, CAP_IPC_LOCK}
        threads = os.listdir(f"/proc/{pid}/task")
        self.assertGreater(len(threads), 5)
        for thread in threads:
            status = status_of(pid, thread)
            self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"), status)
            for name in ("CapInh", "CapAmb"):
                self.assertEqual(int(status[name], 16), 0, (name, status["Name"]))
            for name in ("CapPrm", "CapEff"):
                self.assertIn(int(status[name], 16), allowed, (name, status["Name"]))
            if os.geteuid() == 0:
                self.assertIn(int(status["CapBnd"], 16), allowed)

    @unittest.skipUnless(os.geteuid() == 0, "only root is warned")
    def test_root_is_warned(self):
        keystore = Keystore()
        self.addCleanup(keystore.close)
        keystore.init().start()
        self.assertIn("running_as_root", keystore.log())


class Environment(unittest.TestCase):
    def test_a_secret_does_not_stay(self):
        secret = os.urandom(32).hex()
        keystore = Keystore(supervise=True, wrapper=["env", f"KEYSTORE_MASTER_SECRET={secret}"])
        self.addCleanup(keystore.close)
        keystore.init().start()
        key = keystore.pubkey()
        hex_text = secret.encode()
        for _ in range(2):
            child = keystore.pid()
            self.assertEqual(holds(child, hex_text), [])
            self.assertEqual(holds(keystore.process.pid, hex_text), [])
            self.assertEqual(holds(keystore.process.pid, bytes.fromhex(secret)), [])
            with open(f"/proc/{keystore.process.pid}/environ", "rb") as f:
                self.assertIn(b"PATH=", f.read())  # the rest is still there
            os.kill(child, signal.SIGKILL)
            keystore.wait_ready()
            self.assertNotEqual(keystore.pid(), child)
            self.assertEqual(keystore.pubkey(), key)
        self.assertEqual(keystore.stop(), 0)


if __name__ == "__main__":
    unittest.main()
