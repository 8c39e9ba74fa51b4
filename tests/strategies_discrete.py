"""Programs with up to six discrete variables, drawn by Hypothesis: single, over plates, nested, in chains and panels, coupled by
sums and factors, with probabilities of 0 and 1, below and above continuous latents, with missing entries."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from strategies import Generated

SIZES = {"a": 2, "b": 3, "time": 3, "k": 3}
MOST = 400  # configurations, each of which the oracle reads


@dataclass
class Scope:
    """The discrete variables so far: dims, number of values, whether they are positions in `k`; and how many configurations."""

    dims: dict[str, tuple[str, ...]] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    configurations: int = 1
    continuous: dict[str, tuple[str, ...]] = field(default_factory=dict)
    count: int = 0

    def fresh(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def fits(self, dims: tuple[str, ...], values: int) -> bool:
        return self.configurations * values ** int(np.prod([SIZES[d] for d in dims])) <= MOST

    def add(self, name: str, dims: tuple[str, ...], values: int) -> None:
        self.dims[name], self.values[name] = dims, values
        self.configurations *= values ** int(np.prod([SIZES[d] for d in dims]))


@st.composite
def _number(draw, scope: Scope, dims: tuple[str, ...]) -> str:
    """A number that depends on a discrete variable where one aligns, else on data or continuous latents."""
    choices = []
    for name, own in scope.dims.items():
        refs = [name] if set(own) <= set(dims) else []
        refs += [f"{name}[idx]"] if own == ("a",) and "b" in dims else []
        for ref in refs:
            one = f"centre[{ref}]" if scope.values[name] == 3 and name.startswith("c") else ref
            choices += [one, f"2 * {one} * mu", f"if({ref} == 1, mu, 0.3)"]
        if own == ("a",) and "a" not in dims:
            choices += [f"sum({name} * u, over = a)"] if not name.startswith("c") else [f"max(centre[{name}], over = a)"]
    choices += [n for n, own in scope.continuous.items() if set(own) <= set(dims)]
    choices += ["mu", "0.4"] + [v for v, d in (("u", "a"), ("v", "b"), ("w", "time")) if d in dims]
    return draw(st.sampled_from(choices))


@st.composite
def _probability(draw, scope: Scope, dims: tuple[str, ...]) -> str:
    n = draw(_number(scope, dims))
    m = draw(_number(scope, dims))
    forms = (f"inv_logit({n})", f"inv_logit({n} - 0.5 * {m})", f"if({n} > 0.35, q, 0)", f"if({n} > 0.2, 1, q)", "q")
    return draw(st.sampled_from(forms))


@st.composite
def _elements(draw, scope: Scope) -> None:
    dims = draw(st.sampled_from(((), ("a",), ("b",), ("a",))))
    head = f"[{', '.join(dims)}]" if dims else ""
    match draw(st.integers(0, 4)):
        case 0 | 1 if scope.fits(dims, 2):
            name = scope.fresh("z")
            scope.lines.append(f"{name}{head} ~ Bernoulli({draw(_probability(scope, dims))})")
            scope.add(name, dims, 2)
        case 2 if scope.fits(dims, 3):
            name = scope.fresh("c")
            rows = [c for c, d in scope.dims.items() if c.startswith("c") and set(d) <= set(dims)]
            law = f"W[{draw(st.sampled_from(rows))}]" if rows else f"logits = centre * {draw(_number(scope, dims))}"
            scope.lines.append(f"{name}{head} ~ Categorical({law})")
            scope.add(name, dims, 3)
        case 3 if scope.fits(dims, 3):
            name = scope.fresh("n")
            scope.lines.append(f"{name}{head} ~ Binomial(2, {draw(_probability(scope, dims))})")
            scope.add(name, dims, 3)
        case 4 if scope.fits(dims, 3):
            name = scope.fresh("n")
            scope.lines.append(f"{name}{head}: int(1, 3) ~ Poisson(exp(tanh({draw(_number(scope, dims))})))")
            scope.add(name, dims, 3)


@st.composite
def _chain(draw, scope: Scope) -> None:
    p = draw(_probability(scope, ()))
    match draw(st.integers(0, 4)):
        case 0 | 1 if scope.fits(("time",), 2):
            z = scope.fresh("z")
            law = draw(st.sampled_from((f"{z}[t-1] * q", f"inv_logit(mu + w[t] - {z}[t-1])", f"if({z}[t-1] == 1, 1, q)")))
            scope.lines += [f"{z}[0] ~ Bernoulli({p})", f"for t in time[1:] {{\n  {z}[t] ~ Bernoulli({law})\n}}"]
            scope.add(z, ("time",), 2)
        case 2 if scope.fits(("time",), 3):
            z = scope.fresh("c")
            scope.lines += [f"{z}[0] ~ Categorical(W[0])", f"for t in time[1:] {{\n  {z}[t] ~ Categorical(W[{z}[t-1]])\n}}"]
            scope.add(z, ("time",), 3)
        case 3 if scope.fits(("a", "time"), 2):
            z = scope.fresh("z")
            scope.lines += [
                f"for i in a {{\n  {z}[i, 0] ~ Bernoulli(inv_logit(u[i]))\n  for t in time[1:] {{\n"
                f"    {z}[i, t] ~ Bernoulli(inv_logit(2 * {z}[i, t-1] - u[i] + w[t]))\n  }}\n}}"
            ]
            scope.add(z, ("a", "time"), 2)
        case 4 if scope.fits(("time",), 2):
            z = scope.fresh("z")
            scope.lines += [f"{z}[0] ~ Bernoulli({p})", f"{z}[1] ~ Bernoulli(0.2 + 0.5 * {z}[0])"]
            scope.lines += [f"for t in time[2:] {{\n  {z}[t] ~ Bernoulli(0.1 + 0.3 * {z}[t-1] + 0.5 * {z}[t-2])\n}}"]
            scope.add(z, ("time",), 2)


@st.composite
def _reader(draw, scope: Scope, data: dict, rng: np.random.Generator) -> None:
    dims = draw(st.sampled_from((("a",), ("b",), ("time",), ("a", "time"), ())))
    head = f"[{', '.join(dims)}]" if dims else ""
    shape = [SIZES[d] for d in dims]
    r, p = draw(_number(scope, dims)), draw(_probability(scope, dims))
    y = scope.fresh("y")
    match draw(st.integers(0, 6)):
        case 0:
            scope.lines += [f"data {y}{head}: real?", f"{y}{head} ~ Normal({r} + {draw(_number(scope, dims))}, 0.8)"]
            data[y] = np.where(rng.random(shape) < 0.3, np.nan, rng.normal(size=shape))
        case 1:
            scope.lines += [f"data {y}{head}: bool", f"{y}{head} ~ Bernoulli({p})"]
            data[y] = rng.random(shape) < 0.5
        case 2:
            scope.lines += [f"data {y}{head}: count", f"{y}{head} ~ Poisson({p} * 3)"]
            data[y] = rng.poisson(1.0, shape)
        case 3:
            scope.lines += [f"data {y}{head}: index(k)", f"{y}{head} ~ Categorical(logits = centre * {r})"]
            data[y] = rng.integers(0, 3, shape)
        case 4:
            x = scope.fresh("x")
            scope.lines.append(f"{x}{head} ~ Normal({r}, 1.5)")
            scope.continuous[x] = dims
        case 5:
            scope.lines.append(f"factor 0.4 * {r} * {draw(_number(scope, dims))}")
        case 6:
            m = scope.fresh("m")
            scope.lines += [f"{m}{head} = {r} + 0.3 * {draw(_number(scope, dims))}"]
            scope.lines += [f"data {y}{head}: real", f"{y}{head} ~ Normal({m}, if({p} > 0.3, 1, 2))"]
            data[y] = rng.normal(size=shape)


@st.composite
def discrete_programs(draw) -> Generated:
    """A program with one to six discrete variables, a factor below each, and data."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    scope = Scope()
    data = {
        "u": rng.normal(size=2), "v": rng.normal(size=3), "w": rng.normal(size=3), "idx": rng.integers(0, 2, 3),
        "centre": np.array([-1.0, 0.1, 1.5]), "W": np.array([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [0.0, 0.0, 1.0]]),
    }  # fmt: skip
    head = [
        "dim a = 2", "dim b", "dim time", "dim k = 3", "data u[a]: real", "data v[b]: real", "data w[time]: real",
        "data idx[b]: index(a)", "data centre[k]: real", "data W[k, k']: simplex", "mu ~ Normal(0, 1)", "q ~ Beta(2, 2)",
    ]  # fmt: skip
    for _ in range(draw(st.integers(1, 6))):
        draw(draw(st.sampled_from((_elements, _elements, _chain)))(scope))
        if draw(st.booleans()):
            draw(_reader(scope, data, rng))
    scope.lines.append("factor 0.1 * mu + 0.1 * q")  # so that nothing is barren
    scope.lines += [f"factor 0.1 * {name}" for name in scope.continuous]
    for name, dims in scope.dims.items():
        scope.lines.append(f"factor 0.1 * ({name} + 0.5) * {draw(_number(scope, dims))}")
    return Generated("\n".join(head + scope.lines) + "\n", data, SIZES)
