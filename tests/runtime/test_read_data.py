"""Files of data: what is read, and what is said of bad ones."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from emfppl.grammar.diagnostics import EmfError
from emfppl.runtime.read_data import Table, guessed, read_data


def written(folder, name: str, content: str | bytes):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def told(path) -> tuple[str, str, str]:
    """Code, message and hint, the folder left out."""
    with pytest.raises(EmfError) as caught:
        read_data(path)
    (one,) = caught.value.diagnostics
    folder = f"{path.parent}/"
    return one.code, one.message.replace(folder, ""), one.hint.replace(folder, "")


# ---------------------------------------------------------------- what is read


def test_json_of_lists(tmp_path):
    data = read_data(written(tmp_path, "d.json", '\ufeff{"y": [1, null, NaN], "n": 3}'))
    assert not isinstance(data, Table)
    assert data["n"] == 3 and data["y"][:2] == [1, None]


def test_json_of_records_is_a_table(tmp_path):
    data = read_data(written(tmp_path, "d.json", '[{"y": 1, "g": "a"}, {"g": "b"}]'))
    assert isinstance(data, Table)
    assert data == {"y": [1, None], "g": ["a", "b"]}


def test_npz(tmp_path):
    np.savez(tmp_path / "d.npz", y=np.arange(3.0), g=np.array(["a", "b", "a"]))
    data = read_data(tmp_path / "d.npz")
    assert data["y"].tolist() == [0, 1, 2] and data["g"].tolist() == ["a", "b", "a"]


def test_csv(tmp_path):
    text = 'n,x,ok,name,code\n1,1.5,TRUE,"Smith, J.",007\n2,NA,false,,012\n'
    data = read_data(written(tmp_path, "d.csv", text))
    assert isinstance(data, Table)
    assert data["n"].tolist() == [1, 2] and data["n"].dtype.kind == "i"
    assert np.array_equal(data["x"], [1.5, np.nan], equal_nan=True)
    assert data["ok"].tolist() == [True, False]
    assert data["name"].tolist() == ["Smith, J.", None]
    assert data["code"].tolist() == ["007", "012"]


@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
def test_csv_of_other_separators_and_line_ends(tmp_path, separator):
    text = separator.join(["a", "b"]) + "\r\n" + separator.join(["1", "2"]) + "\r\n\r\n"
    data = read_data(written(tmp_path, "d.CSV", text))
    assert data["a"].tolist() == [1] and data["b"].tolist() == [2]


def test_csv_with_text_over_two_lines(tmp_path):
    data = read_data(written(tmp_path, "d.csv", 'a,b\n"one\ntwo",3\n'))
    assert data["a"].tolist() == ["one\ntwo"]


def test_csv_without_rows_has_empty_columns(tmp_path):
    data = read_data(written(tmp_path, "d.csv", "a,b\n"))
    assert {name: len(column) for name, column in data.items()} == {"a": 0, "b": 0}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["1", "2"], [1, 2]),
        (["1", " 2 "], [1, 2]),
        (["1", "2.5e3"], [1, 2500]),
        (["-1", "inf"], [-1, float("inf")]),
        (["0", "0.5"], [0, 0.5]),
        (["0", "00"], ["0", "00"]),
        (["True", "FALSE"], [True, False]),
        (["1", "x"], ["1", "x"]),
        (["99999999999999999999"], [1e20]),
    ],
)
def test_the_type_of_a_column(column, expected):
    assert guessed(column).tolist() == expected


@pytest.mark.parametrize("word", ["", "NA", "NaN", "nan", "null", "None", "N/A", " NA "])
def test_missing_words(word):
    assert np.array_equal(guessed(["1", word]), [1, np.nan], equal_nan=True)
    assert guessed(["a", word]).tolist() == ["a", None]
    assert np.isnan(guessed([word])).all()


def test_parquet(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    from emfppl.runtime.data_arrays import to_given

    table = pa.table({"y": [1.5, None], "g": pa.array(["b", "a"]).dictionary_encode(), "n": [1, None]})
    parquet.write_table(table, tmp_path / "d.parquet")
    data = read_data(tmp_path / "d.parquet")
    assert isinstance(data, Table)
    given = {name: to_given(column) for name, column in data.items()}
    assert given["y"].missing.tolist() == given["n"].missing.tolist() == [False, True]
    assert given["g"].categories == ("b", "a")


# ---------------------------------------------------------------- what can't be


@pytest.mark.parametrize(
    ("name", "content", "code", "message", "hint"),
    [
        ("d.txt", "1", "E1204", "d.txt has the ending .txt, which does not say how to read data.",
         "JSON (.json), NPZ (.npz), CSV (.csv) and Parquet (.parquet) can be read"),
        ("data", "1", "E1204", "data has no ending, which does not say how to read data.",
         "JSON (.json), NPZ (.npz), CSV (.csv) and Parquet (.parquet) can be read"),
        ("d.npy", "1", "E1204", "d.npy has the ending .npy, which does not say how to read data.",
         "save arrays by name: np.savez(file, y=y)"),
        ("d.json", "{'y': 1}", "E1205",
         "d.json is not JSON: line 1, column 2 can't be read.", "JSON has double quotes"),
        ("d.json", '{"y": [1, NA]}', "E1205", "d.json is not JSON: line 1, column 11 can't be read.",
         "write null for what is missing"),
        ("d.json", "", "E1205", "d.json is not JSON: line 1, column 1 can't be read.", "the file is empty"),
        ("d.json", '{"y": [1, 2', "E1205", "d.json is not JSON: line 1, column 12 can't be read.", "the file ends too early"),
        ("d.json", "[1, 2]", "E1205", "d.json holds no data by name.", 'write {"y": [1.5, 2], "n": 3}, or a list of records'),
        ("d.json", b"\xff\xfe", "E1202", "d.json is not a text in UTF-8 (byte 0).", "save it as UTF-8"),
        ("d.npz", "PK nonsense", "E1205", "d.npz is not an NPZ file.", "write it with np.savez(file, y=y)"),
        ("d.npz", "", "E1205", "d.npz is not an NPZ file.", "write it with np.savez(file, y=y)"),
        ("d.csv", " \n", "E1205", "d.csv is empty.", "the first line holds the names of the columns"),
        ("d.csv", "a,b,a\n1,2,3\n", "E1205", "d.csv has two columns named `a`.", ""),
        ("d.csv", "a,b\n1,2\n1,2,3\n", "E1205", "d.csv is not a table: line 3 has 3 fields, the header 2.",
         "the header needs a name for every column, that of row names too"),
        ("d.csv", "a,b\n1\n", "E1205", "d.csv is not a table: line 2 has 1 field, the header 2.", ""),
        ("d.csv", "a,b\n1,2,x,y\n", "E1205", "d.csv is not a table: line 2 has 4 fields, the header 2.",
         "text with a comma in it goes in double quotes"),
        ("d.parquet", "PAR1", "E1205", "d.parquet is not a Parquet file.", ""),
    ],
)  # fmt: skip
def test_bad_files(tmp_path, name, content, code, message, hint):
    assert told(written(tmp_path, name, content)) == (code, message, hint)


def test_a_comma_too_many(tmp_path):
    assert told(written(tmp_path, "d.json", '{"y": [1, 2,]}'))[2] == "no comma after the last entry"


def test_a_file_that_is_not_there(tmp_path):
    written(tmp_path, "schools.json", "{}")
    near = told(tmp_path / "scools.json")
    assert near == ("E1201", "There is no file scools.json.", "did you mean schools.json?")
    assert told(tmp_path / "quite_other.json")[2] == ""
    assert told(tmp_path / "no" / "d.json")[0] == "E1201"


def test_a_folder(tmp_path):
    (tmp_path / "d.json").mkdir()
    assert told(tmp_path / "d.json") == ("E1202", "d.json can't be read: it is a folder.", "")


def test_objects_in_npz_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "d.npz", y=np.array([{"a": 1}], dtype=object))
    assert told(tmp_path / "d.npz")[:2] == ("E1205", "d.npz holds Python objects, which are not read from files.")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    code, message, hint = told(written(tmp_path, "d.parquet", "PAR1"))
    assert code == "E1206" and "pyarrow" in message and hint == "pip install pyarrow, or save the data as CSV"
