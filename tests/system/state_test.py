#!/usr/bin/env python3
"""`vouchsafe state`: a damaged state is examined, repaired, exported and imported, by the real programs."""
import glob
import json
import os
import sqlite3
import subprocess
import unittest

import postgres
from harness import COMMAND, WITHOUT_TEST_VARIABLES, Keystore

VALUE = {"field": "mrenclave", "value": "33" * 32}


class Case(unittest.TestCase):
    def keystore(self, start=True):
        k = Keystore()
        self.addCleanup(k.close)
        k.init()
        return k.start() if start else k

    def state(self, k, *arguments, code=0):
        """Runs `vouchsafe state ...` as an operator does; the daemon reads .env in its working directory."""
        result = subprocess.run([*WITHOUT_TEST_VARIABLES, COMMAND, "state", *arguments, "--config", k.config],
                                capture_output=True, cwd=k.dir, timeout=120, check=False, text=True)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result

    def checked(self, k, *arguments, code=0):
        return json.loads(self.state(k, "check", "--json", *arguments, code=code).stdout)

    def database(self, k):
        return os.path.join(k.dir, "state", "log.db")

    def spoil(self, k, sql):
        db = sqlite3.connect(self.database(k))
        try:
            db.executescript(sql)
        finally:
            db.close()

    def add_value(self, k):
        reply = k.post("/v1/policies/worker/reference-values", VALUE, token="operator")
        self.assertEqual(reply.status, 200, reply.body)

    def operations(self, k):
        """The operations of the log, oldest first."""
        entries = k.get("/v1/log/entries?start=0&count=1000", token="auditor")
        self.assertEqual(entries.status, 200, entries.body)
        return entries.body.decode()


class Check(Case):
    @staticmethod
    def files(k):
        """The contents of each file of the state directory."""
        found = {}
        for path in glob.glob(os.path.join(k.dir, "state", "*")):
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    found[path] = f.read()
        return found

    def test_a_whole_state_has_no_fault(self):
        k = self.keystore()
        self.add_value(k)
        running = self.state(k, "check", code=1)
        self.assertIn(f"in use by process {k.pid()} (vouchsafed", running.stderr)
        self.assertIn("stop the daemon first", running.stderr)
        k.stop()
        before = self.files(k)
        self.assertTrue(self.checked(k)["ok"])
        self.assertRegex(self.state(k, "check").stdout, r"^No fault: \d+ rows, \d+ entries of the log\.$")
        self.assertEqual(before, self.files(k))

    def test_after_a_kill_the_journal_is_read_and_kept(self):
        k = self.keystore()
        self.add_value(k)
        k.kill()
        self.assertTrue(os.path.getsize(self.database(k) + "-wal") > 0)
        found = self.checked(k)
        self.assertTrue(found["ok"], found)
        self.assertTrue(os.path.getsize(self.database(k) + "-wal") > 0)
        self.state(k, "repair", "--yes")  # nothing to repair
        k.start()

    def test_every_fault_is_named(self):
        k = self.keystore()
        self.add_value(k)
        k.stop()
        self.spoil(k, "UPDATE item SET sealed = x'00'; UPDATE log_entry SET entry = x'00' WHERE idx = 1;"
                      "INSERT INTO log_entry VALUES (5000, x'00'); CREATE TABLE other (x)")
        os.chmod(self.database(k), 0o644)
        found = self.checked(k, code=3)
        self.assertFalse(found["ok"])
        codes = [f["code"] for f in found["faults"]]
        for code in ("schema", "mode", "row_edited", "entry_changed", "entry_extra"):
            self.assertIn(code, codes)
        row = next(f for f in found["faults"] if f["code"] == "row_edited")
        self.assertEqual((row["table"], row["table_name"], len(row["row"])), (2, "reference-value", 64))
        self.assertEqual(sorted(found["repair"]["give_up"]), ["log", "proof", "rows"])
        text = self.state(k, "check", code=3).stdout
        self.assertIn("entry_extra: entries that no commit wrote: entries 5000 to 5000", text)
        self.assertIn("vouchsafe state repair --give-up rows", text)


class Repair(Case):
    def test_hashes_are_made_again_and_nothing_is_lost(self):
        k = self.keystore()
        for _ in range(300):
            k.post("/tee-challenge", {}, token="worker1")
        self.add_value(k)
        k.stop()
        self.spoil(k, "INSERT INTO log_node VALUES (8, 77, zeroblob(32)); DROP INDEX item_lookup")
        self.assertNotEqual(subprocess.run(k.daemon(), capture_output=True, cwd=k.dir, timeout=60, check=False).returncode, 0)
        dry = self.state(k, "repair", code=3).stdout
        self.assertIn("Nothing is lost.", dry)
        self.assertFalse(glob.glob(self.database(k) + ".before*"))
        done = json.loads(self.state(k, "repair", "--yes", "--json").stdout)
        self.assertTrue(done["repair"]["done"])
        self.assertTrue(os.path.exists(done["repair"]["copy"]))
        self.assertTrue(self.checked(k)["ok"])
        k.start()
        self.assertIn('"op":"repair"', self.operations(k))
        self.assertIn(VALUE["value"], k.get("/v1/policies", token="operator").body.decode())

    def test_a_damaged_row_is_given_up_only_by_name(self):
        k = self.keystore()
        self.add_value(k)
        k.stop()
        self.spoil(k, "UPDATE item SET sealed = x'00' WHERE rowid = (SELECT min(rowid) FROM item)")
        refused = self.state(k, "repair", "--yes", code=1)
        self.assertIn('add "rows" to --give-up', refused.stderr)
        self.state(k, "repair", "--yes", "--give-up", "all", code=1)
        self.assertIn('add "proof" to --give-up', self.state(k, "repair", "--yes", "--give-up", "rows", code=1).stderr)
        done = json.loads(self.state(k, "repair", "--yes", "--give-up", "rows,proof", "--json").stdout)
        with open(done["repair"]["set_aside"], encoding="ascii") as f:
            row = json.loads(f.readline())
        self.assertEqual((row["table"], row["sealed"]), (2, "AA=="))
        self.assertEqual(os.stat(done["repair"]["set_aside"]).st_mode & 0o777, 0o600)
        k.start()
        log = self.operations(k)
        self.assertIn('"given_up":["rows","proof"]', log)
        self.assertIn('"rows_set_aside":1', log)

    def test_a_damaged_log_is_followed_by_a_new_one_that_names_it(self):
        k = self.keystore()
        self.add_value(k)
        k.stop()
        size = self.checked(k)["log_size"]
        self.spoil(k, "UPDATE log_entry SET entry = x'00' WHERE idx = 0")
        done = json.loads(self.state(k, "repair", "--yes", "--give-up", "log", "--json").stdout)
        self.assertTrue(done["repair"]["new_log"])
        k.start()
        log = self.operations(k)
        self.assertIn('"op":"new-log"', log)
        self.assertIn(f'"old_log":{{"size":{size},"root":"', log)
        self.assertIn(VALUE["value"], k.get("/v1/policies", token="operator").body.decode())  # rows stay

    def test_a_lost_journal_is_given_up_only_by_name(self):
        k = self.keystore()
        self.add_value(k)
        k.kill()
        os.remove(self.database(k) + "-wal")
        self.assertEqual([f["code"] for f in self.checked(k, code=3)["faults"]], ["journal_lost"])
        self.state(k, "repair", "--yes", code=1)
        self.state(k, "repair", "--yes", "--give-up", "newest")
        k.start()
        self.assertIn('"given_up":["newest"]', self.operations(k))

    def test_an_older_copy_is_told_by_a_kept_checkpoint(self):
        k = self.keystore()
        k.stop()
        with open(self.database(k), "rb") as f:
            older = f.read()
        k.start()
        self.add_value(k)
        kept = os.path.join(k.dir, "kept")
        with open(kept, "wb") as f:
            f.write(k.get("/v1/log/checkpoint", token="auditor").body)
        k.stop()
        self.assertTrue(self.checked(k, "--kept", kept)["ok"])
        with open(self.database(k), "wb") as f:
            f.write(older)
        self.assertTrue(self.checked(k)["ok"])
        self.assertEqual([f["code"] for f in self.checked(k, "--kept", kept, code=3)["faults"]], ["checkpoint"])


class Moving(Case):
    def exported(self, k, code=0, name="export"):
        path = os.path.join(k.dir, name)
        self.state(k, "export", path, code=code)
        return path

    def checkpoint(self, k, name="kept"):
        path = os.path.join(k.dir, name)
        with open(path, "wb") as f:
            f.write(k.get("/v1/log/checkpoint", token="auditor").body)
        return path

    def empty(self, k):
        for path in glob.glob(self.database(k) + "*"):
            os.rename(path, os.path.join(k.dir, "old-" + os.path.basename(path)))


class Transfer(Moving):
    def test_everything_comes_back_and_the_log_goes_on(self):
        k = self.keystore()
        self.add_value(k)
        kept = self.checkpoint(k)
        log = self.operations(k)
        running = self.state(k, "export", os.path.join(k.dir, "export"), code=1)
        self.assertIn("stop the daemon first", running.stderr)
        k.stop()
        export = self.exported(k)
        self.assertEqual(os.stat(export).st_mode & 0o777, 0o600)
        self.exported(k, code=1)  # it overwrites nothing
        with open(export, "rb") as f:
            self.assertNotIn(VALUE["value"].encode(), f.read())
        self.assertIn("is not empty", self.state(k, "import", export, "--kept", kept, code=1).stderr)
        self.empty(k)
        done = json.loads(self.state(k, "import", export, "--kept", kept, "--json").stdout)
        self.assertTrue(done["ok"])
        self.assertTrue(self.checked(k, "--kept", kept)["ok"])
        k.start()
        after = self.operations(k)
        self.assertTrue(after.startswith(log))
        self.assertIn('"op":"import"', after)
        self.assertIn('"rollback_accepted":false', after)
        self.assertIn(VALUE["value"], k.get("/v1/policies", token="operator").body.decode())
        with open(kept, encoding="utf-8") as f:
            size = int(f.read().split("\n")[1])
        now = int(k.get("/v1/log/checkpoint", token="auditor").body.decode().split("\n")[1])
        proof = k.get(f"/v1/log/consistency?from={size}&to={now}", token="auditor")
        self.assertEqual(proof.status, 200, proof.body)
        verified = subprocess.run([*WITHOUT_TEST_VARIABLES, COMMAND, "--url", k.url, "--token-file", k.token_file("auditor"),
                                   "log", "checkpoint", "--kept", kept, "--vkey",
                                   k.get("/v1/log/key", token="auditor").json()["vkey"]],
                                  capture_output=True, cwd=k.dir, timeout=60, check=False, text=True)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def test_a_rollback_must_be_accepted(self):
        k = self.keystore()
        k.stop()
        export = self.exported(k)
        k.start()
        self.add_value(k)
        kept = self.checkpoint(k)
        k.stop()
        self.empty(k)
        self.assertIn("--accept-rollback", self.state(k, "import", export, code=1).stderr)
        refused = self.state(k, "import", export, "--kept", kept, code=1).stderr
        self.assertIn("importing it is a rollback", refused)
        self.state(k, "import", export, "--kept", kept, "--accept-rollback")
        k.start()
        self.assertIn('"rollback_accepted":true', self.operations(k))
        self.assertNotIn(VALUE["value"], k.get("/v1/policies", token="operator").body.decode())

    def test_a_damaged_or_foreign_export_is_refused_and_leaves_nothing(self):
        k, other = self.keystore(), self.keystore(start=False)
        k.stop()
        export = self.exported(k)
        with open(export, "rb") as f:
            good = f.read()
        self.empty(k)
        self.empty(other)
        for change in (lambda b: b[:-1], lambda b: b + b"x", lambda b: b[:len(b) // 2],
                       lambda b: b[:60] + bytes([b[60] ^ 1]) + b[61:], lambda b: b[:20], lambda b: b""):
            with open(export, "wb") as f:
                f.write(change(good))
            self.assertIn("is not an export", self.state(k, "import", export, "--accept-rollback", code=1).stderr)
            self.assertFalse([p for p in glob.glob(self.database(k) + "*") if not p.endswith(".lock")])
        with open(export, "wb") as f:
            f.write(good)
        self.assertIn("with this root", self.state(other, "import", export, "--accept-rollback", code=1).stderr)
        self.state(k, "import", export, "--accept-rollback")

    def test_a_damaged_state_is_not_exported(self):
        k = self.keystore()
        self.add_value(k)
        k.stop()
        self.spoil(k, "DELETE FROM item")
        self.assertIn("vouchsafe state repair", self.state(k, "export", os.path.join(k.dir, "x"), code=1).stderr)
        self.assertFalse(os.path.exists(os.path.join(k.dir, "x")))

    def test_an_interrupted_import_starts_again(self):
        k = self.keystore()
        k.stop()
        export = self.exported(k)
        self.empty(k)
        made = self.database(k) + ".imported"
        with open(made, "wb") as f:
            f.write(b"what an import that was killed left")
        self.assertNotEqual(subprocess.run(k.daemon(), capture_output=True, cwd=k.dir, timeout=60,
                                           check=False).returncode, 0)
        self.state(k, "import", export, "--accept-rollback")
        self.assertFalse(os.path.exists(made))
        k.start()


class Engines(Moving):
    """The same keystore on SQLite, then on PostgreSQL, then on SQLite again."""

    def setUp(self):
        reason = postgres.missing()
        if reason:
            self.skipTest(reason)
        self.server = postgres.Postgres()
        self.addCleanup(self.server.close)

    def engine(self, k, settings):
        with open(k.config, encoding="utf-8") as f:
            config = json.load(f)
        config["store"] = settings
        with open(k.config, "w", encoding="utf-8") as f:
            json.dump(config, f)

    def to_postgres(self, k, schema):
        url = os.path.join(k.dir, "url")
        with open(url, "w", encoding="utf-8") as f:
            f.write(self.server.url(schema) + "\n")
        os.chmod(url, 0o600)
        self.engine(k, {"engine": "postgres", "url_file": url, "node": 1})

    def test_a_state_moves_to_postgres_and_back(self):
        k, schema = self.keystore(), self.server.schema()
        self.add_value(k)
        log, kept = self.operations(k), self.checkpoint(k)
        k.stop()
        first = self.exported(k)
        self.to_postgres(k, schema)
        self.state(k, "import", first, "--kept", kept)
        self.assertIn("is not empty", self.state(k, "import", first, "--kept", kept, code=1).stderr)
        found = self.checked(k, "--kept", kept)
        self.assertTrue(found["ok"], found)
        k.start()
        self.assertTrue(self.operations(k).startswith(log))
        self.assertIn(VALUE["value"], k.get("/v1/policies", token="operator").body.decode())
        self.assertIn("holds the lease", self.state(k, "export", os.path.join(k.dir, "x"), code=1).stderr)
        log, kept = self.operations(k), self.checkpoint(k, "kept2")
        k.stop()
        second = self.exported(k, name="export2")
        self.empty(k)
        self.engine(k, {"engine": "sqlite"})
        self.state(k, "import", second, "--kept", kept)
        k.start()
        self.assertTrue(self.operations(k).startswith(log))
        self.assertEqual(self.operations(k).count('"op":"import"'), 2)

    def test_an_export_that_lost_its_lease_is_not_kept(self):
        k, schema = self.keystore(), self.server.schema()
        k.stop()
        export = self.exported(k)
        self.to_postgres(k, schema)
        self.state(k, "import", export, "--accept-rollback")
        # another process takes the lease right after the export did
        self.server.sql("CREATE FUNCTION steal() RETURNS trigger LANGUAGE plpgsql AS "
                        "'BEGIN UPDATE node SET token = token + 1; RETURN NULL; END';"
                        "CREATE CONSTRAINT TRIGGER steal AFTER UPDATE ON node DEFERRABLE INITIALLY DEFERRED"
                        " FOR EACH ROW WHEN (NEW.holder IS NOT NULL AND pg_trigger_depth() = 0) EXECUTE FUNCTION steal()",
                        schema)
        lost = os.path.join(k.dir, "lost")
        self.assertIn("took the lease", self.state(k, "export", lost, code=1).stderr)
        self.assertFalse(os.path.exists(lost))
        self.server.sql("DROP TRIGGER steal ON node; UPDATE node SET holder = NULL, expires = 0", schema)
        self.assertTrue(os.path.exists(self.exported(k, name="again")))

    def test_an_interrupted_import_is_found_and_starts_again(self):
        k, schema = self.keystore(), self.server.schema()
        for _ in range(250):
            self.add_value(k)
            self.assertEqual(k.request("DELETE", "/v1/policies/worker/reference-values?field=mrenclave&value=" +
                                       VALUE["value"], token="operator").status, 200)
        k.stop()
        export = self.exported(k)
        with open(export, "rb") as f:
            good = f.read()
        self.assertGreater(len(good), 2 << 16)  # the first chunks are imported before the cut is found
        cut = os.path.join(k.dir, "cut")
        with open(cut, "wb") as f:
            f.write(good[:-1])
        self.to_postgres(k, schema)
        self.state(k, "import", cut, "--accept-rollback", code=1)  # after its node was made
        self.assertNotEqual(subprocess.run(k.daemon(), capture_output=True, cwd=k.dir, timeout=60,
                                           check=False).returncode, 0)
        lease = "UPDATE node SET holder = %s, expires = %s"
        self.server.sql(lease % ("'another'", "9000000000000000"), schema)
        self.assertIn("holds the lease", self.state(k, "import", export, "--accept-rollback", code=1).stderr)
        self.assertNotEqual(self.server.sql("SELECT count(*) FROM item", schema), "0")
        self.server.sql(lease % ("NULL", "0"), schema)
        self.state(k, "import", export, "--accept-rollback")
        self.assertTrue(self.checked(k)["ok"])
        k.start()


if __name__ == "__main__":
    unittest.main()
