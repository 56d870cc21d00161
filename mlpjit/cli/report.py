"""`mlpjit report DIR`: figures, tables and the page, from the store alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    directory: Annotated[Path, typer.Argument(help="The folder of a study's results, or a bundle of them.")],
    out: Annotated[Path | None, typer.Option("--out", help="Of a bundle: the page to write [beside it].")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Figures as PDF too.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Draw again though nothing has changed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Draw the figures of a study and write report.html, one self-contained page; of a bundle the page alone."""
    from mlpjit.bundle.opening import is_bundle
    from mlpjit.cli.tables import dump
    from mlpjit.errors import ConfigError
    from mlpjit.report import write

    bundled = is_bundle(directory)
    if wrong := ("--out is for bundles" if out and not bundled else "--pdf is for folders" if pdf and bundled else ""):
        raise ConfigError(f"{wrong}: {directory} is {'one' if bundled else 'none'}")
    paths = [_page(directory, out)] if bundled else write(directory, pdf=pdf, force=force)
    print(dump([str(path) for path in paths]) if as_json else "\n".join(map(str, paths)))


def _page(bundle: Path, out: Path | None) -> Path:
    """Write the page of a bundle from its store, and return where it lies."""
    from mlpjit.bundle.opening import beside, opened
    from mlpjit.report import write

    with opened(bundle) as folder:
        return beside(bundle, write(folder)[0], out)
