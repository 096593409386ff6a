"""The clock is set while the keystore runs: what was judged by the old time ends, and nothing else is lost."""
import time
import unittest

import workload
from harness import PLAIN, Clock, Keystore, Worker, ecies_seal

HOUR_S = 3600


class Jump(unittest.TestCase):
    def setUp(self):
        self.keystore = Keystore(policies=[PLAIN])
        self.addCleanup(self.keystore.close)
        self.clock = self.keystore.clock = Clock(self.keystore.dir)
        self.keystore.init().start()
        self.envelope = ecies_seal(self.keystore.pubkey("s"), b"{}")

    def jump(self, ahead_s):
        """Returns the line about it."""
        before = self.keystore.log().count("clock_jumped")
        self.clock.set_ahead(ahead_s)
        deadline = time.monotonic() + 20
        while self.keystore.log().count("clock_jumped") == before:
            self.assertLess(time.monotonic(), deadline, self.keystore.log()[-2000:])
            time.sleep(0.02)
        return [line for line in self.keystore.log().split("\n") if "clock_jumped" in line][-1]

    def opened(self, worker, **members):
        return worker.decrypt(self.envelope, seed="s", **members)

    def jumps(self):
        return [workload.metric(self.keystore, f'vouchsafe_clock_jumps_total{{direction="{d}"}}')
                for d in ("forward", "backward")]

    def test_forward_and_back(self):
        worker, ahead = Worker(self.keystore), Worker(self.keystore)
        self.assertEqual(worker.attest().status, 200)
        self.assertEqual(self.opened(worker).status, 200)
        nonce = ahead.challenge()
        self.assertRegex(self.jump(HOUR_S), r"by_ms=3[56]\d{5} ")
        self.assertEqual(self.opened(worker).code, "session_expired")
        self.assertEqual(self.opened(worker, session=False, attestation=worker.inline()).code, "evidence_stale")
        granted = ahead.attest_with(nonce, ahead.evidence(nonce))
        self.assertEqual(granted.status, 200, granted.body)  # the nonce lives by the monotonic clock
        ahead.accept_session(nonce, granted.json())
        self.assertEqual(self.opened(ahead).status, 200)
        self.assertEqual(self.jumps(), [1, 0])

        early = ahead.inline(int(time.time()) + HOUR_S)
        self.assertRegex(self.jump(0), r"by_ms=-3[56]\d{5} ")
        self.assertEqual(self.opened(ahead).code, "session_not_yet_valid")
        self.assertEqual(self.opened(ahead, session=False, attestation=early).code, "evidence_from_future")
        self.assertEqual(self.opened(worker).status, 200)  # its session is within its time again
        self.assertEqual(Worker(self.keystore).attest().status, 200)
        self.assertEqual(self.jumps(), [1, 1])

        lines, note = workload.export_log(self.keystore)
        self.assertEqual(workload.verify_log(self.keystore, lines, note).returncode, 0)
        self.assertEqual(self.keystore.stop(), 0)
        self.keystore.start()
        self.assertEqual(self.opened(worker).status, 200)


if __name__ == "__main__":
    unittest.main()
