"""Which names there are: what the file declares, what is taken, and what a name in an expression refers
to."""

from __future__ import annotations

from typing import Any

from emfppl.compiler.ast_to_checked.context import Context, Env, FunctionInfo, VariableInfo, near
from emfppl.compiler.functions import NAMES as FUNCTIONS
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span

CONSTANTS = ("pi", "e", "inf")
FOREIGN_FUNCTIONS = {
    "ln": "log", "pow": "x ^ y", "fabs": "abs", "fmax": "maximum", "fmin": "minimum", "ifelse": "if(condition, value, otherwise)",
    "where": "if(condition, value, otherwise)",
    "expit": "inv_logit", "logistic": "inv_logit", "ilogit": "inv_logit", "plogis": "inv_logit",
    "qlogis": "logit",
    "normal_cdf": "Phi", "pnorm": "Phi", "std": "sd", "stdev": "sd", "variance": "var", "average": "mean",
    "log_sum_exp": "logsumexp",
    "dot": "a @ b", "dot_product": "a @ b", "inprod": "a @ b", "matmul": "a @ b", "inv": "1 / x, or inverse(A) of a matrix",
    "step": "if(x >= 0, 1, 0)",
    "cumulative_sum": "cumsum", "log_determinant": "logdet",
    "rep_vector": "a single number, which broadcasts", "power": "x ^ y",
    "gammaln": "lgamma", "lgamma_fn": "lgamma", "mdivide_left": "solve",
    "length": "the dim itself, which stands for its size",
    "size": "the dim itself, which stands for its size", "len": "the dim itself, which stands for its size",
}  # fmt: skip


def taken(c: Context, name: str) -> str | None:
    """What a name already means before the file says anything.

    A variable may share its name with a function (``floor``): calls are told apart by their parentheses.
    """
    if name == "if":
        return "a word of the language"
    return "a distribution" if c.table.get(name) is not None else None


def collect(c: Context, program: ast.Program) -> None:
    """Enter dims, data, params and functions, which hold in the whole file; refuse names that are taken."""
    seen: dict[str, Span] = {}
    for node in program.statements:
        if isinstance(node, ast.Dim | ast.Data | ast.Param | ast.Function | ast.Model) and enter(
            c, seen, node.name, node.name_span, isinstance(node, ast.Function)
        ):
            if isinstance(node, ast.Dim):
                c.dims.sizes[node.name] = None
                c.dims.spans[node.name] = node.name_span
            elif isinstance(node, ast.Function):
                c.functions[node.name] = FunctionInfo(node)
            elif isinstance(node, ast.Model):
                c.models[node.name] = node


def enter(c: Context, seen: dict[str, Span], name: str, span: Span, function: bool = False) -> bool:
    """Whether a name may be declared here; says so where it may not."""
    meaning = taken(c, name) or ("a function of the language" if function and name in FUNCTIONS else None)
    if name.endswith("'"):
        c.error(
            "E0204",
            f"`{name}` ends in a prime; primes mark a second axis over a dim and are not declared.",
            span,
        )
        return False
    if meaning is not None:
        c.error(
            "E0204",
            f"`{name}` is {meaning}; it can't be the name of something else.",
            span,
            f"choose another, such as {name}_",
        )
        return False
    if name in seen:
        c.error(
            "E0203",
            f"`{name}` is declared twice.",
            span,
            "rename or delete one of them",
            [(seen[name], "first declared here")],
        )
        return False
    seen[name] = span
    return True


def visible(c: Context, env: Env) -> list[str]:
    """Everything a name could have meant here."""
    if env.function is not None:
        return [*env.locals, *env.labels]
    return [*env.helpers, *c.variables, *(loop.label for loop in env.loops), *c.dims.sizes]


def undefined(c: Context, node: ast.Name, env: Env) -> Any:
    """Say that a name means nothing here, and what may have been meant."""
    name = node.id
    if name in c.models and env.function is None:
        return c.error("E0209", f"`{name}` is a model, not a value.", node.span, f"draw from it: x ~ {name}(…)")
    if c.scope is not None and name in c.scope.outside and env.function is None:
        message = f"`{name}` is not an argument of the model `{c.scope.model}`; models see their arguments only."
        return c.error("E0201", message, node.span, f"add it to the arguments: model {c.scope.model}(…, {name})")
    if name in c.functions or name in FUNCTIONS:
        return c.error(
            "E0209", f"`{name}` is a function; it needs its arguments.", node.span, f"write {name}(…)"
        )
    if c.table.get(name) is not None:
        return c.error(
            "E0209", f"`{name}` is a distribution, not a value.", node.span, f"draw from it: x ~ {name}(…)"
        )
    if env.function is not None and (name in c.variables or name in c.dims):
        info = c.functions.get(env.function)
        law = info is not None and info.node.law
        what, word = ("distribution", "distribution") if law else ("function", "def")
        message = f"`{name}` is not an argument of the {what} `{env.function}`; {what}s see their arguments only."
        return c.error("E0201", message, node.span, f"add it to the arguments: {word} {env.function}(…, {name})")
    home = helper_home(c, name)
    if home is not None and home.broken and not home.loops:
        return None
    if home is not None and home.loops:
        loop = home.loops[-1]
        message = f"`{name}` is a helper inside the loop over `{loop}` and is gone outside of it."
        return c.error(
            "E0208",
            message,
            node.span,
            f"to keep it, write {name}[{', '.join(home.loops)}] = … in the loop",
            [(home.span, "set here")],
        )
    hint = near(name, visible(c, env)) or _foreign_hint(name) or _remedy(c, name, env)
    return c.error("E0201", f"`{name}` is not defined.", node.span, hint)


def _remedy(c: Context, name: str, env: Env) -> str:
    if env.function is not None:
        return f"a function sees its arguments only: def {env.function}(…, {name})"
    if "." in name:
        start, _, inner = name.partition(".")
        return f"a dot leads to an inner variable of what a model drew; for a name write {start}_{inner.replace('.', '_')}"
    if c.scope is not None:
        return f"a model sees its arguments only: model {c.scope.model}(…, {name})"
    return f"give it a value above this line ({name} ~ … or {name} = …), or declare it: data {name}: real"


def helper_home(c: Context, name: str) -> VariableInfo | None:
    return next((infos[name] for infos in c.helpers.values() if name in infos), None)


def _foreign_hint(name: str) -> str:
    from emfppl.grammar.habits import hint_for_name

    return hint_for_name(name) or ""


def undefined_function(c: Context, node: ast.Call) -> Any:
    """Say that there is no such function."""
    from emfppl.grammar.habits import hint_for_function

    name = node.func
    if name in c.models:
        hint = f"give its draw a name: x ~ {name}(…)"
        return c.error("E0906", f"`{name}` is a model; it can't be part of an expression.", node.func_span, hint)
    if name in c.variables or name in c.dims or name in CONSTANTS:
        hint = f"to index it write {name}[…]; to multiply write {name} * (…)"
        return c.error("E0206", f"`{name}` is not a function.", node.func_span, hint)
    other = FOREIGN_FUNCTIONS.get(name)
    candidates = [*FUNCTIONS, *c.functions]
    hint = f"here that is {other}" if other else hint_for_function(name) or near(name, sorted(candidates))
    hint = hint or f"define it: def {name}(x: real): real {{ return … }}"
    return c.error("E0206", f"There is no function named `{name}`.", node.func_span, hint)
