"""Which argument of a distribution is which: forms, names, defaults."""

from __future__ import annotations

from emfppl.compiler.ast_to_checked.context import Context, listed, near
from emfppl.compiler.distributions import Distribution, Parameter
from emfppl.grammar import ast_nodes as ast

# What other languages call an argument; taken as a hint only where the distribution has the right-hand name.
FOREIGN = {
    "mu": ("loc", "mean", "rate"), "mean": ("loc",), "location": ("loc",), "m": ("loc",),
    "sigma": ("scale",), "sd": ("scale",),
    "std": ("scale",), "stddev": ("scale",), "s": ("scale",), "tau": ("scale",), "nu": ("df",),
    "dof": ("df",),
    "alpha": ("concentration1", "concentration", "scale"), "beta": ("concentration0", "rate"),
    "a": ("concentration1", "concentration", "low"),
    "b": ("concentration0", "rate", "high"), "shape": ("concentration",), "lam": ("rate",),
    "lambda_": ("rate",), "lower": ("low",),
    "upper": ("high",), "lb": ("low",), "ub": ("high",), "min": ("low",), "max": ("high",),
    "n": ("total_count",),
    "N": ("total_count",), "p": ("probs",), "prob": ("probs",), "theta": ("probs",), "logit": ("logits",),
    "logit_p": ("logits",),
    "eta": ("logits", "predictor", "concentration"), "cov": ("covariance_matrix",), "Sigma": ("covariance_matrix",),
    "covariance": ("covariance_matrix",),
    "precision": ("precision_matrix",), "chol": ("scale_tril",), "cholesky": ("scale_tril",),
    "phi": ("concentration", "gate"), "psi": ("gate",), "pi": ("gate", "weights"), "kappa": ("concentration", "asymmetry"),
    "k": ("concentration",),
    "cuts": ("cutpoints",), "cutoffs": ("cutpoints",), "V": ("scale_matrix",), "S": ("scale_matrix", "covariance_matrix"),
    "base_dist": ("base",), "sigma2": ("scale",), "w": ("weights",),
    "low": ("lower",), "high": ("upper",), "dist": ("base",), "comp_dists": ("component",),
    "components": ("component",),
}  # fmt: skip
_PRECISION = (
    "the second argument of Normal is a standard deviation; for a precision write scale = 1 / sqrt(precision)"
)


def bind(c: Context, node: ast.Call, row: Distribution) -> dict[str, ast.Expr] | None:
    """The arguments of a distribution by name, after finding the form that was used."""
    names = [a.name for a in node.args if a.name is not None]
    known = {p.name for form in row.forms for p in form}
    if not _all_known(c, node, row, known):
        return None
    form = next((f for f in row.forms if set(names) <= {p.name for p in f}), None)
    if form is None:
        exclusive = [n for n in names if not all(any(p.name == n for p in f) for f in row.forms)]
        return c.error(
            "E0503",
            f"`{row.name}` takes either {' or '.join(exclusive)}, not both.",
            node.span,
            f"write {usage(row)}",
        )
    given: dict[str, ast.Expr] = {}
    order = row.forms[0]
    for position, arg in enumerate(node.args):
        name = arg.name
        if name is None:
            if position >= len(order):
                takes = f"{len(order)} argument{'' if len(order) == 1 else 's'}"
                message = (
                    f"`{row.name}` takes {takes if order else 'no arguments'}; here are {len(node.args)}."
                )
                return c.error("E0504", message, arg.span, f"write {usage(row)}")
            name = order[position].name
        if name in given:
            return c.error(
                "E0503",
                f"`{row.name}` is given `{name}` twice.",
                arg.span,
                f"its arguments in order: {usage(row)}",
            )
        given[name] = arg.value
    stray = [n for n in given if n not in {p.name for p in form}]
    if stray:
        keyword = names[0]
        return c.error(
            "E0503",
            f"`{row.name}` takes either {stray[0]} or {keyword}, not both.",
            node.span,
            f"write {usage(row)}",
        )
    return given if _complete(c, node, row, form, given) else None


def _all_known(c: Context, node: ast.Call, row: Distribution, known: set[str]) -> bool:
    fine = True
    for arg in node.args:
        if arg.name is not None and arg.name not in known:
            other = next((o for o in FOREIGN.get(arg.name, ()) if o in known), None)
            hint = (
                f"here it is called {other}"
                if other
                else near(arg.name, sorted(known)) or f"write {usage(row)}"
            )
            hint = _PRECISION if row.name == "Normal" and arg.name in ("prec", "precision") else hint
            c.error("E0501", f"`{row.name}` has no argument named `{arg.name}`.", arg.span, hint)
            fine = False
    return fine


def _complete(
    c: Context, node: ast.Call, row: Distribution, form: tuple[Parameter, ...], given: dict[str, ast.Expr]
) -> bool:
    missing = [p.name for p in form if p.required and p.name not in given]
    if not missing:
        return True
    alternatives = [p.name for f in row.forms[1:] for p in f if p.name not in {q.name for q in row.forms[0]}]
    last = missing[-1]
    ways = (
        f" (or {' or '.join(alternatives)})"
        if form is row.forms[0] and alternatives and last not in alternatives
        else ""
    )
    c.error(
        "E0502",
        f"`{row.name}` misses its argument{'s' if len(missing) > 1 else ''} {listed(missing)}{ways}.",
        node.span,
        f"write {usage(row)}",
    )
    return False


def form_of(row: Distribution, given: dict[str, ast.Expr]) -> tuple[Parameter, ...]:
    return next(f for f in row.forms if set(given) <= {p.name for p in f})


def usage(row: Distribution) -> str:
    """``Bernoulli(probs) or Bernoulli(logits = …)``."""
    first = ", ".join(p.name for p in row.forms[0])
    out = f"{row.name}({first})"
    for form in row.forms[1:]:
        mine = [p.name if p in row.forms[0] else f"{p.name} = …" for p in form]
        out += f" or {row.name}({', '.join(mine)})"
    return out
