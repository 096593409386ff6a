"""Phala's dcap-qvl on the same TDX quotes, collateral and times as evidence_bench: `name value` lines.

It verifies the collateral every time: compare with *_with_collateral_per_s.

usage: dcap_qvl_bench.py VECTORS      needs the package dcap-qvl
"""
import json
import os
import statistics
import sys
import time

import dcap_qvl

QUOTES = {"sgx": "sgx-v3-automata-network-c81a90-swhardeningneeded-e17",
          "tdx": "tdx-v4-canvasxyz-3bffae-uptodate-e17",
          "tdx15": "tdx-v5-google-cf77a6-uptodate-e18"}
ROUNDS, MEASURE_S = 5, 0.2


def rate(quote, collateral, now):
    start = time.process_time()
    count = 0
    while time.process_time() - start < MEASURE_S:
        dcap_qvl.verify(quote, collateral, now)
        count += 1
    return count / (time.process_time() - start)


def main(vectors):
    folder = os.path.join(vectors, "attestation")
    with open(os.path.join(folder, "index.json"), encoding="utf-8") as f:
        cases = {case["id"]: case for case in json.load(f)["cases"]}
    for name, identity in QUOTES.items():
        case = cases[identity]
        with open(os.path.join(folder, case["evidence"]), "rb") as f:
            quote = f.read()
        with open(os.path.join(folder, case["collateral"]["bundle"]), encoding="utf-8") as f:
            collateral = dcap_qvl.QuoteCollateralV3.from_json(f.read())
        try:
            report = dcap_qvl.verify(quote, collateral, case["verify_time"])
        except ValueError as e:  # what it does not support is no reason to measure nothing
            print(f"# dcap-qvl refuses {identity}: {e}", file=sys.stderr)
            continue
        print(f"# {name}: {report.status}, expected {case['expected']['tcb_status']}", file=sys.stderr)
        rates = [rate(quote, collateral, case["verify_time"]) for _ in range(ROUNDS)]
        print(f"dcap_qvl_{name}_per_s {statistics.median(rates):.0f}")


if __name__ == "__main__":
    main(sys.argv[1])
