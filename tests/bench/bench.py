"""Measurements. Every ratio is against the bare primitive, measured in the same run on the same machine.

  decrypt   server CPU per POST /decrypt with a known session and the durable log, at 1, 8, 64 and 256
            keep-alive connections, plain HTTP and TLS; latency, batch size, and where the time goes.
            Replies are sealed, and opened by the load generator; plain_reply_64: in the clear
  attest    verification of evidence, cached and not, against the signature checks it contains, and
            against dcap-qvl from PyPI, which runs in turn with it [--rounds N]
  store     commits and microseconds per entry by batch size
  memory    resident memory with 1,000 idle connections, plain and TLS
  start     time until a daemon serves, and until a store of 1 and 10 million entries is open
  primitives  what the cryptography costs here

Figures are printed one a line; with --json as one object with name, unit, figures, bare and ratio.

decrypt --against BUILD_DIR [--rounds N] [--requests N] compares with the daemon of another build (a release
build of an older commit, in its own source tree): both run, and the load goes to them in turn, N times each
(7 unless told). A ratio is of one round: both builds within the same few seconds. Only CPU time counts, so
another program on the machine disturbs through the caches and the clock rate only.
"""
import argparse
import base64
import concurrent.futures
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build-bench")
os.environ.setdefault("VOUCHSAFE_BUILD", BUILD)
sys.path.insert(0, os.path.join(ROOT, "tests/system"))

SECRET = b'{"OPENAI_KEY":"sk-test123","FOO":"bar"}'
WORKERS = 64


def build():
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", BUILD, "--buildtype=release"], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD, "src/daemon/vouchsafed", "src/cli/vouchsafe",
                    *(f"tests/bench/{p}" for p in ("load", "primitives", "store_bench", "start_bench",
                                                    "attest_bench", "evidence_bench"))],
                   check=True, stdout=subprocess.DEVNULL)


def read_values(text):
    pairs = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {p[0]: float(p[1]) for p in pairs if len(p) >= 2}


def values(program):
    """What a C benchmark prints: `name value` a line."""
    return read_values(subprocess.run([os.path.join(BUILD, "tests/bench", program)], check=True,
                                      capture_output=True, text=True, cwd=ROOT).stdout)


def thread_times(pid):
    """CPU nanoseconds by thread, and (user, system) ticks of the process."""
    threads = {}
    for path in glob.glob(f"/proc/{pid}/task/*"):
        with open(path + "/schedstat", encoding="ascii") as f:
            on_cpu = int(f.read().split()[0])
        with open(path + "/comm", encoding="ascii") as f:
            threads[os.path.basename(path)] = (f.read().strip(), on_cpu)
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return threads, int(fields[11]), int(fields[12])


def metric(keystore, name):
    for line in keystore.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise KeyError(name)


def write_cases(keystore, path):
    from harness import Worker, ecies_seal
    with open(path, "w", encoding="ascii") as f:
        for i in range(WORKERS):
            worker = Worker(keystore, token=f"worker{i}" if i else "worker")
            assert worker.attest().status == 200
            seed = f"github.com/alice/project{i}:alice.near"
            envelope = base64.b64encode(ecies_seal(keystore.pubkey(seed), SECRET)).decode()
            body = json.dumps({"encrypted_secrets": envelope, "seed": seed})
            plain = keystore.policies[0].get("allow_plain")
            expected = base64.b64encode(SECRET).decode() if plain else SECRET.decode()
            key = "-" if plain else worker.reply_key.hex()
            f.write(f"{keystore.tokens[worker.token]}\t{worker.session}\t{body}\t{expected}\t{key}\n")


def run_load(keystore, cases, connections, requests):
    from harness import LOAD
    pid = keystore.pid()
    done = subprocess.run([LOAD, "--port", str(keystore.port), "--cases", cases, "--connections",
                           str(connections), "--requests", str(requests // 10),
                           *(["--tls"] if keystore.tls else [])], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    batches, entries = (metric(keystore, "vouchsafe_log_commits_total"),
                        metric(keystore, "vouchsafe_log_entries"))
    before, user0, system0 = thread_times(pid)
    done = subprocess.run([LOAD, "--port", str(keystore.port), "--cases", cases, "--connections",
                           str(connections), "--requests", str(requests),
                           *(["--tls"] if keystore.tls else [])], capture_output=True, text=True)
    after, user1, system1 = thread_times(pid)
    assert done.returncode == 0, done.stdout + done.stderr
    load = json.loads(done.stdout)
    by_name = {}
    for thread, (name, nanoseconds) in after.items():
        used = nanoseconds - before.get(thread, (name, 0))[1]
        by_name[name] = by_name.get(name, 0) + used / 1000 / requests
    batches = metric(keystore, "vouchsafe_log_commits_total") - batches
    entries = metric(keystore, "vouchsafe_log_entries") - entries
    system = (system1 - system0) / max(1, user1 + system1 - user0 - system0)
    return {"cpu_us": sum(by_name.values()), "threads_us": by_name, "system_share": system,
            "batch": entries / max(1, batches), "per_second": load["per_second"],
            "p50_us": load["p50_us"], "p99_us": load["p99_us"]}


def bare_decrypt():
    """The bare cryptography while every core is busy, as it is when server and load share the machine."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = list(pool.map(values, ["primitives"] * (os.cpu_count() or 1)))
    v = {name: sum(run[name] for run in runs) / len(runs) for name in runs[0]}
    return (v["x25519"] + v["hkdf_sha256_32"] + v["aead_open_64"]) / 1000, v


def measured_beside_bare(keystore, cases, connections, requests):
    """The bare figure before and after the load, since machines are not always equally fast."""
    before, _ = bare_decrypt()
    figures = run_load(keystore, cases, connections, requests)
    after, primitives = bare_decrypt()
    figures["bare_us"] = (before + after) / 2
    figures["ratio"] = figures["cpu_us"] / figures["bare_us"]
    return figures, primitives


def measure_decrypt(figures, tls, counts, suffix="", **options):
    from harness import Keystore
    keystore = Keystore(tls=tls, workers=WORKERS, **options)
    try:
        keystore.init().start()
        cases = os.path.join(keystore.dir, "cases")
        write_cases(keystore, cases)
        for connections in counts:
            requests = {1: 5000, 8: 20000}.get(connections, 40000)
            runs = [measured_beside_bare(keystore, cases, connections, requests)
                    for _ in range(5 if connections == 64 else 1)]
            runs.sort(key=lambda run: run[0]["ratio"])
            f, primitives = runs[len(runs) // 2]  # the median
            f["ratio_least"], f["ratio_most"] = runs[0][0]["ratio"], runs[-1][0]["ratio"]
            figures[f"{'tls' if tls else 'plain'}{suffix}_{connections}"] = f
    finally:
        keystore.close()
    return primitives


class OtherKeystore:
    """A keystore of any build, run by the harness of its own source tree in a process of its own."""

    def __init__(self, build_dir, tls):
        with open(os.path.join(build_dir, "meson-info/meson-info.json"), encoding="utf-8") as f:
            source = json.load(f)["directories"]["source"]
        self.tls = tls
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "serve", build_dir, source, "tls" if tls else "plain"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "VOUCHSAFE_BUILD": build_dir})
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"bench: the keystore of {build_dir} did not start; its messages are above")
        self.told = json.loads(line)

    def load(self, connections, requests):
        """Microseconds of CPU per request, and what the load generator counted."""
        before, user0, system0 = thread_times(self.told["pid"])
        done = subprocess.run([os.path.join(BUILD, "tests/bench/load"), "--port", str(self.told["port"]), "--cases",
                               self.told["cases"], "--connections", str(connections), "--requests", str(requests),
                               *(["--tls"] if self.tls else [])], capture_output=True, text=True)
        after, user1, system1 = thread_times(self.told["pid"])
        if done.returncode != 0:
            raise SystemExit(f"bench: the load failed: {done.stdout}{done.stderr}")
        used = sum(on_cpu - before.get(thread, (name, 0))[1] for thread, (name, on_cpu) in after.items())
        return {"cpu_us": used / 1000 / requests, "per_second": json.loads(done.stdout)["per_second"],
                "system_us": (system1 - system0) * 1e6 / os.sysconf("SC_CLK_TCK") / requests}

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def serve(build_dir, source, mode):
    """The other end of OtherKeystore: says where the keystore is, and stops it when its input ends."""
    sys.path.insert(0, os.path.join(source, "tests/system"))
    from harness import Keystore
    keystore = Keystore(tls=mode == "tls", workers=WORKERS)
    try:
        keystore.init().start()
        cases = os.path.join(keystore.dir, "cases")
        write_cases(keystore, cases)
        print(json.dumps({"pid": keystore.pid(), "port": keystore.port, "cases": cases}), flush=True)
        sys.stdin.read()
    finally:
        keystore.close()


def spread(figures):
    return {"median": statistics.median(figures), "least": min(figures), "most": max(figures)}


def compare(against, tls, rounds, requests, connections=64):
    builds = {"ours": BUILD, "against": os.path.abspath(against)}
    keystores = {}
    runs = {"bare": []}
    try:
        for name, directory in builds.items():
            keystores[name] = OtherKeystore(directory, tls)
            runs[name] = []
            keystores[name].load(connections, requests // 10)
        for i in range(rounds):
            for name in sorted(builds, reverse=i % 2 == 1):
                runs[name].append(keystores[name].load(connections, requests))
            runs["bare"].append(bare_decrypt()[0])
    finally:
        for keystore in keystores.values():
            keystore.close()
    ours, theirs = ([run["cpu_us"] for run in runs[name]] for name in ("ours", "against"))
    return {"cpu_us": spread(ours), "against_cpu_us": spread(theirs), "bare_us": spread(runs["bare"]),
            "system_us": spread([run["system_us"] for run in runs["ours"]]),
            "against_system_us": spread([run["system_us"] for run in runs["against"]]),
            "per_second": spread([run["per_second"] for run in runs["ours"]]),
            "ratio_to_against": spread([a / b for a, b in zip(ours, theirs)]),
            "ratio_to_bare": spread([a / b for a, b in zip(ours, runs["bare"])])}


def bench_compare(against, rounds, requests):
    figures = {mode: compare(against, mode == "tls", rounds, requests) for mode in ("plain", "tls")}
    return {"name": "decrypt", "unit": "us of server CPU per request at 64 connections", "figures": figures,
            "rounds": rounds, "targets": {"ratio_to_against": 0.6, "plain.ratio_to_bare": 1.9, "tls.ratio_to_bare": 2.2}}


def bench_decrypt():
    from harness import PLAIN
    figures = {}
    for tls in (False, True):
        measure_decrypt(figures, tls, (1, 8, 64, 256))
    primitives = measure_decrypt(figures, False, (64,), "_reply", policies=[PLAIN])
    main = figures["plain_64"]
    return {"name": "decrypt", "unit": "us of server CPU per request", "figures": figures,
            "bare": main["bare_us"], "ratio": main["ratio"], "ratio_tls": figures["tls_64"]["ratio"],
            "targets": {"ratio": 1.8, "ratio_tls": 2.2}, "primitives_ns": primitives}


def bench_memory():
    from harness import Keystore
    figures = {}
    for tls in (False, True):
        with Keystore(tls=tls) as keystore:
            connections = []
            for _ in range(1000):
                connection = keystore.connection()
                assert keystore.get("/healthz", connection=connection).status == 200
                connections.append(connection)
            with open(f"/proc/{keystore.pid()}/status", encoding="ascii") as f:
                rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
            figures["tls" if tls else "plain"] = rss / 1024
            for connection in connections:
                connection.close()
    return {"name": "memory", "unit": "MiB resident with 1,000 idle connections", "figures": figures,
            "bare": None, "ratio": None, "targets": {"plain": 32, "tls": 64}}


# START_ENTRIES="1000000 100000000" measures other sizes; a million entries need 0.4 GB of disk
START_ENTRIES = [int(n) for n in os.environ.get("START_ENTRIES", "1000000 10000000").split()]
START_ROWS = 100000


def bench_start():
    from harness import Keystore
    keystore = Keystore(workers=WORKERS)
    try:
        keystore.init().start()
        cases = os.path.join(keystore.dir, "cases")
        write_cases(keystore, cases)
        run_load(keystore, cases, 64, 100000)
        entries = metric(keystore, "vouchsafe_log_entries")
        keystore.stop()
        began = time.monotonic()
        keystore.start()
        seconds = time.monotonic() - began
    finally:
        keystore.close()
    sizes = {}
    for size in START_ENTRIES:
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as directory:
            done = subprocess.run([os.path.join(BUILD, "tests/bench/start_bench"), directory, str(size),
                                   str(START_ROWS)], check=True, capture_output=True, text=True)
        sizes[str(size)] = read_values(done.stdout)
    return {"name": "start", "unit": "s; the store of each size is opened with a cold and a warm cache",
            "figures": {"daemon_entries": entries, "daemon_seconds": seconds, "store": sizes},
            "bare": None, "ratio": None, "targets": {"cold_s of 10000000": 2}}


def simple(program, name, unit):
    figures = values(program)
    return {"name": name, "unit": unit, "figures": figures, "bare": None, "ratio": None}


def dcap_qvl_command():
    """Phala's verifier in Rust, in an environment of its own below the build; None when it cannot be had."""
    environment = os.path.join(BUILD, "dcap-qvl")
    python = os.path.join(environment, "bin", "python")
    vectors = os.environ.get("VOUCHSAFE_VECTORS", os.path.join(ROOT, "../shared/vectors"))
    for command in [[sys.executable, "-m", "venv", environment],
                    [python, "-m", "pip", "install", "--quiet", "dcap-qvl==0.7.0"]]:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["?"])[-1]
            print(f"SKIPPED: comparison with dcap-qvl: {reason}", file=sys.stderr)
            return None
    return [python, os.path.join(ROOT, "tests/bench/dcap_qvl_bench.py"), vectors]


def bench_attest(rounds):
    """Our verifier and dcap-qvl in turn, on the same quotes and collateral. A ratio is of one round."""
    other = dcap_qvl_command()
    runs = []
    for i in range(rounds):
        run = {}
        for ours in (True, False) if i % 2 == 0 else (False, True):
            if ours:
                run |= {**values("attest_bench"), **values("evidence_bench")}
            elif other:
                run |= read_values(subprocess.run(other, check=True, capture_output=True, text=True).stdout)
        for kind in ("sgx", "tdx", "tdx15"):
            if f"dcap_qvl_{kind}_per_s" in run:
                run[f"{kind}_to_dcap_qvl_ratio"] = run[f"{kind}_with_collateral_per_s"] / run[f"dcap_qvl_{kind}_per_s"]
        runs.append(run)
    figures = {name: spread([run[name] for run in runs]) for name in runs[0]}
    return {"name": "attest", "unit": "see names", "figures": figures, "rounds": rounds,
            "bare": figures["bare_us"]["median"] if figures else None,
            "ratio": figures["ratio"]["median"] if figures else None}


BENCHES = {
    "decrypt": bench_decrypt,
    "store": lambda: simple("store_bench", "store", "see names"),
    "memory": bench_memory,
    "start": bench_start,
    "primitives": lambda: simple("primitives", "primitives", "ns"),
}


def print_lines(result, prefix=""):
    for key, value in result.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            print_lines(value, name + ".")
        elif isinstance(value, float):
            print(f"{name} {value:.2f}")
        else:
            print(f"{name} {value}")


def main(arguments):
    if arguments[:1] == ["serve"]:
        serve(*arguments[1:])
        return 0
    parser = argparse.ArgumentParser(usage="script/bench NAME [--json]", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=[*BENCHES, "attest"])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--against", metavar="BUILD_DIR")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=40000)
    options = parser.parse_args(arguments)
    if options.against and options.name != "decrypt":
        parser.error("--against is for decrypt only")
    build()
    if options.against:
        result = bench_compare(options.against, options.rounds, options.requests)
    elif options.name == "attest":
        result = bench_attest(options.rounds)
    else:
        result = BENCHES[options.name]()
    if options.json:
        print(json.dumps(result))
    else:
        print_lines(result)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
