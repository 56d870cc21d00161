"""The page in a browser: axe-core finds nothing, and nothing is wider than the window.

Needs chromium and axe-core: `npm install axe-core`, then `AXE_CORE=node_modules/axe-core/axe.min.js pytest -m browser`.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import PAGES

from mlpjit.report import page

pytestmark = pytest.mark.browser
SCHEMES = {"dark": 0, "light": 1}  # as Blink numbers them
PROBE = """
window.addEventListener("load", async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  const root = document.documentElement;
  const marks = document.querySelectorAll("[data-told]").length;
  const told = found.violations.map((one) => [one.id, one.help, one.nodes.slice(0, 3).map((node) => node.html)]);
  const width = [root.scrollWidth, root.clientWidth], dark = matchMedia("(prefers-color-scheme: dark)").matches;
  parent.document.getElementById("probe").textContent = JSON.stringify({ told, width, dark, marks });
});
"""


@pytest.fixture(scope="module", params=["quick", "pathologies", "two_datasets", "hopeless", "crowd", "suite"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp(request.param)
    page.write(PAGES[request.param](), directory)
    return (directory / "report.html").read_text(encoding="utf-8")


def probe(text: str, folder: Path, width: int, scheme: str) -> dict[str, Any]:
    """Open the page with axe-core beside its own script and return what it found."""
    axe = Path(os.environ["AXE_CORE"]).read_text(encoding="utf-8")
    path = folder / "page.html"
    probed = text.replace("</body>", f"<script>{axe}</script><script>{PROBE}</script></body>")
    # In a frame, as a window without a head is 500 pixels wide at least.
    frame = f'<iframe style="border: 0; width: {width}px; height: 900px" srcdoc="{html.escape(probed)}"></iframe>'
    path.write_text(f'<meta charset="utf-8">{frame}<pre id="probe"></pre>', encoding="utf-8")
    command = [
        shutil.which("chromium") or "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--window-size=1400,1000", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        "--virtual-time-budget=60000", "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=180).stdout
    (found,) = re.findall(r'<pre id="probe">(.*?)</pre>', shown, re.S)
    return dict(json.loads(html.unescape(found)))


@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing(written: str, tmp_path: Path, width: int, scheme: str) -> None:
    found = probe(written, tmp_path, width, scheme)
    assert found["told"] == []
    assert found["width"][0] <= found["width"][1] == width
    assert found["dark"] == (scheme == "dark")
    assert found["marks"] > 0


def test_axe_would_find_something(written: str, tmp_path: Path) -> None:
    pale = written.replace("--soft: #54595f", "--soft: #aab2b9").replace('<html lang="en">', "<html>")
    assert {"color-contrast", "html-has-lang"} <= {one[0] for one in probe(pale, tmp_path, 1200, "light")["told"]}
