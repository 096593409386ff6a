"""Runs the fuzz targets for a long time; see script/fuzz. Ends with the row for docs/testing.md."""
import argparse
import concurrent.futures
import datetime
import sys

import fuzzing
import run as suite


def fuzz_all(targets, seconds):
    """Whether no target found anything. Each has `seconds` of one core."""
    with concurrent.futures.ThreadPoolExecutor(suite.JOBS) as pool:
        for result in pool.map(lambda t: fuzzing.run_target(suite.run, t, seconds), targets):
            print(f"fuzz {result.name}: {'ok' if result.code == 0 else 'FOUND SOMETHING'}", flush=True)
            if result.code != 0:
                suite.show_tail(result.log)
                pool.shutdown(wait=False, cancel_futures=True)
                print(f"The input is beside build-fuzz/{result.name}.log. Make it a file in "
                      f"tests/fuzz/corpus/{result.name} and a unit test.")
                return False
    return True


def main(arguments):
    parser = argparse.ArgumentParser(prog="script/fuzz", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="CPU hours of all targets together")
    parser.add_argument("targets", nargs="*", help="names such as quote or json; default: all")
    options = parser.parse_args(arguments)
    targets = fuzzing.build_targets(suite.build)
    known = {fuzzing.name_of(t): t for t in targets}
    unknown = [t for t in options.targets if t not in known]
    if unknown or not targets:
        print(f"script/fuzz: no target called {' '.join(unknown)}; there are: {' '.join(known)}", file=sys.stderr)
        return 2
    chosen = [known[t] for t in options.targets] or targets
    seconds = max(1, int(options.hours * 3600 / len(chosen)))
    print(f"{len(chosen)} targets, {seconds} s each", flush=True)
    if not fuzz_all(chosen, seconds):
        return 1
    for target in chosen:
        fuzzing.merge_corpus(suite.run, target)
    print(f"| {datetime.date.today()} | {' '.join(options.targets) or 'all'} | {len(chosen)} | {options.hours:g} | none |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
