"""Under concurrent load every reply is the right one, and the log has each once."""
import collections
import json
import os
import unittest

import workload
from harness import Keystore

REQUESTS, WORKERS = 100_000, 64


class Load(unittest.TestCase):
    def check(self, requests, **options):
        with Keystore(workers=WORKERS, **options) as keystore:
            crew = workload.Crew(keystore, WORKERS)
            acks = os.path.join(keystore.dir, "acks")
            counted, status, said = crew.run(requests, WORKERS, acks)
            self.assertEqual((counted["finished"], counted["wrong"], counted["broken"], status),
                             (requests, 0, 0, 0), said)
            answered = workload.read_acks(acks)
            self.assertEqual(len(set(answered)), requests)
            lines, note = workload.export_log(keystore)
            entries = [json.loads(line) for line in lines]
            opened = collections.Counter(e["request_id"] for e in entries if e["op"] == "open")
            self.assertEqual(opened, collections.Counter(answered))
            done = workload.verify_log(keystore, lines, note)
            self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
            # each worker's entries name that worker's key, and no other
            pairs = {(e["principal"], e["key"]) for e in entries if e["op"] == "open"}
            self.assertEqual(len(pairs), WORKERS)
            self.assertEqual(len({principal for principal, _ in pairs}), WORKERS)
            self.assertTrue(all(e["decision"] == "allow" for e in entries if e["op"] == "open"))
            # the check of the log can fail: one entry less, one entry changed
            self.assertEqual(workload.verify_log(keystore, lines[:-1], note).returncode, 1)
            lines[len(lines) // 2] = lines[len(lines) // 2].replace(b'"allow"', b'"deny"')
            self.assertEqual(workload.verify_log(keystore, lines, note).returncode, 1)
            self.assertEqual(keystore.stop(), 0)

    def test_plain(self):
        self.check(REQUESTS)

    def test_tls(self):
        self.check(REQUESTS // 5, tls=True)


if __name__ == "__main__":
    unittest.main()
