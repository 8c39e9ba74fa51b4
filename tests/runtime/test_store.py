"""Saved fits: the same draws, bit by bit, without the data; checked when they are opened."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from posteriors import CHAIN, GROUPS, LABELLED, fitted

import emfppl
from emfppl import EmfError
from emfppl.runtime.store import MANIFEST, PARAMS


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("fits") / "groups.emfit"
    fitted(LABELLED, "gated").save(path)
    return path


def test_the_same_again(path):
    fit, again = fitted(LABELLED, "gated"), emfppl.open(path)
    assert list(again.draws) == list(fit.draws)
    assert all(np.array_equal(again.draws[name], draws) for name, draws in fit.draws.items())
    assert again.certificate == fit.certificate and again.num_params == fit.num_params
    assert str(again) == str(fit)
    assert "a[south]" in again.summary()
    np.testing.assert_array_equal(again.log_prob(fit.draws), fit.log_prob(fit.draws))
    np.testing.assert_array_equal(again.gates()["a"], fit.gates()["a"])


def test_predictions_need_no_data(path):
    again = emfppl.open(str(path))
    np.testing.assert_array_equal(again.predict()["y"], fitted(LABELLED, "gated").predict()["y"])
    assert set(again.to_arviz().groups()) == {"posterior", "posterior_predictive", "constant_data"}


def test_outcomes_are_not_in_the_file(path):
    with zipfile.ZipFile(path) as file:
        assert set(file.namelist()) == {"manifest.json", "model.emf", "params.safetensors", "data.safetensors"}
        kept = file.read("data.safetensors")
        assert json.loads(file.read(MANIFEST))["format"] == 1
    assert np.float64(GROUPS["y"][1]).tobytes() not in kept


def test_imported_files_are_in_the_file(tmp_path):
    library = tmp_path / "walks.emf"
    library.write_text("model noise(scale: positive) {\n  s ~ HalfNormal(scale)\n  x ~ Normal(0, s)\n  return x\n}\n")
    program = tmp_path / "model.emf"
    program.write_text('import "walks.emf"\nimport "std/regression"\ndim k = 2\na ~ noise(1)\nb[k] ~ horseshoe()\n')
    fit = emfppl.fit(program, progress=False, num_draws=10)
    fit.save(tmp_path / "fit")
    library.unlink()
    with zipfile.ZipFile(tmp_path / "fit") as file:
        assert file.read("model.emf").decode() == program.read_text()
        assert json.loads(file.read(MANIFEST))["imported"] == [str(library), "std/regression.emf"]
    again = emfppl.open(tmp_path / "fit")
    assert {"a", "a.s", "b", "b.tau", "b.lambda"} == set(again.draws)
    np.testing.assert_array_equal(again.draws["a.s"], fit.draws["a.s"])


@pytest.mark.parametrize("guide", ["iaf", "splines", "low_rank", "mean_field"])
def test_every_kind_of_guide_comes_back(tmp_path, guide):
    fit = fitted(LABELLED, guide)
    fit.save(tmp_path / "a")
    assert np.array_equal(emfppl.open(tmp_path / "a").draws["a"], fit.draws["a"])


def test_pseudo_observations_come_back(tmp_path):
    """Latents of a Gaussian block beside ones that are summed out: what the file was written in is what it is read in."""
    text = "dim n\ndata y[n]: real\nm ~ Normal(0, 3)\nz[n] ~ Bernoulli(0.4)\ny[n] ~ Normal(m * z, 1)\n"
    fit = emfppl.fit(text, {"y": [0.1, 1.2, 3.1]}, budget="quick", progress=False)
    fit.save(tmp_path / "a")
    again = emfppl.open(tmp_path / "a")
    assert fit.guide == "messages" and np.array_equal(again.draws["m"], fit.draws["m"])
    assert again.loo().total == pytest.approx(fit.loo().total)


def test_single_precision_and_figures_that_are_not_finite(tmp_path):
    fit = emfppl.fit("m ~ Normal(0, 1)\n", precision="float32", progress=False)
    fit.save(tmp_path / "a")
    again = emfppl.open(tmp_path / "a")
    assert again.khat == fit.khat == -np.inf
    assert np.array_equal(again.draws["m"], fit.draws["m"])


def test_a_second_save_gives_the_same_file(tmp_path, path):
    emfppl.open(path).save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_chains_come_back_without_their_data(tmp_path):
    fitted(CHAIN).save(tmp_path / "chain")
    assert np.array_equal(emfppl.open(tmp_path / "chain").draws["x"], fitted(CHAIN).draws["x"])


# ---------------------------------------------------------------- files that are none


def code_of(path):
    with pytest.raises(EmfError) as error:
        emfppl.open(path)
    return error.value.diagnostics[0].code


def altered(path, out, name, change):
    """A copy of a saved fit with one part changed."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.namelist():
            text = old.read(part)
            if part != name or (text := change(text)) is not None:
                new.writestr(part, text)
    return out


def test_files_that_are_none(tmp_path, path):
    assert code_of(tmp_path / "nowhere") == "E1201"
    assert code_of(tmp_path) == "E1202"
    (tmp_path / "text").write_text("hello")
    assert code_of(tmp_path / "text") == "E1207"
    (tmp_path / "half").write_bytes(path.read_bytes()[:-200])
    assert code_of(tmp_path / "half") == "E1207"


@pytest.mark.parametrize("name", [MANIFEST, PARAMS, "model.emf", "data.safetensors"])
def test_damage_is_seen(tmp_path, path, name):
    assert code_of(altered(path, tmp_path / "gone", name, lambda _: None)) == "E1207"
    assert code_of(altered(path, tmp_path / "cut", name, lambda b: b[:-3])) == "E1207"


def test_every_flipped_byte_is_seen_or_harmless(tmp_path, path):
    whole = path.read_bytes()
    for at in range(0, len(whole), max(len(whole) // 60, 1)):
        (tmp_path / "flipped").write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            emfppl.open(tmp_path / "flipped")
        except EmfError as error:
            assert error.diagnostics[0].code in ("E1207", "E1208")


def test_a_later_format(tmp_path, path):
    later = altered(path, tmp_path / "later", MANIFEST, lambda b: b.replace(b'"format": 1', b'"format": 99'))
    assert code_of(later) == "E1208"


def test_where_nothing_can_be_written(tmp_path):
    with pytest.raises(EmfError) as error:
        fitted(CHAIN).save(tmp_path / "no" / "such" / "folder")
    assert error.value.diagnostics[0].code == "E1203"
