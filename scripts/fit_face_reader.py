"""Makes models/face-reader.safetensors, the judge of finished pictures of faces (see `evaluation.face_reader`).

`python scripts/fit_face_reader.py [--work FOLDER]`, half an hour on two cores; FOLDER keeps what it has made. In three
steps: a linear probe of the twelve faces labelled by hand, on the second convolutions' features of 16² to 128², each
face in several styles, so that colours do not matter; random pictures that it labels; the network, which sees these
pictures mirrored, turned, warped and in other light.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from smis_desktop.cli.console import Console  # noqa: E402
from smis_desktop.evaluation.face_classes import READ_CLASSES  # noqa: E402
from smis_desktop.evaluation.face_reader import (  # noqa: E402
    INPUT_SIDE,
    KIND,
    SIDE,
    VERSION,
    FaceReader,
    face_reader_path,
)
from smis_desktop.formats.shots_folder import read_shots  # noqa: E402
from smis_desktop.generators.generator import Generator, latents_of_seed  # noqa: E402
from smis_desktop.generators.store import open_generator  # noqa: E402
from smis_desktop.inference.backend_selection import open_chosen_backend  # noqa: E402
from smis_desktop.personal_model.encoder import layout_channels  # noqa: E402
from smis_desktop.personal_model.label_transfer import LinearProbe, upsampled_sum  # noqa: E402
from smis_desktop.resources import resources_folder  # noqa: E402
from smis_desktop.storage.safetensors_file import read_tensors, write_tensors  # noqa: E402
from smis_desktop.training.shots import read_generated_pictures  # noqa: E402

SHOTS = resources_folder() / "faces-shots"
FEATURE_SIDES = (16, 32, 64, 128)
NUM_STYLES = 2
STATISTICS_PICTURES = 16
PROBE_STEPS, PROBE_RATE, PROBE_DECAY, PROBE_FACES = 150, 0.02, 1e-3, 4
RARITY = 0.4
"""Classes weigh by their area to the power of minus this."""

NUM_PICTURES = 700
FIRST_SEED, STYLE_SEEDS = 20_000, 40_000
TRUNCATIONS = (0.7, 0.85, 1.0)

BATCH, DECAY = 6, 1e-2
ROUNDS = ((1_200, 2e-3, 1.0), (1_100, 1.5e-3, 0.35))
"""Steps, learning rate, and how strongly pictures are varied: first much, for what it has not seen, then little, for
outlines."""
READER_RARITY = 0.25
WARP_CELLS, WARP = 6, 0.035
LIGHT, CONTRAST, NOISE = 0.3, 0.3, 0.05
BLURRED = 0.7
"""A batch is blurred when the largest of its random numbers, at most 1, is below this."""


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Make the judge of pictures of faces.")
    parser.add_argument("--work", type=Path, default=CHECKOUT / "build" / "face-reader", help="keeps what was made")
    work: Path = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    console = Console(sys.stdout, sys.stderr)
    generator = open_generator("faces")
    probe = kept(work / "probe.safetensors", lambda: learned_probe(generator, console))
    weights = {int(name): tensor for name, tensor in probe.items() if name != "bias"}
    pictures = kept(
        work / "pictures.safetensors",
        lambda: labelled_pictures(generator, LinearProbe(weights, probe["bias"]), console),
    )
    reader = learned_reader(pictures["pictures"], pictures["labels"], work, console)
    halves = {name: tensor.half() for name, tensor in reader.state_dict().items()}
    path = face_reader_path()
    write_tensors(path, KIND, VERSION, halves, {"generator": generator.weights_sha256, "classes": list(READ_CLASSES)})
    print(f"{path}: {path.stat().st_size:,} bytes")


def kept(path: Path, make) -> dict[str, Tensor]:  # type: ignore[no-untyped-def]
    """Return the tensors that are kept at `path`; else make and keep them."""
    if not path.is_file():
        write_tensors(path, "face-reader-part", 1, make(), {})
    return read_tensors(path, "face-reader-part", 1, "delete it")[0]


def in_style(generator: Generator, ws: Tensor, seed: int | None) -> Tensor:
    """Return `ws` [num_ws, D] with the fine slots of a random picture; None leaves them."""
    fine = generator.fine_slots.start
    return ws if seed is None else torch.cat((ws[:fine], latents_of_seed(generator, seed, 0.9)[fine:]))


@torch.no_grad()
def learned_probe(generator: Generator, console: Console) -> dict[str, Tensor]:
    """Fit the probe to the faces that were labelled by hand: its weights by the side of their features, and `bias`."""
    folder, generated = read_shots(SHOTS), read_generated_pictures(SHOTS)
    assert generated is not None, "the shipped shots come with their seeds"
    found = [
        generator.features(latents_of_seed(generator, seed, 1.0)[None], FEATURE_SIDES)
        for seed in range(STATISTICS_PICTURES)
    ]
    stacked = {r: torch.cat([maps[r] for maps in found]) for r in FEATURE_SIDES}
    mean = {r: maps.mean((0, 2, 3)) for r, maps in stacked.items()}
    std = {r: maps.std((0, 2, 3)).clamp_min(1e-6) for r, maps in stacked.items()}
    rows: list[dict[int, Tensor]] = []
    labels: list[Tensor] = []
    for number, shot in enumerate(folder.shots):
        made = generated.by_name()[shot.name]
        ws = latents_of_seed(generator, made.seed, made.truncation)
        for style in (None, *(STYLE_SEEDS - 100 * k - number for k in range(1, NUM_STYLES))):
            maps = generator.features(in_style(generator, ws, style)[None], FEATURE_SIDES)
            rows.append({r: ((x[0].flatten(1).T - mean[r]) / std[r]).contiguous() for r, x in maps.items()})
            labels.append(layout_channels(shot.label_map, folder.palette, "dense", SIDE))
    weights, bias = fitted(rows, torch.stack(labels), console)
    folded = {r: weight / std[r] for r, weight in weights.items()}
    shift = torch.stack([folded[r] @ mean[r] for r in FEATURE_SIDES]).sum(0)
    return {**{str(r): weight.contiguous() for r, weight in folded.items()}, "bias": bias - shift}


@torch.enable_grad()
def fitted(rows: list[dict[int, Tensor]], labels: Tensor, console: Console) -> tuple[dict[int, Tensor], Tensor]:
    """Fit weights {r: [C, Z_r]} and bias [C] to standardised features {r: [r², Z_r]} of each face."""
    classes = len(READ_CLASSES)
    weights = {r: torch.zeros(classes, x.shape[1], requires_grad=True) for r, x in rows[0].items()}
    bias = torch.zeros(classes, requires_grad=True)
    decay = PROBE_DECAY * sum(x.shape[1] for x in rows[0].values())
    adam = torch.optim.Adam([*weights.values(), bias], lr=PROBE_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, PROBE_STEPS)
    class_weights = rarity_weights(labels, RARITY)
    for step in range(PROBE_STEPS):
        console.progress("Learning the probe", step / PROBE_STEPS)
        random = torch.Generator().manual_seed(step)
        chosen = torch.randperm(len(rows), generator=random)[:PROBE_FACES].tolist()
        layers = {
            r: torch.stack([rows[i][r] @ weight.T for i in chosen]).mT.reshape(len(chosen), classes, r, r)
            for r, weight in weights.items()
        }
        scores = upsampled_sum(layers) + bias[:, None, None]
        loss = F.cross_entropy(scores, labels[chosen], class_weights, ignore_index=-1)
        loss = loss + decay * torch.stack([weight.square().sum() for weight in weights.values()]).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
    return {r: weight.detach() for r, weight in weights.items()}, bias.detach()


def rarity_weights(labels: Tensor, power: float) -> Tensor:
    """Return a weight for each class, more for rare ones, with a mean of 1 over the labelled cells."""
    counts = torch.bincount(labels[labels >= 0].flatten(), minlength=len(READ_CLASSES)).float()
    weights = counts.clamp_min(1) ** -power
    return weights * counts.sum() / (weights * counts).sum()


@torch.inference_mode()
def labelled_pictures(generator: Generator, probe: LinearProbe, console: Console) -> dict[str, Tensor]:
    """Return `pictures` uint8 [N, 3, INPUT_SIDE, INPUT_SIDE] and `labels` uint8 [N, SIDE, SIDE], positions in
    `READ_CLASSES`: every second one in a style of its own."""
    backend = open_chosen_backend(generator, torch.get_num_threads(), console.progress)
    pictures, labels = [], []
    for number in range(NUM_PICTURES):
        console.progress("Making pictures", number / NUM_PICTURES)
        ws = latents_of_seed(generator, FIRST_SEED + number, TRUNCATIONS[number % len(TRUNCATIONS)])
        ws = in_style(generator, ws, STYLE_SEEDS + number if number % 2 else None)[None]
        labels.append(probe.label(generator.features(ws, FEATURE_SIDES))[0].to(torch.uint8))
        picture = backend.synthesize_fine(backend.coarse_features(ws), ws, INPUT_SIDE, None)[0]
        pictures.append((picture.clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8))
    return {"pictures": torch.stack(pictures), "labels": torch.stack(labels)}


def learned_reader(pictures: Tensor, labels: Tensor, work: Path, console: Console) -> FaceReader:
    """Teach the network, round after round; each is kept in `work`. Deterministic."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        reader = FaceReader().to(memory_format=torch.channels_last)
    for number in range(len(ROUNDS)):
        learned = kept(work / f"round-{number}.safetensors", partial(taught, reader, pictures, labels, number, console))
        reader.load_state_dict(learned)
    return reader.eval()


def taught(reader: FaceReader, pictures: Tensor, labels: Tensor, number: int, console: Console) -> dict[str, Tensor]:
    """Teach the network for one round, and return its weights."""
    steps, rate, strength = ROUNDS[number]
    class_weights = rarity_weights(labels.long(), READER_RARITY)
    adam = torch.optim.AdamW(reader.parameters(), lr=rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, rate, total_steps=steps)
    random = torch.Generator().manual_seed(number)
    for step in range(steps):
        chosen = torch.randint(len(pictures), (BATCH,), generator=random)
        seen, wanted = varied(pictures[chosen].float() / 127.5 - 1, labels[chosen], random, strength)
        with torch.autocast("cpu", torch.bfloat16):
            scores = reader(seen.to(memory_format=torch.channels_last))
        loss = F.cross_entropy(scores.float(), wanted, class_weights)
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
        console.progress(f"Teaching the network ({number + 1} of {len(ROUNDS)})", step / steps)
    return {name: tensor.contiguous() for name, tensor in reader.state_dict().items()}


def varied(pictures: Tensor, labels: Tensor, random: torch.Generator, strength: float) -> tuple[Tensor, Tensor]:
    """Mirror, turn, scale, move and warp pictures with their labels, and change light, contrast, sharpness and noise of
    the pictures. Returns pictures and int64 labels."""
    n = len(pictures)

    def drawn(*shape: int) -> Tensor:
        return strength * (torch.rand(n, *shape, generator=random) * 2 - 1)

    angle, scale, shift = 0.2 * drawn(), 1 + 0.15 * drawn(), 0.12 * drawn(2, 1)
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    mirror = torch.where(drawn() < 0, -1.0, 1.0)
    rows = torch.stack((torch.stack((cosine * mirror, -sine), 1), torch.stack((sine * mirror, cosine), 1)), 1)
    places = F.affine_grid(torch.cat((rows, shift), 2), [n, 1, INPUT_SIDE, INPUT_SIDE], align_corners=False)
    warp = F.interpolate(WARP * drawn(2, WARP_CELLS, WARP_CELLS), places.shape[1:3], mode="bicubic").permute(0, 2, 3, 1)
    places = places + warp
    moved = F.grid_sample(pictures, places, padding_mode="reflection", align_corners=False)
    small = F.avg_pool2d(places.permute(0, 3, 1, 2), INPUT_SIDE // SIDE).permute(0, 2, 3, 1)
    wanted = F.grid_sample(labels[:, None].float(), small, "nearest", padding_mode="reflection", align_corners=False)
    if float(drawn().max()) < strength * BLURRED:
        moved = F.interpolate(F.avg_pool2d(moved, 2), (INPUT_SIDE, INPUT_SIDE), mode="bilinear")
    moved = moved * (1 + CONTRAST * drawn(1, 1, 1)) + LIGHT * drawn(3, 1, 1) * (1 + drawn(1, 1, 1)) / 2
    moved = moved + NOISE * drawn(1, 1, 1).abs() * torch.randn(moved.shape, generator=random)
    return moved.clamp(-1, 1), wanted[:, 0].round().long()


if __name__ == "__main__":
    main()
