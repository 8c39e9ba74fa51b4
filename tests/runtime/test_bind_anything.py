"""Whatever is given as data: a binding that keeps its promises, or an `EmfError`."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind

TEXT = """
dim group
dim obs
dim two = 2
data group_of[obs]: index(group)
data n[obs]: count
data x[obs]: positive
data w[two]: simplex = [0.5, 0.5]
data K[two, two']: cov
data k[obs]: count?
data y[obs, two]: real?
p[group] ~ Beta(1, 1)
k[obs] ~ Binomial(n, p[group_of])
y[obs, two] ~ Normal(x + w, 1)
"""
GRAPH = compile_text(SourceText(TEXT))
NAMES = [v.name for v in GRAPH.variables if v.name not in ("p",)]

scalars = st.none() | st.booleans() | st.integers(-3, 5) | st.floats() | st.text(max_size=3) | st.complex_numbers()
lists = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=8)
dtypes = st.one_of(hnp.scalar_dtypes(), hnp.unicode_string_dtypes(max_len=3), hnp.byte_string_dtypes(max_len=3))
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
odd = st.sampled_from([object(), len, {"a": 1}, {1, 2}, b"x", np.ma.masked, np.datetime64("NaT"), ..., 1 << 80])
anything = lists | arrays | odd

plausible = {
    "group_of": st.sampled_from([[0, 1, 1], ["a", "b", "a"], [False, True, True]]),
    "n": st.sampled_from([[3, 4, 5], [2, 1, 1], [1.0, 2.0, 3.0]]),
    "x": st.sampled_from([[1, 2, 3], [0.5, 0.1, 2]]),
    "w": st.sampled_from([[0.2, 0.8], [1, 0]]),
    "K": st.sampled_from([[[1, 0], [0, 1]], [[2, 1], [1, 2]]]),
    "k": st.sampled_from([[1, None, 0], [0, 0, 0], [None, None, None]]),
    "y": st.sampled_from([[[1, 2], [3, None], [5, 6]], np.ones((3, 2))]),
    "group": st.sampled_from([["a", "b"], ["b", "a"]]),
}
keys = st.sampled_from([*NAMES, "group", "obs", "other"])
data = st.builds(
    lambda fine, without, strange: {**{k: v for k, v in fine.items() if k not in without}, **strange},
    st.fixed_dictionaries(plausible),
    st.sets(st.sampled_from(list(plausible)), max_size=2),
    st.dictionaries(keys, anything, max_size=2),
)


@given(data | anything, st.none() | st.dictionaries(st.sampled_from(["group", "obs", "two", "no"]), st.integers(1, 3), max_size=1))
@settings(deadline=None, max_examples=400)
def test_anything_is_bound_or_told(given_data, sizes):
    try:
        b = bind(GRAPH, given_data, sizes)
    except EmfError as error:
        assert error.diagnostics and all(d.is_error and d.message and str(d) for d in error.diagnostics)
        return
    assert b.sizes.keys() == {"group", "obs", "two"}
    for name, x in b.values.items():
        variable = GRAPH.variable(name)
        assert x.shape == tuple(b.sizes[d.rstrip("'")] for d in variable.dims)
        assert np.isfinite(x).all()
        assert name not in b.missing or variable.optional
    assert all(len(labels) == b.sizes[dim] for dim, labels in b.coords.items())
    assert (b.values["group_of"] >= 0).all() and (b.values["group_of"] < b.sizes["group"]).all()
    assert b.values["x"].min() > 0
    assert math.isclose(b.values["w"].sum(), 1, abs_tol=1e-5)
    if "k" in b.values:
        assert (b.values["k"] <= b.values["n"]).all()
