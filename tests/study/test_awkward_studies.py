"""Studies that are not shaped like the built-in ones, from the file to the page, with warnings as errors."""

from __future__ import annotations

import json

import pytest

from mlpjit import report
from mlpjit.study.study import Study

STUDIES = {
    "no_common_width": """
        epochs = 3
        optimizer = "adam"
        [[sweep]]
        hidden = [[8, 4], [16], []]
        learning_rate = [0.01, 0.1]
        seed = [0, 1]
        normalization = ["none", "batch"]
        [final]
        per = "normalization"
        seeds = [7, 8]
        [timing]
        """,
    "regression_by_full_batch": """
        epochs = 8
        batch_size = "full"
        evaluate_every = 3
        [[sweep]]
        depth = [0, 2]
        width = 8
        optimizer = ["sgd", "adam"]
        learning_rate = [0.01, 0.1]
        clip = {name = "value", max_value = 0.5}
        """,
    "one_run_of_one_sample_steps": "epochs = 1\nbatch_size = 1\nhidden = [1]",
    "never_evaluated_after_the_start": "epochs = 2\nevaluate_every = 9\n[sweep]\nseed = [0, 1]",
    "all_diverged": """
        epochs = 2
        learning_rate = 1e38
        activation = "identity"
        [sweep]
        optimizer = ["sgd", "nesterov"]
        """,
    "no_epochs": "epochs = 0\n[sweep]\ndepth = [1, 2]",
}


@pytest.mark.parametrize("name", list(STUDIES))
def test_from_file_to_page(name, tmp_path):
    dataset = "diabetes" if "regression" in name else "two_moons"
    path = tmp_path / f"{name}.toml"
    lines = [f'name = "{name}"', f'dataset = "{dataset}"', *map(str.strip, STUDIES[name].split("\n"))]
    path.write_text("\n".join(lines))
    study = Study.load(path)
    results = study.run(out=tmp_path / "out", threads=2)
    states = set(results.frame()["state"])
    assert states == ({"diverged"} if name == "all_diverged" else {"done"})
    assert (tmp_path / "out" / "report.html") in report.write(tmp_path / "out")
    answer = report.answer(tmp_path / "out")
    assert answer
    json.dumps(answer, allow_nan=False)
