"""Runs the stages of the test suite and adds up what they say.

Every stage reports (passed, failed) counts of single tests, read from machine-readable results, so that a
stage that ran nothing counts as a failure. It prints what failed and what was skipped, and a line per stage.
Every fuzz target runs for 10 seconds, with --quick for 3 (VOUCHSAFE_FUZZ_SECONDS sets another number).
"""
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
import xml.etree.ElementTree

import fuzzing

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOBS = os.cpu_count() or 2
SUMMARY = []  # lines to print again at the end


def run(arguments, log, env=None, timeout=1800):
    with open(log, "ab") as out:
        out.write(f"$ {' '.join(arguments)}\n".encode())
        out.flush()
        return subprocess.run(arguments, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.STDOUT, timeout=timeout,
                              env={**os.environ, **(env or {})}).returncode


def show_tail(log, lines=40):
    with open(log, encoding="utf-8", errors="replace") as f:
        sys.stdout.write("".join(f.readlines()[-lines:]))


TEST_CLOCK = ["-Dtest_clock=true"]  # builds vouchsafed-test-clock beside the daemon


def configured(directory, options):
    """Whether an earlier configuration has these options."""
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        return False
    told = subprocess.run(["meson", "introspect", "--buildoptions", directory], check=True,
                          stdout=subprocess.PIPE).stdout
    known = {option["name"]: option["value"] for option in json.loads(told)}
    return "-Dtest_clock=true" not in options or known.get("test_clock") is True


def build(name, options, env=None, targets=()):
    """Configures once and builds; the log is kept in the build directory's parent."""
    directory = os.path.join(ROOT, name)
    log = os.path.join(ROOT, name + ".log")
    if os.path.exists(log):
        os.remove(log)
    if not configured(directory, options):
        known = ["--reconfigure"] if os.path.exists(os.path.join(directory, "build.ninja")) else []
        if run(["meson", "setup", *known, name, *options], log, env) != 0:
            show_tail(log)
            raise SystemExit(f"{name}: configuration failed")
    if run(["ninja", "-C", name, *targets], log, env) != 0:
        show_tail(log)
        raise SystemExit(f"{name}: build failed")
    return log


def junit_counts(path):
    passed = failed = 0
    bad = []
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            bad.append(f"{case.get('classname', '')} {case.get('name')}")
        elif case.find("skipped") is None:
            passed += 1
    return passed, failed, bad


def print_skips(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        lines = {line.removeprefix("# ").strip() for line in f}  # "# " begins a comment of TAP
    for line in sorted(line for line in lines if line.startswith("SKIPPED:")):
        print("  " + line)


EVIDENCE = re.compile(r"EVIDENCE: (\d+) stored, (\d+) of our own making")  # tests/support/tally.h


def evidence_text(path):
    """How much evidence the tests judged, by where it came from."""
    with open(path, encoding="utf-8", errors="replace") as f:
        counts = [(int(m[1]), int(m[2])) for m in map(EVIDENCE.match, f) if m]
    stored, made = sum(c[0] for c in counts), sum(c[1] for c in counts)
    skipped = "" if stored else " (the stored vectors are not here: their tests were skipped)"
    return f"evidence: {stored} stored vectors, {made} of our own making{skipped}"


def meson_tests(name, env=None):
    log = os.path.join(ROOT, name + ".log")
    logs = os.path.join(ROOT, name, "meson-logs")
    for path in glob.glob(os.path.join(logs, "testlog*")):  # of an earlier run
        os.remove(path)
    code = run(["meson", "test", "-C", name, "--num-processes", str(JOBS), "--timeout-multiplier",
                "4", "--no-rebuild"], log, env)
    results = glob.glob(os.path.join(logs, "testlog*.junit.xml"))  # named for the setup, too
    if not results:
        show_tail(log)
        return 0, 1
    text = results[0][: -len(".junit.xml")] + ".txt"
    passed, failed, bad = junit_counts(results[0])
    print_skips(text)
    evidence = evidence_text(text)
    print("  " + evidence)
    if evidence not in SUMMARY:
        SUMMARY.append(evidence)
    for line in bad:
        print("  FAILED " + line)
    if failed:
        show_tail(text, 80)
    if code != 0 and failed == 0:
        show_tail(log)
        failed = 1
    return passed, failed if passed else max(failed, 1)


def stage_unit(_):
    build("build", TEST_CLOCK)
    return meson_tests("build")


def stage_check(_):
    log = os.path.join(ROOT, "build-check.log")
    if os.path.exists(log):
        os.remove(log)
    code = run(["script/check"], log)
    if code != 0:
        show_tail(log, 60)
    return (1, 0) if code == 0 else (0, 1)


def stage_sanitize(_):
    # one suppressed thing only: memory that OpenSSL keeps for the life of the process is no leak
    build("build-asan", ["-Db_sanitize=address,undefined", "-Doptimization=1"])
    return meson_tests("build-asan", {
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})


class Counting(unittest.TextTestResult):
    """Says what failed at once, and what was skipped; a test that passes says nothing."""

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"  SKIPPED: {test}: {reason}", flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print(f"  FAILED: {test}", flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        print(f"  FAILED: {test}", flush=True)


def python_tests(pattern, env=None):
    os.environ.update(env or {})
    sys.path.insert(0, os.path.join(ROOT, "tests/system"))
    suite = unittest.defaultTestLoader.discover(os.path.join(ROOT, "tests/system"), pattern)
    result = unittest.TextTestRunner(sys.stdout, resultclass=Counting, verbosity=0).run(suite)
    failed = len(result.failures) + len(result.errors)
    passed = result.testsRun - failed - len(result.skipped)
    return passed, failed if result.testsRun else 1


def stage_system(_):
    build("build", TEST_CLOCK)
    return python_tests("*_test.py")


def stage_race(_):
    """The daemon under load with a race detector."""
    build("build-tsan", ["-Db_sanitize=thread", "-Doptimization=1", "-Dtests=disabled"])
    build("build", [], targets=["tests/bench/load"])
    log = os.path.join(ROOT, "build-tsan.log")
    code = run([sys.executable, "tests/system/race.py"], log)
    if code != 0:
        show_tail(log, 80)
    return (1, 0) if code == 0 else (0, 1)


def stage_fuzz(options):
    """Each target for a short time over the kept corpus; script/fuzz runs them for hours."""
    seconds = int(os.environ.get("VOUCHSAFE_FUZZ_SECONDS", "3" if "--quick" in options else "10"))
    targets = fuzzing.build_targets(build)
    # More at once than there are cores: a target has its seconds of wall time, and most wait for nothing else.
    with concurrent.futures.ThreadPoolExecutor(2 * JOBS) as pool:
        results = list(pool.map(lambda t: fuzzing.run_target(run, t, seconds), targets))
    for result in results:
        if result.code != 0:
            print(f"  fuzz {result.name}: FOUND SOMETHING", flush=True)
            show_tail(result.log)
    failed = sum(r.code != 0 for r in results)
    print(f"  {len(targets)} targets, {seconds} s each", flush=True)
    return len(targets) - failed, failed if targets else 1


STAGES = {"unit": stage_unit, "check": stage_check, "sanitize": stage_sanitize,
          "system": stage_system, "race": stage_race, "fuzz": stage_fuzz}


def main(arguments):
    options = [a for a in arguments if a.startswith("--")]
    names = [a for a in arguments if not a.startswith("--")] or list(STAGES)
    unknown = [n for n in names if n not in STAGES] + [o for o in options if o != "--quick"]
    if unknown or not shutil.which("meson"):
        print(f"unknown: {' '.join(unknown)}; stages: {' '.join(STAGES)}", file=sys.stderr)
        return 2
    total_passed = total_failed = 0
    for name in names:
        began = time.monotonic()
        print(f"== {name}", flush=True)
        passed, failed = STAGES[name](options)
        total_passed, total_failed = total_passed + passed, total_failed + failed
        print(f"== {name}: {passed} passed, {failed} failed in "
              f"{time.monotonic() - began:.0f} s", flush=True)
    for line in SUMMARY:
        print(line)
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed or not total_passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
