"""Runs the stages of the test suite and adds up what they say.

Every stage reports (passed, failed) counts of single tests, read from machine-readable results, so that a
stage that ran nothing counts as a failure. With --quick the fuzz targets run for 5 seconds each instead
of 60 (VOUCHSAFE_FUZZ_SECONDS sets another number).
"""
import concurrent.futures
import glob
import json
import os
import shutil
import subprocess
import sys
import time
import unittest
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOBS = os.cpu_count() or 2


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
        for line in sorted({line.strip() for line in f if line.startswith("SKIPPED:")}):
            print("  " + line)


def meson_tests(name, env=None):
    log = os.path.join(ROOT, name + ".log")
    logs = os.path.join(ROOT, name, "meson-logs")
    for path in glob.glob(os.path.join(logs, "testlog*")):  # of an earlier run
        os.remove(path)
    code = run(["meson", "test", "-C", name, "--num-processes", str(JOBS), "--timeout-multiplier",
                "4", "--no-rebuild", "--wrapper", f"{sys.executable} {ROOT}/tests/tap.py"], log, env)
    results = glob.glob(os.path.join(logs, "testlog*.junit.xml"))  # named for the wrapper, too
    if not results:
        show_tail(log)
        return 0, 1
    text = results[0][: -len(".junit.xml")] + ".txt"
    passed, failed, bad = junit_counts(results[0])
    print_skips(text)
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
    # one suppressed thing only: memory that OpenSSL and libsodium keep for the life of the process is no leak
    build("build-asan", ["-Db_sanitize=address,undefined", "-Doptimization=1"])
    return meson_tests("build-asan", {
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})


class Counting(unittest.TextTestResult):
    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"  SKIPPED: {test}: {reason}", flush=True)


def python_tests(pattern, env=None):
    os.environ.update(env or {})
    sys.path.insert(0, os.path.join(ROOT, "tests/system"))
    suite = unittest.defaultTestLoader.discover(os.path.join(ROOT, "tests/system"), pattern)
    result = unittest.TextTestRunner(sys.stdout, resultclass=Counting, verbosity=2).run(suite)
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


# Real input to begin with, where the vectors are at hand: beside the small files in tests/fuzz/corpus.
FUZZ_SEEDS = {
    "quote": ["sgx/*/quote.bin", "tdx/*/quote.bin"],
    "snp_report": ["snp/*/report.bin"],
    "snp_vek": ["snp/*/vek.der"],
    "x509": ["snp/*/vek.der", "collateral/amd/*/*.der", "collateral/aws/*.der", "collateral/intel/*/*.der"],
    "nitro": ["nitro/*/doc.cbor"],
    "cbor": ["nitro/*/doc.cbor", "arm/*/token.cbor"],
    "arm": ["arm/*/token.cbor"],
    "azure_hcl": ["azure-hcl/*/*.bin"],
    "tcb_info": ["collateral/intel/*/tcb_info.json"],
    "qe_identity": ["collateral/intel/*/qe_identity.json"],
    "collateral_bundle": ["collateral/intel/*/bundle.json"],
}


def fuzz_seeds(name):
    """A directory with the vectors for this target, or None. They are copied: one flat directory."""
    vectors = os.environ.get("VOUCHSAFE_VECTORS", os.path.join(ROOT, "../shared/vectors"))
    out = os.path.join(ROOT, "build-fuzz", "seeds", name)
    shutil.rmtree(out, ignore_errors=True)
    paths = [path for pattern in FUZZ_SEEDS.get(name, [])
             for path in glob.glob(os.path.join(vectors, "attestation", pattern))]
    if not paths:
        if name in FUZZ_SEEDS:
            print(f"  SKIPPED: seeds of fuzz target {name}: no vectors", flush=True)
        return None
    os.makedirs(out)
    for i, path in enumerate(paths):
        shutil.copyfile(path, os.path.join(out, f"{i}"))
    return out


def fuzz_one(target, seconds):
    name = os.path.basename(target)[: -len("_fuzz")]
    log = os.path.join(ROOT, "build-fuzz", name + ".log")
    corpus = os.path.join(ROOT, "build-fuzz", "corpus", name)
    os.makedirs(corpus, exist_ok=True)
    seeds = [os.path.join(ROOT, "tests/fuzz/corpus", name), fuzz_seeds(name)]
    if os.path.exists(log):
        os.remove(log)
    code = run([target, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=4096",
                f"-artifact_prefix={ROOT}/build-fuzz/{name}-", corpus,
                *(s for s in seeds if s and os.path.isdir(s))], log, timeout=seconds + 300)
    return name, code, log


def stage_fuzz(options):
    build("build-fuzz", ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Dtests=enabled"],
          {"CC": "clang"})
    targets = sorted(glob.glob(os.path.join(ROOT, "build-fuzz/tests/fuzz/*_fuzz")))
    seconds = int(os.environ.get("VOUCHSAFE_FUZZ_SECONDS", "5" if "--quick" in options else "60"))
    passed = failed = 0
    # more at once than there are cores: 60 seconds of each, in a time that continuous integration has
    with concurrent.futures.ThreadPoolExecutor(2 * JOBS) as pool:
        for name, code, log in pool.map(lambda t: fuzz_one(t, seconds), targets):
            print(f"  fuzz {name}: {'ok' if code == 0 else 'FOUND SOMETHING'}", flush=True)
            if code != 0:
                show_tail(log)
            passed, failed = passed + (code == 0), failed + (code != 0)
    return passed, failed if targets else 1


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
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed or not total_passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
