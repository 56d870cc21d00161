"""Notebooks become pages as they stand, with the outputs they hold: nothing is executed."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

FOLDER = "notebooks"


def joined(text: str | list[str]) -> str:
    """A notebook keeps a text whole or in lines."""
    return text if isinstance(text, str) else "".join(text)


def picture(kind: str, base64: str) -> str:
    """A picture inside the page."""
    return f'<img alt="what the cell draws" src="data:image/{kind};base64,{base64}">'


def shown(output: dict[str, Any]) -> str:
    """What a cell printed, drew or returned: the richest form that needs no script."""
    data = output.get("data", {})
    if "image/svg+xml" in data:
        return picture("svg+xml", b64encode(joined(data["image/svg+xml"]).encode()).decode())
    if "image/png" in data:
        return picture("png", "".join(joined(data["image/png"]).split()))
    if "text/html" in data:
        return f'<div class="output">{"".join(joined(data["text/html"]).splitlines())}</div>'
    text = joined(output.get("text") or data.get("text/plain") or output.get("traceback", ""))
    return f"```text\n{text.rstrip()}\n```"


def page(notebook: dict[str, Any]) -> str:
    """A notebook as Markdown."""
    parts = []
    for cell in notebook["cells"]:
        source = joined(cell["source"]).rstrip()
        parts.append(f"```python\n{source}\n```" if cell["cell_type"] == "code" else source)
        parts += [shown(output) for output in cell.get("outputs", [])]
    return "\n\n".join(parts) + "\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called with the site's files: each notebook is joined by its page, where it is downloaded from."""
    from mkdocs.structure.files import File  # the rest of this file is tested where MkDocs is not installed

    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        name = file.src_uri.rsplit("/", 1)[-1]
        text = page(json.loads(file.content_string)) + f"\n[This notebook as a file]({name}){{download}}\n"
        files.append(File.generated(config, file.src_uri.replace(".ipynb", ".md"), content=text))
    return files


def with_notebooks(nav: Any, names: list[str]) -> Any:
    """The navigation with the notebooks' pages behind the one that presents them."""
    if isinstance(nav, str):
        return nav
    first = f"{FOLDER}/index.md"
    pages = [f"{FOLDER}/{name}.md" for name in names]
    return [
        {title: with_notebooks(inner, names) for title, inner in item.items()} if isinstance(item, dict) else item
        for entry in nav
        for item in ([entry, *pages] if entry == first else [entry])
    ]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Called before the navigation is made."""
    names = sorted(path.stem for path in (Path(config.docs_dir) / FOLDER).glob("*.ipynb"))
    config.nav = with_notebooks(config.nav or [], names)
    return config
