"""What a guide block asks for: a backbone with its options, and gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from emfppl.compiler.ast_to_checked.constants import number_of
from emfppl.compiler.ast_to_checked.context import Context, listed, near
from emfppl.compiler.checked_nodes import CheckedFor, CheckedRandom, CheckedStatement
from emfppl.compiler.distributions import CONJUGATE, GEOMETRIC
from emfppl.compiler.expressions import Kind
from emfppl.compiler.graph import GateSpec, GuideSpec, Role
from emfppl.grammar import ast_nodes as ast

WHOLE, WHOLES = "a whole number above 0", "a list of whole numbers above 0, such as [64, 64]"
BACKBONES: dict[str, dict[str, str]] = {
    "mean_field": {},
    "full_rank": {},
    "low_rank": {"rank": WHOLE},
    "splines": {"bins": WHOLE},
    "iaf": {"layers": WHOLE, "hidden": WHOLES},
    "coupling": {"layers": WHOLE, "hidden": WHOLES, "bins": WHOLE},
    "spline_flow": {"layers": WHOLE, "hidden": WHOLES, "bins": WHOLE},
    "bnaf": {"layers": WHOLE, "hidden": WHOLES},
}
FOREIGN = {
    "meanfield": "mean_field", "advi": "mean_field", "diagonal": "mean_field", "fullrank": "full_rank",
    "mvn": "full_rank",
    "lowrank": "low_rank", "multivariate": "full_rank", "flow": "iaf", "maf": "iaf",
    "realnvp": "coupling", "nsf": "spline_flow", "spline": "splines",
    "auto": "no guide block at all",
}  # fmt: skip
MODES = ("per_element", "per_variable", "geometric", "conjugate", "off")
Gates = dict[str, tuple[ast.Gate, GateSpec | None]]
OPENED = ("per_element", "per_variable", "geometric")


def check_guide(c: Context, program: ast.Program, body: tuple[CheckedStatement, ...]) -> GuideSpec:
    """The guide block of a program; without one the runtime chooses."""
    blocks = [s for s in program.statements if isinstance(s, ast.Guide)]
    for block in blocks[1:]:
        c.error(
            "E0708",
            "A program has one guide block.",
            block.span,
            "put both into one",
            [(blocks[0].span, "the other one")],
        )
    if not blocks:
        return GuideSpec()
    backbone: tuple[str, tuple[tuple[str, object], ...]] | None = None
    first: ast.Backbone | None = None
    gates: Gates = {}
    for item in blocks[0].items:
        if isinstance(item, ast.Gate):
            _gate(c, item, gates, body)
        elif first is not None:
            c.error(
                "E0708",
                "A guide has one backbone.",
                item.span,
                "delete one of them",
                [(first.span, "the other one")],
            )
        else:
            first, backbone = item, _backbone(c, item.call)
    return GuideSpec(backbone, tuple((name, spec) for name, (_, spec) in gates.items() if spec is not None))


# ---------------------------------------------------------------- backbone


def _backbone(c: Context, call: ast.Call) -> tuple[str, tuple[tuple[str, object], ...]] | None:
    name = call.func
    if name not in BACKBONES:
        other = FOREIGN.get(name.lower())
        hint = f"here that is {other}" if other else near(name, BACKBONES) or f"there are {listed(BACKBONES)}"
        return c.error("E0706", f"There is no backbone named `{name}`.", call.func_span, hint)
    known = BACKBONES[name]
    given: dict[str, object] = {}
    for position, arg in enumerate(call.args):
        option = arg.name or (list(known)[position] if position < len(known) else None)
        if option is None or option not in known:
            hint = near(option or "", known) or (f"it takes {listed(known)}" if known else "it takes none")
            message = (
                f"`{name}` has no option `{option}`."
                if option
                else f"`{name}` takes {len(known) or 'no'} options."
            )
            c.error("E0706", message, arg.span, hint)
        elif option in given:
            c.error("E0706", f"The option `{option}` is given twice.", arg.span)
        else:
            given[option] = _option(c, name, option, known[option], arg.value)
    return name, tuple((k, v) for k, v in given.items() if v is not None)


def _option(c: Context, name: str, option: str, wanted: str, node: ast.Expr) -> object | None:
    value = _literal(c, node)
    fine: Callable[[object], bool] = lambda v: isinstance(v, int) and not isinstance(v, bool) and v > 0  # noqa: E731
    if (wanted == WHOLE and fine(value)) or (
        wanted == WHOLES and isinstance(value, tuple) and value and all(map(fine, value))
    ):
        return value
    return c.error("E0706", f"`{option}` of `{name}` is {wanted}.", node.span)


def _literal(c: Context, node: ast.Expr) -> object | None:
    if isinstance(node, ast.ListLiteral):
        return tuple(number_of(c, item) for item in node.items)
    return number_of(c, node)


# ---------------------------------------------------------------- gates


def _gate(c: Context, node: ast.Gate, gates: Gates, body: tuple[CheckedStatement, ...]) -> None:
    optional = [v.name for v in c.variables.values() if v.role is Role.OBSERVED and v.declared and v.declared.optional]
    latents = [v.name for v in c.variables.values() if v.role is Role.LATENT or v.name in optional]
    info = c.variables.get(node.name)
    if node.name != "all" and node.name not in latents:
        if info is None:
            hint = near(node.name, latents) or (f"the latents are {listed(latents)}" if latents else "")
            return c.error("E0707", f"There is no latent named `{node.name}`.", node.name_span, hint)
        kind = {Role.COMPUTED: "computed", Role.PARAM: "a param"}.get(info.role, "data")
        return c.error("E0707", f"`{node.name}` is {kind}; only latents have gates, and data with `?`.", node.name_span)
    if info is not None and info.kind not in (None, Kind.REAL):
        message = f"`{node.name}` holds whole numbers; only continuous latents have gates."
        return c.error("E0707", message, node.name_span, "leave this line out")
    if node.name in gates:
        other = gates[node.name][0]
        return c.error(
            "E0708",
            f"The gate of `{node.name}` is set twice.",
            node.span,
            "delete one of them",
            [(other.span, "the other one")],
        )
    gates[node.name] = (node, _spec(c, node))
    return _fits(c, node, {s.dist.name for s in _random(body) if s.target.name == node.name})


def _random(body: tuple[CheckedStatement, ...]) -> Iterator[CheckedRandom]:
    """All statements that draw something, those inside of loops too."""
    for statement in body:
        if isinstance(statement, CheckedFor):
            yield from _random(statement.body)
        elif isinstance(statement, CheckedRandom):
            yield statement


def _fits(c: Context, node: ast.Gate, laws: set[str]) -> None:
    """Whether some law of a latent has the structure that a mode needs."""
    wanted = {"conjugate": CONJUGATE, "geometric": GEOMETRIC}.get(node.mode, ())
    if not wanted or not laws or laws & set(wanted):
        return None
    what = "pseudo-observations to update it by" if node.mode == "conjugate" else "normal location and scale to open apart"
    message = f"`{node.name}` has no {node.mode} gate: {listed(sorted(laws))} has no {what}."
    return c.error("E0707", message, node.span, f"{node.mode} gates are for {listed(wanted)}; the others have per_element")


def _spec(c: Context, node: ast.Gate) -> GateSpec | None:
    if node.mode not in MODES:
        hint = near(node.mode, MODES) or f"there are {listed(MODES)}"
        return c.error("E0707", f"There is no gate mode `{node.mode}`.", node.span, hint)
    init: float | None = None
    for arg in node.options:
        if arg.name != "init":
            hint = near(arg.name or "", ("init",)) or "a gate takes init = 0.98"
            return c.error(
                "E0707", f"A gate has no option `{arg.name or c.text(arg.value)}`.", arg.span, hint
            )
        value = number_of(c, arg.value)
        if init is not None or node.mode not in OPENED:
            article = "that is off" if node.mode == "off" else f"that is {node.mode}"
            message = "`init` is given twice." if init is not None else f"A gate {article} has no opening."
            return c.error("E0707", message, arg.span, "leave init out")
        if value is None or isinstance(value, bool) or not 0 < value < 1:
            return c.error(
                "E0707",
                "The opening of a gate is a number between 0 and 1.",
                arg.value.span,
                "for a gate fully open write off",
            )
        init = float(value)
    return GateSpec(node.mode) if init is None else GateSpec(node.mode, init)
