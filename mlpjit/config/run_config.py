"""RunConfig: everything that decides one training run, validated, with all mistakes reported at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError

from mlpjit.catalogue.specs import Spec, parse_activation, parse_dataset, parse_name, parse_spec, plain
from mlpjit.config import fields, identity
from mlpjit.config.combinations import broken_rules
from mlpjit.config.explained import explain
from mlpjit.config.memory import check_there
from mlpjit.config.setting import setting_of
from mlpjit.errors import ConfigError, shown

if TYPE_CHECKING:
    from mlpjit.catalogue.datasets import DatasetInfo


class _Mistakes(ValueError):
    """Carries mlpjit's own problem lines through pydantic."""

    def __init__(self, error: ConfigError) -> None:
        self.problems = error.problems


def _checked(parse: Callable[[Any], Any]) -> PlainValidator:
    def validate(value: Any) -> Any:
        try:
            return parse(value)
        except ConfigError as error:
            raise _Mistakes(error) from error

    return PlainValidator(validate)


def _dataset(value: Any) -> Spec:
    return parse_dataset(check_there(value))


def _activations(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, list | tuple):
        return tuple(parse_activation(name) for name in value)
    return parse_activation(value)


def _output_activation(value: Any) -> str:
    return "softmax" if value == "softmax" else parse_activation(value)


def _spec(kind: str) -> PlainValidator:
    return _checked(lambda value: parse_spec(kind, value))


def _name(kind: str) -> PlainValidator:
    return _checked(lambda value: parse_name(kind, value))


def _optional(validator: PlainValidator) -> PlainValidator:
    """Nothing is None, and "none" for TOML, which has no null."""
    return PlainValidator(lambda value: None if value in (None, "none") else validator.func(value))  # type: ignore[call-arg]


def _schedule() -> PlainValidator:
    """No schedule is the constant one."""
    return _checked(lambda value: parse_spec("schedules", "constant" if value in (None, "none") else value))


def _none(value: Any) -> Any:
    return None if isinstance(value, str) and value == "none" else value


def _as_tuple(value: Any) -> Any:
    return tuple(plain(value)) if isinstance(value, list | tuple) or hasattr(value, "tolist") else value


Plain = BeforeValidator(plain)
Count = Annotated[int, Field(ge=1, lt=2**63), Plain]  # kernels and stores count in 64 bits
Whole = Annotated[int, Field(ge=0, lt=2**63), Plain]
MOST_LAYERS, MOST_UNITS = 10_000, 10_000_000
Layers = Annotated[int, Field(ge=0, le=MOST_LAYERS), Plain]
Units = Annotated[int, Field(ge=1, le=MOST_UNITS), Plain]
Seed = Annotated[int, Field(ge=0, lt=2**63), Plain]
OptionalSeed = Annotated[Seed | None, BeforeValidator(_none)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), Plain]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), Plain]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), Plain]
COUNT = "a whole number from 1 up to 2^63 - 1"
LAYERS, UNITS = f"a whole number from 0 up to {MOST_LAYERS:,}", f"a whole number from 1 up to {MOST_UNITS:,}"
WHOLE = SEED = "a whole number from 0 up to 2^63 - 1"
SEED_OR_NONE = f"{SEED}, or nothing to use `seed`"
POSITIVE, NOT_NEGATIVE = "a positive number", "a number from 0 up"
SHARE = "a number from 0 up and below 1"
TIMEOUT = "a positive number of seconds, or nothing for no limit"
NOTHING_ELSE = (("pydantic_extra", None), ("pydantic_private", None))
STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, arbitrary_types_allowed=True)


def _field(default: Any, needed: str = "") -> Any:
    """A field; `needed` completes the sentence `got 'fast', need ...`."""
    return Field(default, description=needed)


class RunConfig(BaseModel):
    """One training run. Instead of `hidden`, `depth` and `width` may be given. Frozen; equal configs are equal runs.

    Any schedule may also act on the decoupled weight decay (`weight_decay_schedule`) and on the optimizer's `momentum`,
    or b1 where that is its name (`momentum_schedule`): factors of what the optimizer is given, below 1 in all.
    Raises ConfigError with every mistake found: unknown keys, wrong types, unknown names (with the nearest known
    one), impossible combinations.
    """

    model_config = STRICT

    dataset: Annotated[Spec, _checked(_dataset)] = _field("digits")
    hidden: Annotated[tuple[Units, ...], Field(max_length=MOST_LAYERS), BeforeValidator(_as_tuple)] = _field(
        (64,), f"a list of widths, as [64, 64], each up to {MOST_UNITS:,}, at most {MOST_LAYERS:,} of them"
    )
    activation: Annotated[str | tuple[str, ...], _checked(_activations)] = _field("relu")
    output_activation: Annotated[str, _checked(_output_activation)] = _field("identity")
    init: Annotated[Spec, _spec("initializers")] = _field("he_normal")
    normalization: Annotated[str, _name("normalizations")] = _field("none")
    residual: Annotated[str, _name("residuals")] = _field("none")
    dropout: Share = _field(0.0, SHARE)
    loss: Annotated[Spec | None, _optional(_spec("losses"))] = _field(None)
    optimizer: Annotated[Spec, _spec("optimizers")] = _field("adam")
    wrapper: Annotated[Spec | None, _optional(_spec("wrappers"))] = _field(None)
    learning_rate: Positive = _field(1e-2, POSITIVE)
    schedule: Annotated[Spec, _schedule()] = _field("constant")
    momentum_schedule: Annotated[Spec, _schedule()] = _field("constant")
    clip: Annotated[Spec | None, _optional(_spec("clippings"))] = _field(None)
    l1: NotNegative = _field(0.0, NOT_NEGATIVE)
    l2: NotNegative = _field(0.0, NOT_NEGATIVE)
    weight_decay: NotNegative = _field(0.0, NOT_NEGATIVE)
    weight_decay_schedule: Annotated[Spec, _schedule()] = _field("constant")
    batch_size: Count | Literal["full"] = _field(64, f"{COUNT}, or 'full'")
    epochs: Whole = _field(10, WHOLE)
    evaluate_every: Count = _field(1, COUNT)
    shuffle: bool = _field(True, "true or false")
    dtype: Literal["float32", "float64"] = _field("float32", "'float32' or 'float64'")
    seed: Seed = _field(0, SEED)
    split_seed: OptionalSeed = _field(None, SEED_OR_NONE)
    init_seed: OptionalSeed = _field(None, SEED_OR_NONE)
    order_seed: OptionalSeed = _field(None, SEED_OR_NONE)
    timeout: Annotated[Positive | None, BeforeValidator(_none)] = _field(None, TIMEOUT)

    def __init__(self, **values: Any) -> None:
        found = problems(values) if values.keys() & {"depth", "width"} else []
        if found:
            raise ConfigError(found)
        try:
            super().__init__(**_folded(values))
        except ValidationError:
            raise ConfigError(problems(values)) from None
        self._resolve_seeds()
        if found := broken_rules(self.__dict__):
            raise ConfigError(found)

    @classmethod
    def trusted(cls, values: Mapping[str, Any], data: DatasetInfo | None = None) -> RunConfig:
        """Return a config from complete values that a study has checked, and what it knew then of the dataset."""
        given = {name: values[name] for name in UNSHAPED}
        given["hidden"] = fields.hidden(values)
        config = cls.__new__(cls)
        # What `model_construct` does besides looks at every field again, a hundred thousand times in a study.
        for name, value in (("dict", given), ("pydantic_fields_set", set(given)), *NOTHING_ELSE):
            object.__setattr__(config, f"__{name}__", value)
        config._resolve_seeds()
        if data is not None:
            config.__dict__["data"] = data
        return config

    def _resolve_seeds(self) -> None:
        """Let the seeds that are not given follow `seed`, here and in a copy with another one."""
        for name in fields.SEED_FIELDS:
            if self.__dict__[name] is None:
                self.__dict__[name] = self.seed
                self.__pydantic_fields_set__.discard(name)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a config with some fields changed, checked like a new one and with an id of its own.

        Depth or width alone keeps the other. Raises ConfigError with every mistake. `deep` changes nothing: a config
        is frozen.
        """
        given = {name: self.__dict__[name] for name in self.model_fields_set}
        changed = dict(update or {})
        if changed.keys() & {"depth", "width"} and "hidden" not in changed:
            given.pop("hidden", None)
            changed = {"depth": self.depth, "width": self.width or DEFAULT_WIDTH, **changed}
        return type(self)(**{**given, **changed})

    @property
    def depth(self) -> int:
        """The number of hidden layers."""
        return len(self.hidden)

    @property
    def width(self) -> int | None:
        """The common width of the hidden layers, None where they differ or there are none."""
        width: int | None = self.factors()["width"]
        return width

    def canonical(self) -> dict[str, Any]:
        """Return everything that decides the run's numbers, resolved and JSON-able."""
        return setting_of(self.__dict__).canonical(self.__dict__)

    def factors(self) -> dict[str, Any]:
        """Return the flat columns that describe the run in tables."""
        return setting_of(self.__dict__).factors(self.__dict__)

    @cached_property
    def data(self) -> DatasetInfo:
        """The dataset's sizes and hash as they are planned with: a run whose file changes afterwards fails."""
        return fields.dataset_info(self.dataset)

    @cached_property
    def run_id(self) -> str:
        """The hash of canonical form, data and kernel sources: 16 hexadecimal digits."""
        assert self.data  # looked at once, so that the id and the run are of the same data
        return identity.run_id(self.__dict__)


explain(RunConfig, {name: field.default for name, field in RunConfig.model_fields.items()})
SHAPE_ADAPTERS: dict[str, tuple[Any, str]] = {"depth": (Layers, LAYERS), "width": (Units, UNITS)}
UNSHAPED = tuple(name for name in RunConfig.model_fields if name not in fields.SHAPE_FIELDS)
FIELDS = (*RunConfig.model_fields, *SHAPE_ADAPTERS)
DEFAULT_DEPTH, DEFAULT_WIDTH = 1, 64


def _folded(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with depth and width replaced by `hidden`."""
    if not values.keys() & {"depth", "width"}:
        return values
    rest = {name: value for name, value in values.items() if name not in ("depth", "width")}
    depth, width = plain(values.get("depth", DEFAULT_DEPTH)), plain(values.get("width", DEFAULT_WIDTH))
    return {**rest, "hidden": (width,) * depth}


@cache
def _adapter(name: str) -> tuple[TypeAdapter[Any], str]:
    if name in SHAPE_ADAPTERS:
        annotation, needed = SHAPE_ADAPTERS[name]
        return TypeAdapter(annotation, config=ConfigDict(strict=True)), needed
    info = RunConfig.model_fields[name]
    annotation = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    return TypeAdapter(annotation, config=ConfigDict(strict=True)), info.description or ""


def check_value(name: str, value: Any) -> Any:
    """Return the validated value of one field; ConfigError holds its problems, without the field's name."""
    adapter, needed = _adapter(name)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raised = [e.get("ctx", {}).get("error") for e in error.errors()]
        own = [line for each in raised if isinstance(each, _Mistakes) for line in each.problems]
        own = [line.replace(repr(value), shown(value)) for line in own]
        raise ConfigError(own or [f"got {shown(plain(value))}, need {needed}"]) from None


@cache
def default_value(name: str) -> Any:
    """Return the validated default of one field."""
    return check_value(name, RunConfig.model_fields[name].default)


def key_problems(names: Any) -> list[str]:
    """Return a line for every unknown key, and one where `hidden` and depth or width are given together."""
    found = [f"unknown key {name!r}{fields.meant(str(name), FIELDS)}" for name in names if name not in FIELDS]
    if "hidden" in names and {"depth", "width"} & set(names):
        found.append("hidden: give either hidden or depth and width, not both")
    return found


def problems(values: Mapping[str, Any]) -> list[str]:
    """Return every problem of a config in one line each; an empty list means that it can run."""
    found, checked = key_problems(values), {}
    for name in FIELDS:
        try:
            if name in values:
                checked[name] = check_value(name, values[name])
            elif name in RunConfig.model_fields and name != "hidden":
                checked[name] = default_value(name)
        except ConfigError as error:
            found += [f"{name}: {line}" for line in error.problems]
    return found + broken_rules(_with_shape(checked, values))


def _with_shape(checked: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Complete depth and width, or take the default `hidden`, as far as what was given is valid."""
    if not given.keys() & set(fields.SHAPE_FIELDS):
        return {**checked, "hidden": default_value("hidden")}
    if "hidden" in given or {"depth", "width"} & given.keys() - checked.keys():
        return checked
    return {"depth": DEFAULT_DEPTH, "width": DEFAULT_WIDTH, **checked}
