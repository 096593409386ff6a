"""Runs the fuzz targets for a long time; see script/fuzz. Ends with the row for docs/testing.md."""
import argparse
import concurrent.futures
import datetime
import resource
import sys

import fuzzing
import run as suite


def cpu_hours():
    """What all programs that ended so far have used. On a busy machine it is less than the time that passed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) / 3600


def fuzz_all(targets, seconds, jobs):
    """Whether no target found anything. Each runs for `seconds`, `jobs` of them at once."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
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
    parser.add_argument("--hours", type=float, default=1.0,
                        help="hours of all targets together; the last line tells the CPU hours that they got")
    parser.add_argument("--jobs", type=int, default=suite.JOBS,
                        help="targets that run at once; default: one for each core")
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
    before = cpu_hours()
    if not fuzz_all(chosen, seconds, max(1, options.jobs)):
        return 1
    used = cpu_hours() - before
    for target in chosen:
        fuzzing.merge_corpus(suite.run, target)
    print(f"| {datetime.date.today()} | {' '.join(options.targets) or 'all'} | {len(chosen)} | {used:.1f} | none |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
