"""Instructions of kernels and training steps, counted by Valgrind: the same on every run, whatever else goes on.

    apt-get install valgrind && pip install -e . && python bench/evidence/instructions.py --out instructions.json

Valgrind knows no AVX-512, so the code counted is that for AVX2 (Haswell): vectors of 8 float32 where AVX-512 has 16.
Beside the counts stand useful FLOP and bytes moved of each case, and the least instructions that the FLOP take: one
fused multiply-add for 8 numbers, 16 FLOP.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TARGET = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}
FLOP_OF_AN_INSTRUCTION = 16
GROUPS = {"step": 20, "product": 20, "activation": 20, "optimizer": 5, "loss": 20, "piece": 20}
CHOSEN = (
    "step/", "product/forward_product/", "product/input_gradient/64", "product/weight_gradient/64", "activation/tanh",
    "activation/relu/", "activation/gelu/", "activation/sigmoid", "optimizer/sgd", "optimizer/adam/", "piece/",
    "loss/cross_entropy",
)  # fmt: skip


def chosen() -> list[str]:
    from mlpjit.measure.cases.table import cases

    return [name for name in cases() if name.startswith(CHOSEN)]


def compile_all(names: list[str]) -> None:
    """Fill the compile cache, so that nothing is compiled under Valgrind."""
    from mlpjit.measure.cases.table import case

    for name in names:
        case(name).make().run(1)


def control(*arguments: str) -> None:
    subprocess.run(["callgrind_control", *arguments, str(os.getpid())], check=True, capture_output=True)


def count_all(names: list[str]) -> None:
    """Under Valgrind: run each case so many times, then twice as often, counting only then, with a dump behind each."""
    from mlpjit.measure.cases.table import case

    control("-i", "off")  # the first call of anything in Python takes longer
    for name in names:
        work, repeats = case(name).make(), GROUPS[name.split("/")[0]]
        work.run(1)
        # Switching the count on and off is counted too: the difference of two counts holds none of it.
        for times in (1, 2):
            control("-i", "on")
            work.run(times * repeats)
            control("-i", "off")
            control("-d", f"{name} x{times}")
        facts = {"flop": work.flop, "bytes": work.moved, "resident_bytes": work.resident, "repeats": repeats}
        print(json.dumps({"case": name, **facts}), flush=True)


def totals(folder: Path) -> dict[str, int]:
    """Return the instructions of each dump by the name it was given."""
    found = {}
    for path in folder.glob("callgrind.out*"):
        text = path.read_text(errors="replace")
        name, total = re.search(r"Trigger: .*?([a-z]+/\S+ x\d)", text), re.search(r"^totals: (\d+)", text, re.M)
        if name and total:
            found[name.group(1)] = int(total.group(1))
    return found


def counted(names: list[str]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="mlpjit-instructions-") as folder:
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--combine-dumps=no"]
        command += [f"--callgrind-out-file={folder}/callgrind.out", sys.executable, __file__, "--child"]
        done = subprocess.run(command, env={**os.environ, **TARGET}, check=True, stdout=subprocess.PIPE, text=True)
        found, rows = totals(Path(folder)), []
        for line in done.stdout.splitlines():
            row = json.loads(line)
            instructions = (found[row["case"] + " x2"] - found[row["case"] + " x1"]) / row.pop("repeats")
            least = row["flop"] / FLOP_OF_AN_INSTRUCTION
            rows.append(row | {"instructions": round(instructions), "fma_instructions_needed": round(least)})
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    print(f"{'case':46s} {'instructions':>12s} {'FMA needed':>11s} {'share':>6s} {'bytes':>10s}")
    for row in rows:
        needed = row["fma_instructions_needed"]
        share = f"{100 * needed / row['instructions']:5.0f}%" if needed else "     -"
        print(f"{row['case']:46s} {row['instructions']:12d} {needed:11d} {share} {row['bytes']:10.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the rows as JSON")
    for step in ("--compile", "--child"):
        parser.add_argument(step, action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    names = chosen()
    if given.child or given.compile:
        return count_all(names) if given.child else compile_all(names)
    subprocess.run([sys.executable, __file__, "--compile"], env={**os.environ, **TARGET}, check=True)
    rows = counted(names)
    show(rows)
    if given.out:
        given.out.write_text(json.dumps({"target": TARGET["NUMBA_CPU_NAME"], "cases": rows}, indent=2) + "\n")
    return None


if __name__ == "__main__":
    main()
