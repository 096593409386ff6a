"""The scrub on PostgreSQL: a changed old entry is found while the node serves, and stops it and each later start."""
import time
import unittest

import postgres_test
import scrub_test
import workload
from harness import PLAIN

setUpModule, tearDownModule = postgres_test.setUpModule, postgres_test.tearDownModule


class Scrub(postgres_test.Case):
    def test_a_changed_entry_stops_the_node(self):
        k = self.node(1, policies=[PLAIN], settings={"log.scrub_per_second": 0}).init().start()
        done, status, said = workload.Crew(k, 1, plain=True).run(800, 8)
        self.assertEqual(status, 0, (done, said))
        k.stop()
        k.start()  # reads everything back once
        k.stop()
        postgres_test.server.sql("UPDATE log_entry SET entry = decode('00', 'hex') WHERE idx = 300", self.schema)
        scrub_test.change_config(k, scrub_per_second=1000000)
        k.start()
        deadline = time.monotonic() + 60
        while "LOG_TAMPERED index=256 last=511" not in k.log() or k.get("/readyz").status != 503:
            self.assertLess(time.monotonic(), deadline, k.log())
            time.sleep(0.1)
        self.assertEqual(workload.metric(k, "vouchsafe_log_tampered"), 1)
        self.assertEqual(k.stop(), 0)
        self.assertIn("code=tampered", k.refusal())


if __name__ == "__main__":
    unittest.main()
