"""A program drawn: DOT and Mermaid text always, SVG where Graphviz is installed."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from emfppl.arguments import wrong
from emfppl.compiler.graph import Graph
from emfppl.compiler.graph_to_dot import to_dot, to_mermaid


@dataclass(frozen=True)
class Drawing:
    """The drawing of a graph. Shows itself in a notebook; `print` gives Mermaid text, which many pages render."""

    graph: Graph

    @property
    def dot(self) -> str:
        return to_dot(self.graph)

    @property
    def mermaid(self) -> str:
        return to_mermaid(self.graph)

    @property
    def svg(self) -> str | None:
        """Drawn by Graphviz; None where its program `dot` is not installed."""
        if shutil.which("dot") is None:
            return None
        done = subprocess.run(["dot", "-Tsvg"], input=self.dot, capture_output=True, text=True, check=True)
        return done.stdout

    def save(self, path: str | Path) -> None:
        """Write ``.svg``, ``.dot`` or ``.mmd``, by the ending of `path`; `EmfError` E1302 for another, or an SVG without Graphviz."""
        path = Path(path)
        texts = {".svg": lambda: self.svg, ".dot": lambda: self.dot, ".gv": lambda: self.dot, ".mmd": lambda: self.mermaid}
        if path.suffix not in texts:
            raise wrong(f"A drawing ends in .svg, .dot or .mmd; {path.name} does not.", f"write {path.stem}.svg")
        text = texts[path.suffix]()
        if text is None:
            raise wrong("An SVG is drawn by Graphviz, which is not installed.", f"install it, or write {path.stem}.dot or {path.stem}.mmd")
        path.write_text(text)

    def __str__(self) -> str:
        return self.mermaid

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        svg = self.svg
        shown = {"text/plain": self.mermaid}
        return {"image/svg+xml": svg, **shown} if svg else {"text/markdown": f"```mermaid\n{self.mermaid}\n```", **shown}
