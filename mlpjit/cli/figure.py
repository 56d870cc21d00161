"""`mlpjit figure NAME DIR`: one figure for a paper, with its data and its caption beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def figure(
    name: Annotated[str, typer.Argument(help="A figure: `mlpjit list figures` names them.")],
    directory: Annotated[Path, typer.Argument(help="The folder of a study's results.")],
    width: Annotated[str, typer.Option("--width", help="How wide: 3.3in, 84mm, 240pt.")] = "3.3in",
    format: Annotated[str, typer.Option("--format", help="pdf, svg or png.")] = "pdf",
    only: Annotated[str, typer.Option("--only", help="Competitors to draw, as adam,sgd [all].")] = "",
    font_size: Annotated[float, typer.Option("--font-size", help="Text in points.")] = 8.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Draw one figure as wide as a paper's column; its data and its caption are written beside it, in DIR/paper."""
    from mlpjit.cli.tables import dump
    from mlpjit.report.paper import write_figure

    chosen = [each for each in only.split(",") if each]
    paths = [str(path) for path in write_figure(directory, name, width, format, chosen, font_size)]
    print(dump(paths) if as_json else "\n".join(paths))
