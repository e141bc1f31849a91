"""HTML for notebooks: tables of facts, and figures embedded as images."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any


def facts_html(title: str, facts: Mapping[str, Any]) -> str:
    """Return a heading and a table with a row for each fact that is not None.

    Args:
        title: the heading.
        facts: values by name.
    """
    rows = [(name, str(value)) for name, value in facts.items() if value is not None]
    return table_html(title, [], rows)


def table_html(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a heading and a table; all text is escaped.

    Args:
        title: the heading.
        header: names of the columns; empty: no header.
        rows: the cells.
    """
    head = f"<thead>{_row(header, 'th')}</thead>" if header else ""
    body = "".join(_row(row, "td") for row in rows)
    return f"<div><strong>{escape(title)}</strong><table>{head}<tbody>{body}</tbody></table></div>"


def _row(cells: Sequence[str], tag: str) -> str:
    inner = "".join(f'<{tag} style="text-align: left">{escape(cell)}</{tag}>' for cell in cells)
    return f"<tr>{inner}</tr>"


def figure_html(figure: Any, alt: str) -> str:
    """Return a matplotlib figure as an embedded image.

    Args:
        figure: the figure.
        alt: text for readers who do not see the image.
    """
    return _image(png(figure), alt)


def file_html(path: Path, alt: str) -> str:
    """Return a PNG file as an embedded image.

    Args:
        path: the file.
        alt: text for readers who do not see the image.
    """
    return _image(path.read_bytes(), alt)


def _image(content: bytes, alt: str) -> str:
    text = base64.b64encode(content).decode("ascii")
    return f'<img alt="{escape(alt)}" style="max-width: 100%" src="data:image/png;base64,{text}">'


def png(figure: Any, dpi: int = 100) -> bytes:
    """Return a matplotlib figure as a PNG.

    Args:
        figure: the figure.
        dpi: pixels per inch.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi)
    return stream.getvalue()
