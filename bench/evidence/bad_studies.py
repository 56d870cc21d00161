"""Study files that say what cannot be."""

from __future__ import annotations

from collections.abc import Iterator

from bench.evidence.bad_case import Case, of_study

LONG = "x" * 300
COUNTS = ("depth", "width", "batch_size", "epochs", "evaluate_every", "seed", "split_seed", "init_seed", "order_seed")
NUMBERS = ("learning_rate", "l1", "l2", "weight_decay", "dropout", "timeout")
ENTRIES = (
    "dataset",
    "activation",
    "output_activation",
    "init",
    "normalization",
    "residual",
    "loss",
    "optimizer",
    "wrapper",
    "schedule",
    "momentum_schedule",
    "clip",
    "weight_decay_schedule",
)
OTHERS = ("shuffle", "dtype", "hidden")
VALUES = {
    "text": '"no-such"',
    "negative": "-1",
    "nan": "nan",
    "inf": "inf",
    "minus inf": "-inf",
    "date": "1979-05-27",
    "time": "07:32:00",
    "table": "{}",
    "own table": "{no = 1}",
    "huge": "1e400",
    "beyond": str(10**30),
    "list": "[]",
    "lists": "[[]]",
    "texts": '["no-such"]',
    "zero byte": '"\\u0000"',
    "true": "true",
}
# In the place of these keys some of those mean something.
FINE = {
    ("shuffle", "true"),
    ("timeout", "beyond"),
    ("hidden", "list"),
    *((key, "beyond") for key in ("l1", "l2", "weight_decay", "learning_rate")),
}


def keys() -> Iterator[Case]:
    """Every key of a run with every kind of wrong value."""
    for key in (*COUNTS, *NUMBERS, *ENTRIES, *OTHERS):
        for kind, value in VALUES.items():
            yield of_study(f"{key}: {kind}", f"{key} = {value}\n", key, valid=(key, kind) in FINE)


TABLES = {
    "sweep": ("learning_rate", "seed", "optimizer", "hidden"),
    "final": ("per", "seeds"),
    "tuning": ("repeats", "default", "race"),
    "timing": ("repeats", "width"),
}


def tables() -> Iterator[Case]:
    """The keys of the other tables with wrong values, and wrong things in the place of a table."""
    values = {name: VALUES[name] for name in ("text", "negative", "nan", "date", "table", "texts", "beyond")}
    for table, known in TABLES.items():
        for key in known:
            for kind, value in values.items():
                yield of_study(f"[{table}] {key}: {kind}", f"[{table}]\n{key} = {value}\n", key)
        for kind in ("text", "negative", "texts", "date", "true"):
            yield of_study(f"{table}: {kind}", f"{table} = {VALUES[kind]}\n", table)
        yield of_study(f"[{table}]: unknown key", f"[{table}]\n{known[0]}x = 1\n", f"{known[0]}x")
    for key in ("name", "title", "question", "suite", "draws"):
        for kind in ("negative", "list", "date", "table"):
            yield of_study(f"{key}: {kind}", f"{key} = {VALUES[kind]}\n", key)


UNKNOWN = {
    "learning_rates": "learning_rate",
    "Epochs": "epochs",
    "optimiser": "optimizer",
    "batchsize": "batch_size",
    "seeds": "seed",
    "lr": "",
    "sweeps": "sweep",
    "finals": "final",
    "": "",
    LONG: "",
    "a.b": "",
    "dataset.nam": "name",
    "\\u0000": "",
    "<script>alert(1)</script>": "",
}
NEAR = {
    "optimizer": "adm",
    "activation": "reul",
    "init": "he_norml",
    "loss": "cross_entrop",
    "dataset": "digit",
    "schedule": "cosin",
    "clip": "globl_norm",
    "normalization": "bath",
    "suite": "smal",
}


def names() -> Iterator[Case]:
    """Keys and names that are unknown."""
    for key, near in UNKNOWN.items():
        told = (near,) if near else ()
        yield of_study(f"unknown key {key[:30]!r}", f'"{key}" = 1\n' if "." not in key else f"{key} = 1\n", *told)
    for key, value in NEAR.items():
        yield of_study(f"near {key}", f'{key} = "{value}"\n', key, value)
    for name in ("../../x", "/etc/x", "..", ".", "", "a/b", "a\\\\b", LONG, "\\n", "-rf", "caf\\u00e9\\u0000"):
        yield of_study(f"name {name[:20]!r}", f'name = "{name}"\n', "name")


AXES = "\n".join(f"{key} = {list(range(1, 101))}" for key in ("seed", "split_seed", "init_seed", "order_seed", "width"))
SIZES = {
    "brackets": ("a = " + "[" * 100_000, ""),
    "braces": ("a = " + "{a=" * 5_000, ""),
    "tables": ("[" + "a." * 20_000 + "a]", ""),
    "key of parts": (".".join(["a"] * 20_000) + " = 1", ""),
    "digits": (f"width = {'9' * 5000}", "line 1"),
    "digits in a list": (f"[sweep]\nseed = [{'9' * 5000}]", "line 2"),
    "digits in a float": (f"learning_rate = 0.{'0' * 5000}1", "learning_rate"),
    "float of digits": (f"learning_rate = 1{'0' * 5000}.0", "learning_rate"),
    "hexadecimal": (f"seed = 0x{'f' * 5000}", "seed"),
    "binary": (f"seed = 0b{'1' * 300}", "seed"),
    "width 1e19": ("width = 1e19", "width"),
    "width 10^19": (f"width = {10**19}", "width"),
    "width beyond memory": ("hidden = [10000000, 10000000]", "GB"),
    "depth": ("depth = 100000", "depth"),
    "depth 10^18": (f"depth = {10**18}", "depth"),
    "hidden": (f"hidden = {[1] * 100_000}", "hidden"),
    "epochs": (f"epochs = {10**15}", "epochs"),
    "steps": ("batch_size = 1\nepochs = 1000000000000", "epochs"),
    "10^10 runs": (f"[sweep]\n{AXES}", "10,000,000,000 runs"),
    "timings": (f"[timing]\nrepeats = {10**12}", "repeats"),
    "tuning": (f"[tuning]\nrepeats = {10**12}\n[final]\nseeds = [9]", "repeats"),
    "settings": ("optimizer = {name = 'adam', b1 = %s, b2 = %s, eps = %s}" % ((list(range(99)),) * 3), "optimizer"),
    "draws": ("draws = 1000000000\n[sweep]\nlearning_rate = {log = [1e-4, 1e-1]}", "draws"),
    "a long text": (f'title = "{"t" * 10**7}"\nepochs = -1', "epochs"),
    "a long name": (f'optimizer = "{"o" * 10**6}"', "optimizer"),
    "a long key": (f"{'k' * 10**6} = 1", "unknown key"),
    "many keys": ("\n".join(f"k{number} = 1" for number in range(20_000)), "unknown key"),
    "many mistakes": (f"[sweep]\nlearning_rate = {[-1] * 20_000}", "learning_rate"),
    "many blocks": ("[[sweep]]\nlearning_rate = -1\n" * 5_000, "learning_rate"),
}


def sizes() -> Iterator[Case]:
    """Numbers, depths and lengths that no machine bears."""
    for name, (text, named) in SIZES.items():
        yield of_study(name, text, *([named] if named else []))


TEXTS: dict[str, tuple[str | bytes, str]] = {
    "empty list": ("[sweep]\nlearning_rate = []", "learning_rate"),
    "list at the top": ("learning_rate = [1, 2]", "[sweep]"),
    "optimizers at the top": ("optimizer = ['sgd', 'adam']", "[sweep]"),
    "seeds at the top": ("seed = [0, 1]", "[sweep]"),
    "twice": ("epochs = 1\nepochs = 2\n", "line 2"),
    "table twice": ("[sweep]\n[sweep]", "line 2"),
    "table and list": ("[sweep]\n[[sweep]]", "line 2"),
    "zero byte": ("epochs = 1\0", "line 1"),
    "zero bytes": (b"\0" * 1000, "line 1"),
    "binary": (bytes(range(256)) * 9, "UTF-8"),
    "latin": ("a = 'é'".encode("latin-1"), "UTF-8"),
    "UTF-16": ("epochs = 1".encode("utf-16"), "UTF-8"),
    "UTF-32": ("epochs = 1".encode("utf-32"), ""),
    "JSON": ('{"epochs": 1}', "line 1"),
    "YAML": ("epochs: 1\n", "line 1"),
    "INI": ("[sweep]\nepochs\n", "line 2"),
    "Python": ("import os; os._exit(0)", "line 1"),
    "HTML": ("<html>", "line 1"),
    "no end": ("a = '''", ""),
    "no value": ("epochs =", "end of document"),
    "half a table": ("[sweep\n", "line 1"),
    "escape": ('a = "\\x"', "line 1"),
    "surrogate": ('a = "\\ud800"', "line 1"),
    "carriage return": ("epochs = 1\repochs = 2", "not valid TOML"),
    "two seeds": ("[sweep]\nseed = [1, 1]", "seed"),
    "hidden and depth": ("hidden = [8]\ndepth = 2", "hidden"),
    "final seed": ("seed = 3\n[final]\nseeds = [3]", "seeds"),
    "final without seeds": ("[final]", "seeds"),
    "final per": ("[final]\nper = 'optimizr'\nseeds = [9]", "per"),
    "tuning alone": ("[tuning]\nrepeats = 2", "[final]"),
    "blocks of numbers": ("sweep = [1, 2]", "sweep"),
    "an empty sweep": ("sweep = []", "sweep"),
    "range backwards": ("draws = 2\n[sweep]\nlearning_rate = {log = [1, 0.1]}", "learning_rate"),
    "range of texts": ("draws = 2\n[sweep]\nlearning_rate = {log = ['a', 'b']}", "learning_rate"),
    "range of nan": ("draws = 2\n[sweep]\nlearning_rate = {log = [nan, 1.0]}", "learning_rate"),
    "range of inf": ("draws = 2\n[sweep]\nlearning_rate = {linear = [0.0, inf]}", "learning_rate"),
    "range of three": ("draws = 2\n[sweep]\nlearning_rate = {log = [0.1, 0.2, 0.3]}", "learning_rate"),
    "no draws": ("[sweep]\nlearning_rate = {log = [0.1, 1.0]}", "draws"),
    "suite and dataset": ("suite = 'small'\ndataset = 'digits'", "suite"),
    "parameter": ("optimizer = {name = 'adam', b1 = 2.0}", "b1"),
    "parameter text": ("optimizer = {name = 'adam', b1 = 'x'}", "b1"),
    "parameter near": ("optimizer = {name = 'adam', b11 = 0.5}", "b1"),
    "parameter date": ("optimizer = {name = 'adam', b1 = 1979-05-27}", "b1"),
    "parameter table": ("optimizer = {name = 'adam', b1 = {}}", "b1"),
    "name is a list": ("optimizer = {name = ['adam']}", "optimizer"),
    "space": ("optimizer = {name = 'adam', space = 'no'}", "space"),
    "space of dates": ("optimizer = {name = 'adam', space = 1979-05-27}", "optimizer"),
    "dataset parameter": ("dataset = {name = 'spirals', samples = 1e9}", "samples"),
    "dataset samples": (f"dataset = {{name = 'spirals', samples = {10**12}}}", "samples"),
    "dataset inputs": (f"dataset = {{name = 'linear_regression', inputs = {10**9}}}", "inputs"),
    "dataset noise": ("dataset = {name = 'spirals', noise = nan}", "noise"),
    "label noise": ("dataset = {name = 'digits', label_noise = -1.0}", "label_noise"),
    "imbalance": ("dataset = {name = 'digits', imbalance = inf}", "imbalance"),
    "scaling": ("dataset = {name = 'x.csv', scaling = nan}", "scaling"),
    "task": ("dataset = {name = 'x.csv', task = 'x'}", "task"),
    "wrong loss": ("dataset = 'diabetes'\nloss = 'cross_entropy'", "loss"),
    "activations": ("hidden = [8, 8]\nactivation = ['relu']", "[sweep]"),
    "race": ("[tuning]\nrace = 1", "race"),
}
VALID = {
    "a byte order mark": b"\xef\xbb\xbfepochs = 1",
    "CRLF": "epochs = 1\r\nseed = 3\r\n",
    "empty": "",
    "a comment": "# nothing",
    "a long title": f'title = "{"t" * 10**6}"',
    "letters": 'name = "caf\\u00e9"',
    "no depth": "depth = 0",
}


def texts() -> Iterator[Case]:
    """Whole files that are wrong in one place, and some that look it."""
    for name, (text, named) in TEXTS.items():
        yield of_study(name, text, *([named] if named else []))
    for name, text in VALID.items():
        yield of_study(name, text, valid=True)


CATEGORIES = {"keys": keys, "tables": tables, "names": names, "sizes": sizes, "texts": texts}
