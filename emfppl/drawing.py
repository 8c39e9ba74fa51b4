"""A program drawn: DOT and Mermaid text always, SVG where Graphviz is installed."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from emfppl.compiler.graph import Graph
from emfppl.compiler.graph_to_dot import to_dot, to_mermaid
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.arguments import wrong

ENDINGS = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".md": "mermaid"}


@dataclass(frozen=True)
class Drawing:
    """The drawing of a graph. Shows itself in a notebook; `print` gives Mermaid text, which many pages
    render."""

    graph: Graph

    @property
    def dot(self) -> str:
        """DOT text, Graphviz's own."""
        return to_dot(self.graph)

    @property
    def mermaid(self) -> str:
        """Mermaid text."""
        return to_mermaid(self.graph)

    @property
    def svg(self) -> str | None:
        """Drawn by Graphviz; None where its program `dot` is not installed."""
        if shutil.which("dot") is None:
            return None
        done = subprocess.run(["dot", "-Tsvg"], input=self.dot, capture_output=True, text=True, check=True)
        return done.stdout

    def text(self, kind: str | None = None) -> str:
        """The drawing as "svg", "dot" or "mermaid"; by default SVG where Graphviz is installed, else
        Mermaid."""
        if kind is None:
            return self.svg or self.mermaid
        if kind not in ("svg", "dot", "mermaid"):
            raise wrong(f'A drawing is "svg", "dot" or "mermaid"; {kind!r} is none of these.')
        text = {"svg": lambda: self.svg, "dot": lambda: self.dot, "mermaid": lambda: self.mermaid}[kind]()
        if text is None:
            hint = "install Graphviz, or take dot or mermaid"
            raise wrong("An SVG is drawn by Graphviz, which is not installed.", hint)
        return text

    def save(self, path: str | Path, kind: str | None = None) -> None:
        """Write the drawing; its kind follows from the ending (``.svg``, ``.dot``, ``.mmd``) unless given."""
        path = Path(path)
        if kind is None and path.suffix not in ENDINGS:
            hint = f"write {path.stem}.svg, or say which kind it is"
            raise wrong(f"A drawing ends in .svg, .dot or .mmd; {path.name} does not.", hint)
        text = self.text(kind or ENDINGS[path.suffix])
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise EmfError([Diagnostic("E1203", f"{path} can't be written: {why}.")]) from None

    def __str__(self) -> str:
        return self.mermaid

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        svg = self.svg
        shown = {"text/plain": self.mermaid}
        if svg:
            return {"image/svg+xml": svg, **shown}
        return {"text/markdown": f"```mermaid\n{self.mermaid}\n```", **shown}
