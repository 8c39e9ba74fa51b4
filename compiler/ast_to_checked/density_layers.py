"""The layers of density blocks: their names, their options, and what they are called elsewhere."""

from __future__ import annotations

from emfppl.compiler.ast_to_checked.constants import number_of
from emfppl.compiler.ast_to_checked.context import Context, listed, near
from emfppl.grammar import ast_nodes as ast

BINS = "a whole number from 1 to 1000"
TIMES = "a whole number from 1 to 100"
SEED = "a whole number, 0 or more"
WIDTHS = "a list of whole numbers from 1 to 100000, such as [64, 64]"
GATED = "true, false or per_variable"
MODEL = "a model"
Options = dict[str, object]

# The options of each layer in their order. `layers`: so many of them, with the order reversed in between.
LAYERS: dict[str, dict[str, str]] = {
    "affine": {},
    "actnorm": {},
    "permute": {"seed": SEED},
    "reverse": {},
    "lu": {},
    "maf": {"hidden": WIDTHS, "layers": TIMES},
    "iaf": {"hidden": WIDTHS, "layers": TIMES},
    "coupling": {"hidden": WIDTHS, "bins": BINS, "layers": TIMES},
    "spline_flow": {"hidden": WIDTHS, "bins": BINS, "layers": TIMES},
    "bnaf": {"hidden": WIDTHS, "layers": TIMES},
    "splines": {"bins": BINS},
    "structured": {"model": MODEL, "gated": GATED},
    "dequantize": {},
}
FOREIGN = {
    "realnvp": "coupling(hidden = [64, 64])", "nice": "coupling(hidden = [64, 64])", "real_nvp": "coupling(hidden = [64, 64])",
    "nsf": "coupling(hidden = [64, 64], bins = 8)", "neural_spline": "coupling(hidden = [64, 64], bins = 8)",
    "rqs": "splines(bins = 8)", "spline": "splines(bins = 8)", "rational_quadratic": "splines(bins = 8)",
    "nsf_ar": "spline_flow(hidden = [64, 64], bins = 8)", "batchnorm": "actnorm", "batch_norm": "actnorm", "norm": "actnorm",
    "standardize": "affine", "standardise": "affine", "scale": "affine", "shift": "affine", "diagonal": "affine",
    "linear": "lu", "glow": "lu", "conv1x1": "lu", "rotation": "lu", "full_rank": "lu", "made": "maf(hidden = [64, 64])",
    "autoregressive": "maf(hidden = [64, 64])", "flip": "reverse", "shuffle": "permute", "permutation": "permute",
    "naf": "bnaf(hidden = [8, 8])", "planar": "bnaf(hidden = [8, 8])", "radial": "bnaf(hidden = [8, 8])",
    "sylvester": "bnaf(hidden = [8, 8])", "emf": "structured(MODEL)", "gemf": "structured(MODEL)", "model": "structured(MODEL)",
    "embedded": "structured(MODEL)", "gated": "structured(MODEL, gated = true)", "dequantise": "dequantize",
    "uniform_noise": "dequantize", "exp": "the event's type: data x: positive", "softplus": "the event's type: data x: positive",
    "sigmoid": "the event's type: data x: unit", "logit": "the event's type: data x: unit",
    "tanh": "the event's type: data x: real(-1, 1)",
}  # fmt: skip


def known(c: Context, call: ast.Call) -> bool:
    """Whether there is such a layer."""
    if call.func in LAYERS:
        return True
    other = FOREIGN.get(call.func.lower())
    hint = f"here that is {other}" if other else near(call.func, LAYERS) or f"there are {listed(LAYERS)}"
    return c.error("E1501", f"There is no layer named `{call.func}`.", call.func_span, hint) or False


def options_of(c: Context, call: ast.Call) -> dict[str, ast.Expr]:
    """The options of a known layer by name, as written; says which there are not."""
    names = list(LAYERS[call.func])
    given: dict[str, ast.Expr] = {}
    for position, arg in enumerate(call.args):
        option = arg.name or (names[position] if position < len(names) else None)
        if option in given:
            c.error("E1502", f"The option `{option}` is given twice.", arg.span, "delete one of them")
        elif option is None or option not in names:
            hint = near(option or "", names) or (f"it takes {listed(names)}" if names else "it takes none")
            count = f"{len(names)} option{'s' if len(names) > 1 else ''}" if names else "no options"
            message = f"`{call.func}` has no option `{option}`." if option else f"`{call.func}` takes {count}."
            c.error("E1502", message, arg.span, hint)
        else:
            given[option] = arg.value
    return given


def values_of(c: Context, call: ast.Call, given: dict[str, ast.Expr]) -> Options:
    """The values of a layer's options, those of structured layers without the model."""
    wanted = LAYERS[call.func]
    found = {name: _value(c, call.func, name, wanted[name], node) for name, node in given.items() if wanted[name] != MODEL}
    return {name: value for name, value in found.items() if value is not None}


def _value(c: Context, layer: str, option: str, wanted: str, node: ast.Expr) -> object | None:
    value = _literal(c, node)
    fine = {
        BINS: _whole(value, 1, 1000),
        TIMES: _whole(value, 1, 100),
        SEED: _whole(value, 0, 2**31 - 1),
        WIDTHS: isinstance(value, tuple) and bool(value) and all(_whole(v, 1, 100_000) for v in value),
        GATED: isinstance(value, bool) or value == "per_variable",
    }[wanted]
    return value if fine else c.error("E1502", f"`{option}` of `{layer}` is {wanted}.", node.span)


def _whole(value: object, lower: int, upper: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and lower <= value <= upper


def _literal(c: Context, node: ast.Expr) -> object | None:
    match node:
        case ast.ListLiteral(items):
            return tuple(number_of(c, item) for item in items)
        case ast.Bool(value):
            return value
        case ast.Name("per_variable"):
            return "per_variable"
    return number_of(c, node)
