"""The fuzz targets: how they are built, where their inputs come from, and how one of them runs.

A target starts from three places: the small files in tests/fuzz/corpus, real evidence where the vectors are
present, and the corpus that earlier runs kept. The kept corpus lies outside the tree, in
$VOUCHSAFE_FUZZ_CORPUS or ~/.cache/vouchsafe/fuzz, so that a clean build loses none of it.
"""
import collections
import glob
import os
import shutil

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build-fuzz")

Result = collections.namedtuple("Result", "name code log")

# Vectors that a target starts from, below the folder `attestation`.
SEEDS = {
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


def build_targets(build):
    """Builds them with `build` of tests/run.py; returns the paths of the programs."""
    build("build-fuzz", ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Dtests=enabled"], {"CC": "clang"})
    return sorted(glob.glob(os.path.join(BUILD, "tests/fuzz/*_fuzz")))


def name_of(target):
    return os.path.basename(target)[: -len("_fuzz")]


def kept_corpus(name):
    """The directory where a target keeps what it found."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    top = os.environ.get("VOUCHSAFE_FUZZ_CORPUS", os.path.join(cache, "vouchsafe/fuzz"))
    directory = os.path.join(top, name)
    os.makedirs(directory, exist_ok=True)
    return directory


def vector_seeds(name):
    """A flat directory with copies of the vectors for this target, or None."""
    vectors = os.environ.get("VOUCHSAFE_VECTORS", os.path.join(ROOT, "../shared/vectors"))
    out = os.path.join(BUILD, "seeds", name)
    shutil.rmtree(out, ignore_errors=True)
    paths = [path for pattern in SEEDS.get(name, [])
             for path in glob.glob(os.path.join(vectors, "attestation", pattern))]
    if not paths:
        if name in SEEDS:
            print(f"  SKIPPED: seeds of fuzz target {name}: no vectors", flush=True)
        return None
    os.makedirs(out)
    for i, path in enumerate(paths):
        shutil.copyfile(path, os.path.join(out, f"{i}"))
    return out


def run_target(run, target, seconds, options=()):
    """Runs one target with `run` of tests/run.py. What it finds goes into build-fuzz/NAME-*."""
    name = name_of(target)
    log = os.path.join(BUILD, name + ".log")
    seeds = [os.path.join(ROOT, "tests/fuzz/corpus", name), vector_seeds(name)]
    if os.path.exists(log):
        os.remove(log)
    code = run([target, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=4096",
                f"-artifact_prefix={BUILD}/{name}-", *options, kept_corpus(name),
                *(s for s in seeds if s and os.path.isdir(s))], log, timeout=seconds + 600)
    return Result(name, code, log)


def merge_corpus(run, target):
    """Drops the kept inputs that reach nothing new, so that the corpus stays small."""
    name = name_of(target)
    kept = kept_corpus(name)
    smaller = kept + ".smaller"
    shutil.rmtree(smaller, ignore_errors=True)
    os.makedirs(smaller)
    code = run([target, "-merge=1", "-timeout=10", "-rss_limit_mb=4096", smaller, kept],
               os.path.join(BUILD, name + "-merge.log"), timeout=3600)
    if code != 0:
        shutil.rmtree(smaller)
        return
    shutil.rmtree(kept)
    os.rename(smaller, kept)
