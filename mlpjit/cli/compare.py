"""`mlpjit compare DIR`: which competitor is better, problem by problem and over problems, and how sure that is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mlpjit.comparison.compare import Compared, Comparison
    from mlpjit.statistics.verdict import Verdict

MOST = 12  # competitors, of more than that each with each is no table that anybody reads
ROWS, NOTES = 48, 4  # shown of many: rows and notes


def compare(
    directory: Annotated[Path, typer.Argument(help="The folder of a study's results, or a bundle.")],
    control: Annotated[str, typer.Option("--control", help="Compare all with this one [each with each].")] = "",
    by: Annotated[str, typer.Option("--by", help="Columns that compete, as activation or optimizer,depth.")] = "",
    metric: Annotated[str, typer.Option("--metric", help="The column that scores [test_score].")] = "",
    margin: Annotated[float | None, typer.Option("--margin", help="Smaller differences do not matter.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Each with each, however many compete.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare competitors on paired seeds: effect, 95 % interval, corrected p, verdict (docs/statistics.md)."""
    from mlpjit.bundle.opening import opened
    from mlpjit.cli.tables import dump
    from mlpjit.report.exported import compare_kept

    columns = [name for name in by.split(",") if name]
    with opened(directory) as folder:
        found = compare_kept(folder, control, columns, metric, margin, None if everything or as_json else MOST)
    short = not everything and len(found.reported.competitors) > MOST
    print(dump(_data(found)) if as_json else "\n\n".join(_shortened(found) if short else _parts(found)))


def _data(found: Comparison) -> dict[str, Any]:
    from mlpjit.comparison.tuning import remarks

    return {
        "by": found.reported.by,
        "stage": found.reported.stage,
        "metric": next(measure.name for measure in found.reported.measures.values()),
        "notes": [*found.notes, *remarks(found.tunings)],
        "comparisons": [pair.record() for pair in found.on_problems],
        "over_problems": [pair.record() for pair in found.over_problems],
        "tunings": [each.record() for each in found.tunings],
    }


def _parts(found: Comparison) -> list[str]:
    """The tables, one a problem and one over them, then what is to be known of them."""
    together = [*found.on_problems, *found.over_problems]
    alone = len({pair.control for pair in together}) == 1
    parts = []
    for (_, problem), some in itertools.groupby(together, lambda pair: (pair.sample, pair.problem)):
        pairs = list(some)
        parts.append(f"{problem}: {_measured(found, pairs)}\n{_table(pairs, alone)}")
    return [*parts, *_defaults(found), "\n".join(_notes(found, alone))]


def _shortened(found: Comparison) -> list[str]:
    """Many competitors against one, a row each: over problems where that is known, and on how many it is what."""
    from mlpjit.cli.tables import table
    from mlpjit.comparison.compare import leaders

    on: dict[str, list[Compared]] = {}
    for pair in found.on_problems:
        on.setdefault(pair.competitor, []).append(pair)
    over = {pair.competitor: pair for pair in found.over_problems}
    names = [name for name in leaders(found.reported) if name in on]
    single = len(found.reported.scores) == 1
    first = found.on_problems[0]
    told = over or {name: some[0] for name, some in on.items() if single}
    header = (f"against {first.control}", *(JUDGED if told else ()), *(() if single else ANSWERS))
    rows = [
        (name, *(_judged(told.get(name)) if told else ()), *(() if single else _counts(on[name])))
        for name in names[:ROWS]
    ]
    head = _headed(found, list(over.values()) or found.on_problems)
    return [f"{head}\n{table(header, rows)}", "\n".join(_short_notes(found, len(names), single))]


JUDGED = ("effect", "95 % interval", "Holm", "verdict")
ANSWERS = ("better", "worse", "equal", "open")


def _judged(pair: Compared | None) -> tuple[str, ...]:
    from mlpjit.cli.tables import number, p_value

    if pair is None:
        return ("-",) * len(JUDGED)
    one = pair.verdict
    ends = f"{number(one.low)} to {number(one.high)}"
    return number(one.estimate, "+"), ends, p_value(one.corrected_p), _answer(pair)


def _counts(pairs: Sequence[Compared]) -> tuple[str, ...]:
    """On how many problems it is better, worse, equal, and not known to be any."""
    answers = [pair.verdict.answer for pair in pairs]
    return tuple(str(answers.count(answer)) for answer in ("better", "worse", "equal", "undecided"))


def _headed(found: Comparison, pairs: Sequence[Compared]) -> str:
    from mlpjit.cli.tables import counted

    where = pairs[0].problem if pairs[0].sample == "problems" else counted(len(found.reported.scores), "problem")
    return f"{where}: {_measured(found, pairs)}"


def _short_notes(found: Comparison, competitors: int, single: bool) -> list[str]:
    """What is to be known of the short table, the first notes, and how to see the rest."""
    from mlpjit.cli.tables import counted

    told = [] if single else ["better, worse, equal, open: on how many problems that is known of it, and nothing is."]
    if found.leader:
        told.append(f"{found.leader} has the best mean rank over problems; the data chose it, so every pair counts.")
    told += _notes(found, True)
    named = [line for line in told if not line.startswith("Note: ")]
    notes = [f"{line[:157]}..." if len(line) > 160 else line for line in told if line.startswith("Note: ")]
    hidden = [counted(competitors - ROWS, "competitor")] if competitors > ROWS else []
    hidden += [counted(len(notes) - NOTES, "note")] if len(notes) > NOTES else []
    more = f"Not shown: {' and '.join(hidden)}. " if hidden else ""
    return [*named, *notes[:NOTES], f"{more}All of it, on each problem: --all, or --json; another control: --control."]


def _defaults(found: Comparison) -> list[str]:
    """The table of what tuning was worth; none where no default was run."""
    from mlpjit.cli.tables import number, table

    shown = [(each, each.gain) for each in found.tunings if each.gain is not None]
    if not shown:
        return []
    several = len({each.problem for each, _ in shown}) > 1
    rows = [
        (*((each.problem,) if several else ()), each.competitor, str(each.settings), number(each.default or 0.0),
         number(each.tuned), *_judgement(gain))
        for each, gain in shown
    ]  # fmt: skip
    header = ("competitor", "settings", "default", "tuned", "gain", "95 % interval", "w/t/l", "p", "Holm")
    head = f"tuned beside the untuned default, Holm over {len(shown)} such pairs"
    return [f"{head}\n{table(('problem', *header) if several else header, rows)}"]


def _measured(found: Comparison, pairs: Sequence[Compared]) -> str:
    """What the table is in, how many there are of what, and by which test."""
    sizes = sorted({pair.verdict.pairs for pair in pairs})
    many = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    if pairs[0].sample == "problems":
        name = next(iter(found.reported.measures.values())).name.replace("_", " ")
        return f"mean {name} in {pairs[0].verdict.unit}, Wilcoxon's signed ranks"
    noun = found.reported.units if many != "1" else found.reported.units[:-1]
    kind = noun if noun.startswith("rep") else ("fresh " if found.reported.stage == "final" else "tuning ") + noun
    return f"{found.reported.measures[pairs[0].problem].title}, {many} {kind}, sign-flip test"


def _table(pairs: Sequence[Compared], alone: bool) -> str:
    """The pairs' rows; the control's column only where there are several."""
    from mlpjit.cli.tables import table

    rival = (f"against {pairs[0].control}",) if alone else ("competitor", "control")
    header = (*rival, "effect", "95 % interval", "w/t/l", "p", "Holm", "verdict")
    return table(header, [_row(pair, alone) for pair in pairs], (len(rival),))


def _row(pair: Compared, alone: bool) -> tuple[str, ...]:
    names = (pair.competitor,) if alone else (pair.competitor, pair.control)
    return *names, *_judgement(pair.verdict), _answer(pair)


def _judgement(found: Verdict) -> tuple[str, ...]:
    from mlpjit.cli.tables import number, p_value

    tally = f"{found.tally.wins}/{found.tally.ties}/{found.tally.losses}"
    ends = f"{number(found.low)} to {number(found.high)}"
    return f"{number(found.estimate, '+')}", ends, tally, p_value(found.p), p_value(found.corrected_p)


def _answer(pair: Compared) -> str:
    """The verdict as short as a table needs it."""
    return f"not enough +{pair.verdict.more}" if "about" in pair.words else pair.words


def _notes(found: Comparison, alone: bool) -> list[str]:
    from mlpjit.comparison.tuning import remarks

    units = f"{found.reported.units} (or problems)"
    told = [f"Positive effects are in favour of the first; w/t/l: {units} it won, tied and lost."]
    told += [f"Holm over {pairs[0].verdict.family}." for pairs in (found.on_problems, found.over_problems) if pairs]
    if any(_answer(pair).startswith("not enough +") for pair in (*found.on_problems, *found.over_problems)):
        told.append(f"not enough +k: about k more {units} would decide, if the effect is what it seems.")
    return [*told, *(f"Note: {note}." for note in (*found.notes, *remarks(found.tunings)))]
