"""Data in the forms that users have them, and what becomes of them."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import Binding, bind, bind_description

SCHOOLS = """
dim school
data sigma[school]: positive
data y[school]: real?
theta[school] ~ Normal(0, 1)
y[school] ~ Normal(theta, sigma)
"""
RADON = """
dim county
dim obs
data county_of[obs]: index(county)
data uranium[county]: real
data y[obs]: real
a[county] ~ Normal(uranium, 1)
y[obs] ~ Normal(a[county_of], 1)
"""
GAMES = """
dim team
dim game
data home[game]: index(team)
data away[game]: index(team)
data goals[game]: count
skill[team] ~ Normal(0, 1)
goals[game] ~ Poisson(exp(skill[home] - skill[away]))
"""
MATRIX = """
dim obs
dim feature
data X[obs, feature]: real
data y[obs]: real
b[feature] ~ Normal(0, 1)
y[obs] ~ Normal(X @ b, 1)
"""


def bound(text: str, data=None, sizes=None, observed="optional") -> Binding:
    return bind(compile_text(SourceText(text)), data, sizes, observed)


def codes(text: str, data=None, sizes=None, observed="optional") -> list[str]:
    with pytest.raises(EmfError) as caught:
        bound(text, data, sizes, observed)
    return [d.code for d in caught.value.diagnostics]


# ---------------------------------------------------------------- forms of one variable


def forms_of_numbers():
    import jax.numpy as jnp
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    import xarray as xr

    return {
        "list": [1, 2, 3],
        "tuple": (1.0, 2, True + 2),
        "range": range(1, 4),
        "generator": (i for i in (1, 2, 3)),
        "int array": np.array([1, 2, 3], np.int8),
        "float32": np.array([1, 2, 3], np.float32),
        "objects": np.array([1, 2.0, 3], object),
        "jax": jnp.array([1, 2, 3]),
        "bfloat16": jnp.array([1, 2, 3], jnp.bfloat16),
        "pandas": pd.Series([1, 2, 3]),
        "pandas Int64": pd.Series([1, 2, 3], dtype="Int64"),
        "pandas arrow": pd.Series([1, 2, 3], dtype="int64[pyarrow]"),
        "pandas category": pd.Series([1, 2, 3], dtype="category"),
        "pandas array": pd.array([1, 2, 3]),
        "pandas index": pd.Index([1, 2, 3]),
        "polars": pl.Series([1, 2, 3]),
        "arrow": pa.array([1, 2, 3]),
        "xarray": xr.DataArray([1, 2, 3], dims="school"),
    }


@pytest.mark.parametrize("form", forms_of_numbers())
def test_numbers(form):
    b = bound(SCHOOLS, {"sigma": forms_of_numbers()[form], "y": [0, 0, 0]})
    assert b.values["sigma"].dtype == np.float64
    assert b.values["sigma"].tolist() == [1, 2, 3]
    assert b.sizes == {"school": 3} and b.coords == {} and b.missing == {}
    assert b.labels("school") == (0, 1, 2)


def forms_of_missing():
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    return {
        "None": [1, None, 3],
        "nan": [1, np.nan, 3],
        "pandas.NA": [1, pd.NA, 3],
        "masked array": np.ma.masked_equal([1, 2, 3], 2),
        "masked element": [1, np.ma.masked, 3],
        "pandas": pd.Series([1, None, 3]),
        "pandas Int64": pd.Series([1, None, 3], dtype="Int64"),
        "pandas arrow": pd.Series([1, None, 3], dtype="double[pyarrow]"),
        "pandas object": pd.Series([1, None, 3], dtype=object),
        "polars": pl.Series([1, None, 3]),
        "arrow": pa.array([1, None, 3]),
        "objects": np.array([1, None, 3], object),
    }


@pytest.mark.parametrize("form", forms_of_missing())
def test_missing_entries(form):
    b = bound(SCHOOLS, {"sigma": [1, 2, 3], "y": forms_of_missing()[form]})
    assert b.missing.keys() == {"y"}
    assert b.missing["y"].tolist() == [False, True, False]
    assert b.values["y"].tolist() == [1, 2, 3]  # the median stands in


def forms_of_labels():
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    labels = ["b", "a", "b"]
    return {
        "list": labels,
        "str array": np.array(labels),
        "bytes": np.array(labels, "S1"),
        "objects": np.array(labels, object),
        "pandas": pd.Series(labels),
        "pandas string": pd.Series(labels, dtype="string"),
        "pandas category": pd.Series(labels, dtype="category"),
        "categorical": pd.Categorical(labels),
        "polars": pl.Series(labels),
        "polars category": pl.Series(labels, dtype=pl.Categorical),
        "arrow": pa.array(labels),
        "arrow dictionary": pa.array(labels).dictionary_encode(),
    }


@pytest.mark.parametrize("form", forms_of_labels())
def test_labels_become_coords(form):
    b = bound(RADON, {"county_of": forms_of_labels()[form], "uranium": [0, 0], "y": [0, 0, 0]})
    assert b.values["county_of"].dtype == np.int32
    assert set(b.coords["county"]) == {"a", "b"}
    assert [b.coords["county"][i] for i in b.values["county_of"]] == ["b", "a", "b"]
    if form != "arrow dictionary":  # whose order is that of its dictionary
        assert b.coords["county"] == ("a", "b")


# ---------------------------------------------------------------- labels


def test_categories_keep_their_order_and_the_unused_ones():
    import pandas as pd
    import polars as pl

    order = ["low", "mid", "high"]
    for levels in (
        pd.Categorical(["low", "high"], categories=order),
        pl.Series(["low", "high"], dtype=pl.Enum(order)),
    ):
        b = bound(RADON, {"county_of": levels, "uranium": [1, 2, 3], "y": [0, 0]})
        assert b.coords["county"] == ("low", "mid", "high")
        assert b.values["county_of"].tolist() == [0, 2]


def test_labels_of_several_variables_are_those_of_one_dim():
    b = bound(GAMES, {"home": ["b", "c"], "away": ["c", "a"], "goals": [1, 2]})
    assert b.coords == {"team": ("a", "b", "c")}
    assert b.values["home"].tolist() == [1, 2] and b.values["away"].tolist() == [2, 0]


def test_numbers_are_positions_even_if_the_dim_has_numeric_labels():
    import pandas as pd

    b = bound(RADON, {"county_of": [0, 1], "uranium": pd.Series([1, 2], [10, 20]), "y": [0, 0]})
    assert b.coords["county"] == (10, 20)
    assert b.values["county_of"].tolist() == [0, 1]


def test_whole_floats_and_bools_are_positions():
    for positions in ([0.0, 1.0], [False, True]):
        assert bound(RADON, {"county_of": positions, "uranium": [1, 2], "y": [0, 0]}).values["county_of"].tolist() == [0, 1]


def test_dates_are_labels():
    days = np.array(["2024-02-01", "2024-01-01"], "M8[ns]")
    b = bound(RADON, {"county_of": days, "uranium": [1, 2], "y": [0, 0]})
    assert [str(d) for d in b.coords["county"]] == ["2024-01-01", "2024-02-01"]
    assert b.values["county_of"].tolist() == [1, 0]


def test_an_index_gives_coords_and_brings_others_into_its_order():
    import pandas as pd

    sigma = pd.Series([1, 2, 3], ["a", "b", "c"])
    y = pd.Series([30, 10, 20], ["c", "a", "b"])
    b = bound(SCHOOLS, {"sigma": sigma, "y": y})
    assert b.coords == {"school": ("a", "b", "c")}
    assert b.values["y"].tolist() == [10, 20, 30]


def test_missing_entries_move_with_their_labels():
    import pandas as pd

    y = pd.Series([30, None, 20], ["c", "a", "b"], dtype="Int64")
    b = bound(SCHOOLS, {"sigma": pd.Series([1, 2, 3], ["a", "b", "c"]), "y": y})
    assert b.missing["y"].tolist() == [True, False, False]
    assert b.values["y"][1:].tolist() == [20, 30]


def test_a_default_index_is_no_label_but_orders_a_shuffled_one():
    import pandas as pd

    frame = pd.DataFrame({"sigma": [1, 2, 3], "y": [10, 20, 30]})
    b = bound(SCHOOLS, {"sigma": frame.sigma[[2, 0, 1]], "y": frame.y})
    assert b.coords == {"school": (2, 0, 1)}
    assert b.values["y"].tolist() == [30, 10, 20]
    plain = bound(SCHOOLS, {"sigma": pd.Series([1, 2, 3], ["a", "b", "c"]), "y": frame.y})
    assert plain.values["y"].tolist() == [10, 20, 30]


def test_an_index_that_repeats_is_no_label():
    import pandas as pd

    assert bound(SCHOOLS, {"sigma": pd.Series([1, 2, 3], ["a", "a", "b"]), "y": [1, 2, 3]}).coords == {}


def test_labels_given_by_the_name_of_the_dim():
    b = bound(RADON, {"county": ["b", "a"], "county_of": ["a", "b"], "uranium": [1, 2], "y": [0, 0]})
    assert b.coords["county"] == ("b", "a")
    assert b.values["county_of"].tolist() == [1, 0]


def test_the_columns_of_a_frame_given_for_a_matrix_are_labels():
    import pandas as pd
    import polars as pl

    table = {"age": [1.0, 2, 3], "height": [4.0, 5, 6]}
    for frame in (pd.DataFrame(table), pl.DataFrame(table)):
        b = bound(MATRIX, {"X": frame, "y": [0, 0, 0]})
        assert b.coords == {"feature": ("age", "height")}
        assert b.values["X"].tolist() == [[1, 4], [2, 5], [3, 6]]


# ---------------------------------------------------------------- whole tables


def test_a_frame_holds_data_and_other_columns():
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    table = {"sigma": [1, 2], "y": [3.0, None], "name": ["p", "q"]}
    for frame in (pd.DataFrame(table), pl.DataFrame(table), pl.LazyFrame(table), pa.table(table)):
        b = bound(SCHOOLS, frame)
        assert b.values["sigma"].tolist() == [1, 2]
        assert b.missing["y"].tolist() == [False, True]


def test_a_column_named_as_the_dim_of_the_rows_holds_its_labels():
    import pandas as pd

    frame = pd.DataFrame({"school": ["A", "B"], "sigma": [1, 2], "y": [3, 4]})
    assert bound(SCHOOLS, frame).coords == {"school": ("A", "B")}
    assert bound(SCHOOLS, frame.set_index("school")).coords == {"school": ("A", "B")}


def test_a_dict_mixes_frames_columns_and_scalars():
    import pandas as pd

    frame = pd.DataFrame({"county_of": ["b", "a", "b"], "y": [1, 2, 3]})
    b = bound(RADON, {**frame, "uranium": frame.groupby("county_of").y.mean()})
    assert b.coords["county"] == ("a", "b") and b.values["uranium"].tolist() == [2, 2]


def test_a_dataset_goes_by_names_of_dims():
    import xarray as xr

    data = xr.Dataset(
        {"X": (("feature", "obs"), [[1, 2, 3], [4, 5, 6]]), "y": ("obs", [7, 8, 9]), "z": ("other", [1])},
        coords={"feature": ["age", "height"]},
    )
    b = bound(MATRIX, data)
    assert b.values["X"].tolist() == [[1, 4], [2, 5], [3, 6]]
    assert b.coords == {"feature": ("age", "height")}
    assert b.sizes == {"obs": 3, "feature": 2}


def test_a_dataset_shows_sizes_of_dims():
    import xarray as xr

    text = "dim time\nx[time] ~ Normal(0, 1)\nfactor sum(x, over = time)"
    assert bound(text, xr.Dataset({"other": ("time", [1, 2])})).sizes == {"time": 2}


def test_a_second_axis_goes_by_another_name_in_a_dataset():
    import xarray as xr

    text = "dim k\ndata K[k, k']: cov\nx[k] ~ MultivariateNormal(covariance_matrix = K)\nfactor sum(x, over = k)"
    K = [[2.0, 0.5], [0.5, 1]]
    assert bound(text, xr.Dataset({"K": (("k", "k2"), K)})).values["K"].tolist() == K


def test_a_file(tmp_path):
    path = tmp_path / "schools.json"
    path.write_text(json.dumps({"sigma": [1, 2], "y": [3, None]}))
    for where in (path, str(path)):
        assert bound(SCHOOLS, where).missing["y"].tolist() == [False, True]


# ---------------------------------------------------------------- sizes

PAIRS = """
dim school
dim pair = school * 2
data n: count
dim block = n - 1
data e[pair]: real
data f[block]: real
m ~ Normal(0, 1)
e[pair] ~ Normal(m, 1)
f[block] ~ Normal(m, 1)
theta[school] ~ Normal(m, 1)
factor sum(theta, over = school)
"""


def test_sizes_made_of_sizes_and_of_data():
    b = bound(PAIRS, {"n": 3}, {"school": 2})
    assert b.sizes == {"school": 2, "pair": 4, "block": 2}


def test_a_size_follows_backwards():
    assert bound(PAIRS, {"n": 3, "e": [1, 2, 3, 4]}).sizes["school"] == 2
    assert codes(PAIRS, {"n": 3, "e": [1, 2, 3]}) == ["E1005"]


def test_a_dim_that_is_not_used_needs_no_size():
    assert bound(SCHOOLS + "dim spare\n", {"sigma": [1], "y": [1]}).sizes == {"school": 1}


def test_one_fault_has_one_message():
    assert codes(SCHOOLS, {"sigma": [[1], [2, 3]], "y": "ab"}) == ["E1010", "E1003"]
    assert codes(RADON, {"y": [1, 2]}) == ["E1001", "E1001"]


# ---------------------------------------------------------------- defaults, absent data, what stands in for missing


def test_defaults():
    text = "dim k = 3\ndata w[k]: real = [1, 2, 3]\ndata s: positive = 2\ndata v[k]: real = 0\n"
    text += "x[k] ~ Normal(w + v, s)\nfactor sum(x, over = k)"
    b = bound(text)
    assert b.values["w"].tolist() == [1, 2, 3] and b.values["s"] == 2 and b.values["v"].tolist() == [0, 0, 0]
    assert bound(text, {"s": 5}).values["s"] == 5


def test_observed_data_may_be_absent_or_required():
    b = bound(SCHOOLS, {"sigma": [1, 2]})
    assert b.absent == {"y"} and "y" not in b.values
    assert codes(SCHOOLS, {"sigma": [1, 2]}, observed="required") == ["E1001"]


def test_what_stands_in_for_missing_entries_has_a_density():
    text = """
dim i
data n[i]: count
data a[i]: count?
data b[i]: positive?
data c[i]: unit?
data d[i]: real?
data e[i]: bool?
p ~ Beta(1, 1)
a[i] ~ Binomial(n, p)
b[i] ~ LogNormal(p, 1)
c[i] ~ Beta(p, 1)
d[i] ~ Uniform(7, 9)
e[i] ~ Bernoulli(p)
"""
    nothing = [None, None]
    b = bound(text, {"n": [3, 0], **dict.fromkeys("abcde", nothing)})
    assert all(b.missing[name].all() for name in "abcde")
    assert (b.values["a"] <= [3, 0]).all() and (b.values["a"] >= 0).all()
    assert (b.values["b"] > 0).all()
    assert ((b.values["c"] > 0) & (b.values["c"] < 1)).all()
    assert ((b.values["d"] > 7) & (b.values["d"] < 9)).all()
    assert np.isin(b.values["e"], (0, 1)).all()


def test_the_support_of_a_distribution_is_looked_at_piece_by_piece():
    text = """
dim time
data cap[time]: count
data y[time]: count?
p ~ Beta(1, 1)
y[0] ~ Poisson(p)
for t in time[1:] {
  y[t] ~ Binomial(cap[t-1], p)
}
"""
    assert bound(text, {"cap": [3, 2, 0], "y": [99, 3, 2]}).sizes == {"time": 3}
    assert codes(text, {"cap": [3, 2, 0], "y": [99, 3, 3]}) == ["E1014"]
    b = bound(text, {"cap": [3, 2, 0], "y": [None, None, 2]})
    assert b.values["y"].tolist() == [0, 0, 2]


# ---------------------------------------------------------------- a description


def test_a_description_gives_sizes_and_coords_back():
    graph = compile_text(SourceText(GAMES))
    days = np.array(["2024-01-01", "2024-01-02"], "M8[D]")
    data = {"home": ["b", "c"], "away": ["c", "a"], "goals": [1, 2], "game": days}
    b = bind(graph, data)
    again = bind_description(graph, json.loads(json.dumps(b.describe())))
    assert again.sizes == b.sizes and again.coords == b.coords
    assert again.values == {} and again.absent == {"goals"}


# ---------------------------------------------------------------- what it needs


def test_no_jax_is_imported():
    code = (
        "import sys; from emfppl.compiler.pipeline import compile_text; from emfppl.grammar.source import SourceText;"
        "from emfppl.runtime.bind import bind;"
        "bind(compile_text(SourceText('dim i\\ndata y[i]: real\\nm ~ Normal(0, 1)\\ny[i] ~ Normal(m, 1)')), {'y': [1, 2]});"
        "sys.exit(any(m in sys.modules for m in ('jax', 'pandas', 'polars', 'xarray', 'pyarrow')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
