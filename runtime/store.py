"""A fitted posterior, or a trained density estimator, in one file: a zip, no pickle.

::

    manifest.json        format, versions, guide, sizes and labels, figures, seed, SHA-256 of the others
    model.emf            the program
    imported/0.emf …     the files that it imports, their names in the manifest
    params.safetensors   what was learned, a tensor a leaf
    refined.safetensors  of a refined fit the noise that its draws are made from
    data.safetensors     predictors: the data that draws are computed from, where there are any, and masks of their missing entries

Observed data are not in it, unless the latents themselves are computed from them, or drawn given them. Draws are made again from
the seed, bit by bit the same.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from emfppl.compiler.distributions import STANDARD, Distribution, Table
from emfppl.compiler.graph import FactorNode, Graph, RandomNode, Role
from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.grammar.source import SourceText
from emfppl.runtime.arguments import wrong
from emfppl.runtime.bind import Binding, bind_description
from emfppl.runtime.certificate import Certificate
from emfppl.runtime.choose_guide import rebuild_guide
from emfppl.runtime.fit import FitResult
from emfppl.runtime.guides.amortised import Amortised
from emfppl.runtime.guides.messages import Messages
from emfppl.runtime.posterior import Posterior
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program
from emfppl.runtime.refined import Refined, facts_from
from emfppl.runtime.report import report_from
from emfppl.runtime.selection import names_read

if TYPE_CHECKING:
    from emfppl.runtime.posterior import Draws

FORMAT = 1
MANIFEST, MODEL, PARAMS, DATA = "manifest.json", "model.emf", "params.safetensors", "data.safetensors"
REFINED = "refined.safetensors"
MISSING, LATENT = " missing", " latent"  # ends of the names of masks
IMPORTED = "imported/{}.emf"
EPOCH = (1980, 1, 1, 0, 0, 0)  # of all entries, so that equal fits make equal files


# ---------------------------------------------------------------- writing


def save(fit: Posterior, path: str | Path) -> None:
    """Write the file; raises `EmfError` E1203 where it can't be written."""
    path = path_of(path, "saved", 'fit.save("fit.emfit")')
    parts = {**source_parts(fit.program.graph), PARAMS: save_tensors(flattened(fit.result.params))}
    if isinstance(fit, Refined):
        parts[REFINED] = save_tensors({"eps": np.asarray(fit.eps, order="C")})
    known = _data_to_keep(fit.program, _passed(fit), _looked_at(fit))
    if known:
        parts[DATA] = save_tensors(known)
    write(path, _manifest(fit), parts)


def write(path: Path, manifest: Mapping[str, Any], parts: Mapping[str, bytes]) -> None:
    """The zip of a manifest and other parts; raises `EmfError` E1203."""
    manifest = {**manifest, "sha256": {name: _hash(part) for name, part in parts.items()}}
    whole = {MANIFEST: json.dumps(manifest, indent=1, allow_nan=False).encode(), **parts}
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, part in whole.items():
                file.writestr(zipfile.ZipInfo(name, EPOCH), part, zipfile.ZIP_DEFLATED)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise EmfError([Diagnostic("E1203", f"{path} can't be written: {why}.")]) from None


def source_parts(graph: Graph) -> dict[str, bytes]:
    """The program, and the files that it imports."""
    source = graph.source or SourceText("")
    parts = {MODEL: source.own_text.encode()}
    return parts | {IMPORTED.format(n): source.text_of(part).encode() for n, part in enumerate(source.files)}


def head(graph: Graph) -> dict[str, Any]:
    """What every manifest begins with."""
    source = graph.source or SourceText("")
    imported = [part.name for part in source.files]
    return {"format": FORMAT, "emfppl": version("emfppl"), "name": source.name, "imported": imported}


def _manifest(fit: Posterior) -> dict[str, Any]:
    result = fit.result
    return {
        **head(fit.program.graph),
        "guide": result.guide.describe(),
        "binding": fit.program.binding.describe(),
        "certificate": {k: _plain(v) for k, v in result.certificate.as_dict().items()},
        "fit": {
            "precision": result.precision,
            "seed": result.seed,
            "seconds": result.seconds,
            "steps": result.steps,
            "warnings": list(result.warnings),
            "report": all_plain(result.report.as_dict()),
        },
        "draws": {"num_draws": fit.num_draws, "seed": fit.seed},
        "refined": {k: _plain(v) for k, v in fit.facts.as_dict().items()} if isinstance(fit, Refined) else None,
    }


def _passed(fit: Posterior) -> tuple[int, ...]:
    """The statements, by position, that inner latents are drawn given."""
    guide = fit.result.guide
    return (*guide.block.division.exact, *guide.block.division.terms) if isinstance(guide, Messages) else ()


def _looked_at(fit: Posterior) -> frozenset[str]:
    """The data that local latents are inferred from by a network."""
    guide = fit.result.guide
    return frozenset(part.name for part in guide.network.inputs_of_data) if isinstance(guide, Amortised) else frozenset()


def _data_to_keep(program: Program, passed: Iterable[int], also: frozenset[str]) -> Draws:
    """Predictors, and the observed data that latents or what is computed from them are made of."""
    graph, binding = program.graph, program.binding
    made = [n for n in graph.nodes if not isinstance(n, FactorNode) and not (isinstance(n, RandomNode) and n.observed)]
    read = {name for node in made for name in names_read(node)} | set(binding.latent) | also
    for n in (*passed, *(n for m in graph.marginals for n in m.nodes)):  # latents that are drawn given what depends on them
        read |= {getattr(getattr(graph.nodes[n], "target", None), "name", ""), *names_read(graph.nodes[n])}
    kept = {v.name for v in graph.of_role(Role.DATA)} | {v.name for v in graph.of_role(Role.OBSERVED) if v.name in read}
    masks = {f"{name}{MISSING}": mask for name, mask in binding.missing.items()}
    masks |= {f"{name}{LATENT}": mask for name, mask in binding.latent.items()}
    values = {name: value for name, value in binding.values.items() if name in kept}
    return {name: np.asarray(value, order="C") for name, value in {**values, **masks}.items()}


def flattened(tree: Mapping[str, Any], prefix: str = "") -> Draws:
    """Leaves under names such as ``backbone/affine/loc``."""
    out: Draws = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            out |= flattened(value, f"{prefix}{name}/")
        else:
            out[f"{prefix}{name}"] = np.asarray(value, np.float64, order="C")
    return out


def _plain(value: Any) -> Any:
    """A number for JSON, one that is not finite as text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def all_plain(value: Any) -> Any:
    """Nested plain values for JSON."""
    if isinstance(value, dict):
        return {k: all_plain(v) for k, v in value.items()}
    return [all_plain(v) for v in value] if isinstance(value, list) else _plain(value)


def _hash(part: bytes) -> str:
    return hashlib.sha256(part).hexdigest()


# ---------------------------------------------------------------- reading


def open_saved(path: str | Path, *, distributions: Iterable[Distribution] = ()) -> Any:
    """What ``fit.save(path)`` or ``flow.save(path)`` wrote: a `Posterior` that draws again without the training data, or a `Flow`.

    `distributions`: those that the program was loaded with. Raises `EmfError` E1201, E1202, E1207, E1208.
    """
    path = path_of(path, "opened", 'emfppl.open("fit.emfit")')
    parts = _parts(path)
    try:
        manifest = json.loads(parts[MANIFEST])
        _check_format(path, manifest)
        if any(_hash(parts[name]) != wanted for name, wanted in manifest["sha256"].items()):
            raise _damaged(path)
        table = STANDARD.extended(*distributions) if distributions else STANDARD
        graph = compile_text(_source(manifest, parts), table)
        if "density" in manifest:
            from emfppl.runtime.density.flow_store import rebuilt

            return rebuilt(graph, table, manifest, parts)
        return _rebuilt(graph, table, manifest, parts)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error


def path_of(path: str | Path, verb: str, example: str) -> Path:
    if isinstance(path, str | Path):
        return Path(path).expanduser()
    raise wrong(f"A fit is {verb} by the name of a file; {path!r} is none.", f"write {example}")


def _parts(path: Path) -> dict[str, bytes]:
    try:
        whole = path.read_bytes()
    except FileNotFoundError:
        raise EmfError([Diagnostic("E1201", f"There is no file {path}.")]) from None
    except OSError as error:
        why = "it is a folder" if path.is_dir() else (error.strerror or str(error)).lower()
        raise EmfError([Diagnostic("E1202", f"{path} can't be read: {why}.")]) from None
    try:
        with zipfile.ZipFile(io.BytesIO(whole)) as file:
            return {name: file.read(name) for name in file.namelist()}
    except Exception as error:  # zipfile raises many kinds, zlib's and struct's among them
        raise _damaged(path) from error


def _damaged(path: Path) -> EmfError:
    hint = "was it written by fit.save, and copied as a whole?"
    return EmfError([Diagnostic("E1207", f"{path} is no saved fit, or it is damaged.", hint=hint)])


def _check_format(path: Path, manifest: Mapping[str, Any]) -> None:
    if int(manifest["format"]) > FORMAT:
        message = f"{path} was written by emfppl {manifest['emfppl']}, in a form that {version('emfppl')} does not know."
        raise EmfError([Diagnostic("E1208", message, hint="update emfppl")])


def _source(manifest: Mapping[str, Any], parts: Mapping[str, bytes]) -> SourceText:
    """The program, with the files that it imports."""
    source = SourceText(parts[MODEL].decode(), str(manifest["name"]))
    for n, name in enumerate(manifest.get("imported", ())):
        source = source.with_part(parts[IMPORTED.format(n)].decode(), str(name))
    return source


def _rebuilt(graph: Graph, table: Table, manifest: Mapping[str, Any], parts: Mapping[str, bytes]) -> Posterior:
    described = bind_description(graph, manifest["binding"])
    kept = load_tensors(parts[DATA]) if DATA in parts else {}
    missing, latent = ({n.removesuffix(end): x for n, x in kept.items() if n.endswith(end)} for end in (MISSING, LATENT))
    values = {name: x for name, x in kept.items() if not name.endswith((MISSING, LATENT))}
    binding = Binding(graph, described.sizes, described.coords, values, missing, described.absent - set(values), latent)
    program = Program(binding, table)
    how = manifest["fit"]
    with precision(how["precision"]):
        guide = rebuild_guide(program, manifest["guide"])
        params = filled(guide.init(0), load_tensors(parts[PARAMS]))
    figures: dict[str, Any] = {k: float(v) if isinstance(v, str) else v for k, v in manifest["certificate"].items()}
    facts = (how["precision"], how["seed"], how["seconds"], how["steps"], tuple(how["warnings"]))
    told = report_from(how.get("report", {"attempts": (), "stopped": ""}))
    result = FitResult(guide, params, Certificate(**figures), *facts, report=told)
    if manifest.get("refined"):
        return Refined(program, result, load_tensors(parts[REFINED])["eps"], facts_from(manifest["refined"]))
    return Posterior(program, result, manifest["draws"]["num_draws"], manifest["draws"]["seed"])


def filled(template: Mapping[str, Any], tensors: Mapping[str, np.ndarray], prefix: str = "") -> dict[str, Any]:
    """The tree with the structure of `template` and the values of the tensors; KeyError or ValueError if they differ."""
    out: dict[str, Any] = {}
    for name, value in template.items():
        if isinstance(value, Mapping):
            out[name] = filled(value, tensors, f"{prefix}{name}/")
        else:
            tensor = tensors[f"{prefix}{name}"]
            if tensor.shape != np.shape(value):
                raise ValueError(name)
            out[name] = tensor
    return out
