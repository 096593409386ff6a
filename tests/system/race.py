#!/usr/bin/env python3
"""The daemon under mixed load with ThreadSanitizer; any report fails. Run by tests/run.py, stage race.

VOUCHSAFE_TSAN_BUILD: the build with -Db_sanitize=thread. The load comes from the ordinary build, since it
has to be faster than what it drives.
"""
import glob
import os
import signal
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLAIN_BUILD = os.environ.get("VOUCHSAFE_BUILD", os.path.join(ROOT, "build"))
os.environ["VOUCHSAFE_BUILD"] = os.environ.get("VOUCHSAFE_TSAN_BUILD", os.path.join(ROOT, "build-tsan"))

import harness  # noqa: E402  (reads VOUCHSAFE_BUILD)
import workload  # noqa: E402
from harness import Keystore, Worker, ecies_seal  # noqa: E402

harness.LOAD = os.path.join(PLAIN_BUILD, "tests/bench/load")
DURATION_S = float(os.environ.get("VOUCHSAFE_RACE_SECONDS", "12"))
WORKERS = 16
SEED = "github.com/alice/project:alice.near"
REPORT_STATUS = 66


class Mix:
    """Threads that each repeat one kind of request until told to stop; an unexpected reply is kept."""

    def __init__(self, keystore):
        self.keystore = keystore
        self.stopping = threading.Event()
        self.unexpected, self.counts, self.threads = [], {}, []

    def repeat(self, action):
        name = action.__name__
        self.counts[name] = 0

        def run():
            connection = self.keystore.connection()
            try:
                while not self.stopping.is_set():
                    action(connection)
                    self.counts[name] += 1
            except Exception as problem:  # whatever it is, the run has failed
                self.unexpected.append(f"{name}: {problem!r}")
            finally:
                connection.close()

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def get(self, connection, *paths, token=None, status=200):
        for path in paths:
            reply = self.keystore.get(path, token=token, connection=connection)
            if reply.status != status:
                raise AssertionError(f"{path}: {reply.status} {reply.body[:300]}")

    def attest(self, _):
        reply = Worker(self.keystore).attest()
        if reply.status != 200:
            raise AssertionError(reply.body)

    def refused_evidence(self, _):
        if Worker(self.keystore, mrenclave="99" * 32).attest().status != 401:
            raise AssertionError("accepted")

    def inline(self, _):
        worker = Worker(self.keystore)
        envelope = ecies_seal(self.keystore.pubkey(SEED), b"inline")
        reply = worker.decrypt(envelope, seed=SEED, attestation=worker.inline(), receipt=True)
        if reply.status != 200 or worker.open_sealed(reply) != b"inline":
            raise AssertionError(reply.body)
        self.get(None, "/v1/log/receipt?request_id=" + reply.request_id, token="worker")
        self.get(None, "/v1/explain?request_id=" + reply.request_id, token="operator")

    def own_evidence(self, connection):
        self.get(connection, "/v1/attestation?nonce=" + os.urandom(32).hex())
        time.sleep(0.05)  # it is limited by address

    def log_reads(self, connection):
        size = int(self.keystore.get("/v1/log/checkpoint", connection=connection).body.split(b"\n")[1])
        self.get(connection, f"/v1/log/entries?start={max(0, size - 100)}&count=100", token="auditor")
        self.get(connection, f"/v1/log/inclusion?index={size // 2}&size={size}",
                 f"/v1/log/consistency?from={size // 2 + 1}&to={size}")
        time.sleep(0.1)

    def metrics(self, connection):
        self.get(connection, "/metrics", "/health", "/readyz", "/pubkey", "/pubkey?seed=a/b:c.near",
                 "/v1/pubkey?seed=a/b:c.near&nonce=00")
        self.get(connection, "/v1/status", token="operator")

    def refused(self, connection):
        self.get(connection, "/v1/status", token="nonsense", status=401)
        self.get(connection, "/nowhere", status=404)

    def come_and_go(self, _):
        self.get(None, "/healthz")

    def reload(self, _):
        """Publishes tokens, policies and collateral again and again, while others read them."""
        self.keystore.platform.collateral(self.keystore.collateral)
        before = self.keystore.log().count(" reloaded ")
        self.keystore.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while self.keystore.log().count(" reloaded ") == before:
            if time.monotonic() > deadline:
                raise AssertionError(self.keystore.log()[-500:])
            time.sleep(0.05)


def run_mix(keystore):
    crew = workload.Crew(keystore, WORKERS)
    mix = Mix(keystore)
    for action in (mix.attest, mix.refused_evidence, mix.inline, mix.own_evidence, mix.log_reads,
                   mix.metrics, mix.refused, mix.come_and_go, mix.reload):
        mix.repeat(action)
    load = crew.start(100_000_000, 32, until_failure=True)
    time.sleep(DURATION_S)
    alive = load.poll() is None
    mix.stopping.set()
    for thread in mix.threads:
        thread.join()
    counts = {**mix.counts, "decrypts": workload.metric(
        keystore, 'vouchsafe_operations_total{op="open",decision="allow"}')}
    # stopped while requests are on their way: the end is where threads meet what others free
    status = keystore.stop()
    counted, said = load.communicate(timeout=60)
    print(f"race: {counts}; {counted.decode().strip()} {said.decode(errors='replace')}", flush=True)
    problems = list(mix.unexpected)
    if not alive:
        problems.append("the load ended early")
    if b'"wrong":0' not in counted:
        problems.append("wrong replies")
    if status != 0:
        problems.append(f"the daemon ended with status {status}")
    problems += [f"nothing done: {name}" for name, count in counts.items() if count == 0]
    return problems


def run(tls):
    keystore = Keystore(workers=WORKERS, tls=tls)
    reports = os.path.join(keystore.dir, "tsan")
    os.environ["TSAN_OPTIONS"] = (f"exitcode={REPORT_STATUS} halt_on_error=0 log_path={reports} "
                                  "second_deadlock_stack=1")
    try:
        keystore.init().start(wait_s=120)
        problems = run_mix(keystore)
        found = sorted(glob.glob(reports + ".*"))
        for path in found:
            with open(path, encoding="utf-8", errors="replace") as f:
                print(f.read())
        for problem in problems:
            print(f"race: {problem}\n{keystore.log()[-2000:]}")
        print(f"race: {len(found)} processes with reports, {len(problems)} problems")
        return not found and not problems
    finally:
        keystore.close()


def main():
    results = [run(tls) for tls in (False, True)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
