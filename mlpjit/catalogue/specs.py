"""Specs: a registered record chosen by name, with its parameters: "adam" or {name = "adam", b1 = 0.95}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlpjit.bounds import Limits, is_finite, nonzero_divisor
from mlpjit.errors import ConfigError
from mlpjit.registry import Registry, suggestion

if TYPE_CHECKING:
    from mlpjit.kernels.entries import Stage


class Spec(dict[str, Any]):
    """A canonical spec: `name` first, then every parameter, defaults filled in, keys sorted. Do not change it."""

    @property
    def name(self) -> str:
        """The registered name."""
        return str(self["name"])

    @property
    def params(self) -> dict[str, Any]:
        """Everything but the name."""
        return {key: value for key, value in self.items() if key != "name"}

    def __hash__(self) -> int:  # type: ignore[override]
        found: int | None = self.__dict__.get("_hash")
        if found is None:
            found = self.__dict__["_hash"] = hash(tuple(self.items()))
        return found

    def __reduce__(self) -> tuple[type[Spec], tuple[dict[str, Any]]]:
        """Another process hashes texts in another way."""
        return Spec, (dict(self),)


NEEDED = {
    bool: "true or false", int: "a whole number", float: "a finite number", str: "a text", tuple: "a list of numbers",
}  # fmt: skip


def samples_labels(record: Stage | None, hyperparameters: Mapping[str, Any]) -> bool:
    """Say whether a stage asks for labels drawn from the prediction."""
    return record is not None and bool(record.samples) and bool(hyperparameters[record.samples])


def asks_curvature(record: Stage | None, hyperparameters: Mapping[str, Any]) -> bool:
    """Say whether a stage asks for Hessian-vector products: not where it takes drawn labels in their place."""
    return record is not None and record.curvature and not samples_labels(record, hyperparameters)


def registry(kind: str) -> Registry[Any]:
    """Return the registry of a kind, such as "optimizers"; imports no Numba."""
    if kind == "datasets":
        from mlpjit.catalogue.datasets import datasets

        return datasets
    from mlpjit.catalogue.registries import REGISTRIES

    return REGISTRIES[kind]


def plain(value: Any) -> Any:
    """Return NumPy scalars as Python numbers and tuples as lists; leave the rest."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if type(value).__module__ == "numpy":
        return plain(value.tolist())
    return value


def parse_name(kind: str, value: Any) -> str:
    """Return a registered name; ConfigError with the nearest one for any other value."""
    if not isinstance(value, str):
        raise ConfigError(f"got {value!r}, need a name ({_names(registry(kind))})")
    registry(kind)[value]
    return value


def parse_spec(kind: str, value: Any) -> Spec:
    """Return the canonical spec for a name or a table; ConfigError holds all its mistakes."""
    given = _table(kind, value)
    record = registry(kind)[given.pop("name")]
    limits, divisors = getattr(record, "limits", {}), getattr(record, "divisors", ())
    values = checked_parameters(record.name, record.defaults, given, limits, divisors)
    return Spec({"name": record.name, **{key: values[key] for key in sorted(values)}})


def parse_activation(value: Any) -> str:
    """Return the label of an activation, from a name or a table: "celu", `celu(alpha=2.0)`; ConfigError otherwise."""
    return label("activations", parse_spec("activations", value))


def parse_dataset(value: Any) -> Spec:
    """Return the canonical spec of a dataset: a registered one, or a file that ends in .npz or .csv."""
    from mlpjit.catalogue.datasets import canonical

    return Spec(canonical(_table("datasets", value)))


def label(kind: str, spec: Mapping[str, Any] | None) -> str:
    """Return the name, followed by the parameters that are not the defaults: `adam(b1=0.95)`."""
    if spec is None:
        return "none"
    defaults: Mapping[str, Any] = {}
    if spec["name"] in registry(kind):
        defaults = registry(kind)[spec["name"]].defaults
    params = [f"{k}={v}" for k, v in spec.items() if k != "name" and v is not None and defaults.get(k) != v]
    return f"{spec['name']}({', '.join(params)})" if params else str(spec["name"])


def _table(kind: str, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, Mapping):
        raise ConfigError(f"got {value!r}, need a name ({_names(registry(kind))}) or a table with a name")
    if not isinstance(value.get("name"), str):
        raise ConfigError(f"got {dict(value)!r}, need a table with a name ({_names(registry(kind))})")
    return dict(value)


def checked_parameters(
    name: str, defaults: Mapping[str, Any], given: Mapping[str, Any], limits: Mapping[str, Limits],
    divisors: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Return the defaults of a record in their order with what is given put in; ConfigError holds all mistakes."""
    problems = [f"unknown key {key!r} of {name!r}{_suggested(key, defaults)}" for key in given.keys() - defaults]
    values = dict(defaults)
    for key in given.keys() & defaults.keys():
        try:
            values[key] = _within(key, plain(given[key]), defaults[key], limits.get(key))
        except ConfigError as error:
            problems += error.problems
    if not problems and (small := nonzero_divisor(values, divisors)):
        problems = [small]
    if problems:
        raise ConfigError(sorted(problems))
    return values


def _suggested(key: str, allowed: Iterable[str]) -> str:
    return suggestion(key, allowed) if list(allowed) else " (it has no parameters)"


def _within(key: str, value: Any, default: Any, limits: Limits | None) -> Any:
    """Return `value` as the default's type, within its limits; a name that the limits allow stands for a number."""
    if limits is None or (isinstance(value, str) and value in limits.names):
        return value if limits else _converted(key, value, default)
    if limits.takes_numbers and not (limits.names and isinstance(value, str)):
        value = _converted(key, value, 0.0 if isinstance(default, str) else default)
        if limits.holds(value):
            return value
    raise ConfigError(f"{key}: got {plain(value)!r}, need {limits.needed}")


def _converted(key: str, value: Any, default: Any) -> Any:
    """Return `value` as the default's type; whole numbers pass for floats, nothing else is converted."""
    if default is None and (value is None or isinstance(value, str | int | float)):
        return value
    if isinstance(default, float) and isinstance(value, int | float) and not isinstance(value, bool):
        if is_finite(value):
            return float(value) + 0.0  # -0.0 is 0.0: specs that are equal must be the same
        raise ConfigError(f"{key}: got {value!r}, need a finite number")
    if isinstance(default, tuple) and isinstance(value, list) and value:
        return tuple(_converted(key, item, default[0]) for item in value)
    if type(value) is type(default) and not isinstance(default, list | tuple):
        return value
    raise ConfigError(f"{key}: got {value!r}, need {NEEDED.get(type(default), repr(default))}")


def _names(records: Registry[Any]) -> str:
    return ", ".join(records)
