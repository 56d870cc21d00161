"""Twenty places where a share of the work can be done twice: what `planted_slowdowns.py` plants.

A planted loop is preceded by a copy of itself that runs over one part in `{d}` only, into the same memory, so the work
added is the loop's own and nothing can be left out. Results may change by it; only times are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plant:
    """A place: `headers` of loops inside `function`, and what they become in their copies.

    shows: how the names begin of the cases that time this place and must be found slower.
    inside: a text in the loop's copy and what it becomes. after: what follows the copy. text: lines, and what is put
    before each. kernels: how the names begin of the kernels whose code changes; no other is compiled again.
    """

    name: str
    file: str
    function: str
    headers: tuple[tuple[str, str], ...]
    kernels: tuple[str, ...]
    shows: str
    inside: tuple[str, str] = ("", "")
    after: str = ""
    text: tuple[tuple[str, str], ...] = ()


KERNELS = "mlpjit/kernels/"
COLUMNS = ("for j in range(0, pairs, 2 * LANES):", "for j in range(pairs, columns, LANES):")
ROWS = ("for i in range(rows):", "for i in range(rows // {d}):")
COUNT = ("for i in range(count):", "for i in range(count // {d}):")
SAME_COLUMNS = tuple((header, header) for header in COLUMNS)

PLANTS = (
    Plant("forward product", KERNELS + "arithmetic/matmul.py", "forward_product", SAME_COLUMNS, ("forward_product",),
          "product/forward_product/",
          ("rows, inner,", "rows, inner // {d},")),
    Plant("input gradient", KERNELS + "arithmetic/matmul.py", "input_gradient", SAME_COLUMNS, ("input_gradient",),
          "product/input_gradient/",
          ("rows, inner,", "rows, inner // {d},")),
    Plant("weight gradient", KERNELS + "arithmetic/matmul.py", "weight_gradient", SAME_COLUMNS, ("weight_gradient",),
          "product/weight_gradient/",
          ("rows, inner,", "rows, inner // {d},")),
    Plant("weight copies", KERNELS + "arithmetic/matmul.py", "pack_transposed_panels",
          (("for i in range(0, rows, LANES):", "for i in range(0, min(rows, LANES), LANES):"),),
          ("pack_transposed_panels",),
          "pass/refresh_weights/", ("(0, columns, LANES)", "(0, min(columns, LANES * (16 // {d} + 1)), LANES)")),
    Plant("activation loops", KERNELS + "network/activation_loops.py", "activation_loop", (COUNT,),
          ("activation_forward",), "activation/"),
    Plant("pointwise losses", KERNELS + "network/loss_rules.py", "pointwise_loop",
          (("for first in range(0, rows * outputs, BLOCK):", "for first in range(1):"),), ("loss_",), "loss/",
          ("BLOCK", "(BLOCK * 10 // {d})"), after="    place, column = 0, 0\n"),
    Plant("cross-entropy", KERNELS + "network/losses/cross_entropy.py", "cross_entropy",
          (ROWS, ("for at in range(rows * stride):", "for at in range(rows * stride // {d}):")),
          ("loss_cross_entropy", "cross_entropy"), "loss/cross_entropy/",
          # What the copy leaves must stay positive, or the loop itself would take the logarithm of a negative sum.
          ("(load(row, j) * share - y) * scale", "load(row, j) * (1.0 + (share - y) * scale * 1e-30)")),
    Plant("optimizer loops", KERNELS + "stages/stage.py", "elementwise_loop",
          (("for i in range(first, end):", "for i in range(first, first + (end - first) // {d}):"),), ("optimizer_",),
          "optimizer/"),
    Plant("clipping by norm", KERNELS + "optimizers/clipping.py", "global_norm_clipping", (), ("clipping_",),
          "clipping/global_norm/",
          text=(("    shrink(count, sqrt(dot(grads, grads, count)) + load(settings, 1), load(settings, 0), grads)\n",
                 "    if dot(grads, grads, count // {d}) < 0.0:\n        return DONE\n"),)),
    Plant("clipping by value", KERNELS + "optimizers/clipping.py", "value_clipping", (COUNT,), ("clipping_",),
          "clipping/value/"),
    Plant("normalization", KERNELS + "network/normalizing/batch_values.py", "normalize_batch", (ROWS,),
          ("normalize_batch",), "normalization/batch_forward/"),
    Plant("its gradient", KERNELS + "network/normalizing/batch_values.py", "normalize_backward", (ROWS,),
          ("normalize_backward",), "normalization/batch_backward/"),
    Plant("gather", KERNELS + "run/steps.py", "gather_batch", (ROWS,), ("gather_batch",), "pass/gather/"),
    Plant("permutation", KERNELS + "arithmetic/random.py", "fill_permutation",
          (COUNT, ("for i in range(count - 1, 0, -1):", "for i in range(count - 1, count - 1 - count // {d}, -1):")),
          ("fill_permutation",), "random/permutation/"),
    Plant("random numbers", KERNELS + "arithmetic/random.py", "fill_uniform",
          (("for block in range((count + 1) // 2):", "for block in range((count + 1) // 2 // {d}):"),),
          ("fill_uniform",), "random/uniform/"),
    Plant("evaluation", KERNELS + "run/evaluation.py", "evaluate",
          (("for first in range(0, rows, chunk):", "for first in range(0, rows // {d}, chunk):"),), ("evaluate",),
          "run/evaluate/",
          ("rows - first", "rows // {d} - first")),
    Plant("schedules", KERNELS + "rates.py", "schedule_loop", (COUNT,), ("schedule_",), "schedule/"),
    Plant("orthogonal start", KERNELS + "arithmetic/orthonormal.py", "orthonormalize_rows",
          (("for k in range(i):", "for k in range(i // {d}):"),), ("orthonormalize_rows",), "init/orthonormal_rows/"),
    Plant("making a run", "mlpjit/training/run.py", "__init__", (), (), "run/construction/",
          text=(("        self.chunk = Chunk(values, [values], self.control)\n",
                 "        import time\n\n        began = time.thread_time()\n"),
                ("        self.status = STATUS.running\n",
                 "        until = time.thread_time() + (time.thread_time() - began) / {d}\n"
                 "        while time.thread_time() < until:\n            pass\n"))),
    Plant("training step", KERNELS + "run/steps.py", "take_step", (), ("take_step",), "step/",
          text=(("    value = batch_gradient(plan, arrays, rows)\n",
                 "    if step % {d} == 0:\n        batch_gradient(plan, arrays, rows)\n"),)),
)  # fmt: skip


def plant(tree: Path, what: Plant, parts: int) -> None:
    """Plant one part in `parts` of more work into a copy of the sources. ValueError where the place is not there."""
    path = tree / what.file
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    first, last = _function(lines, what)
    body = lines[first:last]
    changed = _inserted(body, what) if what.text else _doubled(body, what)
    lines[first:last] = [line.replace("{d}", str(parts)) if line not in body else line for line in changed]
    path.write_text("".join(lines), encoding="utf-8")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _function(lines: list[str], what: Plant) -> tuple[int, int]:
    name = what.function if "(" in what.function else what.function + "("
    starts = [i for i, line in enumerate(lines) if line.lstrip().startswith(f"def {name}")]
    if len(starts) != 1:
        raise ValueError(f"{what.name}: {len(starts)} functions {what.function} in {what.file}")
    first = starts[0]
    opened = next(i for i in range(first, len(lines)) if lines[i].rstrip().split("  #")[0].endswith(":"))
    own = _indent(lines[first])
    inside = range(opened + 1, len(lines))
    return first, next((i for i in inside if lines[i].strip() and _indent(lines[i]) <= own), len(lines))


def _inserted(body: list[str], what: Plant) -> list[str]:
    made = list(body)
    for anchor, text in what.text:
        if made.count(anchor) != 1:
            raise ValueError(f"{what.name}: {made.count(anchor)} lines {anchor.strip()!r} in {what.function}")
        at = made.index(anchor)
        made[at:at] = text.splitlines(keepends=True)
    return made


def _doubled(body: list[str], what: Plant) -> list[str]:
    """Return the body with a smaller copy of each loop before it."""
    headers, made, at = dict(what.headers), [], 0
    if missing := set(headers) - {_code(line) for line in body}:
        raise ValueError(f"{what.name}: no loop {sorted(missing)} in {what.function}")
    if not any(what.inside[0] in line for line in body):
        raise ValueError(f"{what.name}: no {what.inside[0]!r} in {what.function}")
    while at < len(body):
        line = body[at]
        end = at + 1
        if _code(line) in headers:
            while end < len(body) and (not body[end].strip() or _indent(body[end]) > _indent(line)):
                end += 1
            block = [line.replace(_code(line), headers[_code(line)]), *body[at + 1 : end]]
            made += _changed(block, what) + what.after.splitlines(keepends=True)
        made += body[at:end]
        at = end
    return made


def _code(line: str) -> str:
    return line.strip().split("  #")[0]


def _changed(block: list[str], what: Plant) -> list[str]:
    return [line.replace(*what.inside) if what.inside[0] else line for line in block]
