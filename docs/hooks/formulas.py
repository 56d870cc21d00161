"""Formulas become MathML while the site is built: a browser draws them without a script."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)

BOLD = re.compile(r'<mi mathvariant="bold-italic">&#x0*(3[BC][0-9A-F]);</mi>')
BOLD_ALPHA, ALPHA = 0x1D736, 0x3B1


def bold(found: re.Match[str]) -> str:
    """A bold Greek letter as a character of its own: browsers no longer heed `mathvariant`."""
    return f"<mi>{chr(int(found[1], 16) - ALPHA + BOLD_ALPHA)}</mi>"


def drawn(found: re.Match[str]) -> str:
    """A formula in LaTeX as MathML, on lines of its own where it stood so."""
    tag, opening, latex = found.groups()
    display = "block" if opening == "[" else "inline"
    formula = BOLD.sub(bold, convert(html.unescape(latex).strip(), display=display))
    return f'<{tag} class="formula">{formula}</{tag}>'


def on_page_content(content: str, **_: Any) -> str:
    """Called with each page's HTML."""
    return FORMULA.sub(drawn, content)
