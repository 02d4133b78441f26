"""Makes models/faces-parts.safetensors: the part prior of faces (docs/decisions/0010-probes-have-a-part-prior.md).

`python scripts/fit_face_parts.py`, five minutes on two cores. It learns from 560 random pictures that nobody labelled.
Their labels come from three sources:

- Twelve pictures that ship labelled by hand. A probe of them tells hair, ears, neck, clothes, hats and glasses; beside
  features it reads the cues of the other two.
- A face mesh: outlines of eyes, brows and lips, and the face's oval.
- A person mask: where the background is.

The mesh and the mask come from mediapipe, which has its own environment; scripts/face-outlines.npz keeps what they
found. To find it anew: `python scripts/fit_face_parts.py --pictures FOLDER`, then scripts/outline_faces.py there, then
`python scripts/fit_face_parts.py --outlines OUT.npz` here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from torch import Tensor
from torch.nn import functional as F

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from scripts.face_evidence import SIDE, Evidence, read_evidence, shrunk  # noqa: E402
from smis_desktop.formats.shots_folder import read_shots  # noqa: E402
from smis_desktop.generators.generator import FeatureKind, Generator, latents_of_seed, to_rgb8  # noqa: E402
from smis_desktop.generators.store import open_generator, write_part_prior  # noqa: E402
from smis_desktop.personal_model.encoder import layout_channels  # noqa: E402
from smis_desktop.personal_model.probe_learning import feature_statistics  # noqa: E402
from smis_desktop.resources import models_folder, resources_folder  # noqa: E402
from smis_desktop.training.shots import read_generated_pictures  # noqa: E402

PARTS = (
    "background", "skin", "nose", "left eye", "right eye", "left brow", "right brow", "left ear", "right ear",
    "inner mouth", "upper lip", "lower lip", "hair", "neck", "clothes", "glasses", "hat",
)  # fmt: skip
HAND_CLASSES = (
    "background", "skin", "nose", "eyes", "brows", "ears", "mouth", "hair", "neck", "clothes", "glasses", "hat",
)  # fmt: skip
OUTLINES = CHECKOUT / "scripts" / "face-outlines.npz"
HAND = "hand-"
PICTURES, FIRST_SEED, TRUNCATIONS = 560, 200_000, (0.7, 0.85, 1.0)
CELLS = 480
"""Cells of a picture that are learned from; thin parts and borders have most of them."""
HAND_SHARE, HAND_STEPS, HAND_DECAY, CUE_DECAY = 0.15, 120, 1e-3, 1e-6
EPOCHS, BATCH, DECAY, RARITY, MAX_WEIGHT = 5, 8192, 3e-5, 0.4, 100.0


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of many pictures. features {kind: float16 [n, Z]}, targets: shares of the parts [n, K]; weights: [n]."""

    features: dict[FeatureKind, Tensor]
    targets: Tensor
    weights: Tensor


@dataclass(frozen=True, eq=False)
class HandProbe:
    """Scores the classes of the pictures labelled by hand from fine features, concatenated, and cues."""

    weights: Tensor
    cue_weights: Tensor
    bias: Tensor

    def scores(self, features: dict[int, Tensor], evidence: Evidence) -> Tensor:
        """Return [128², 12] of one picture."""
        scores, first = self.bias + torch.from_numpy(evidence.cues()) @ self.cue_weights, 0
        for side in sorted(features):
            own = self.weights[first : first + features[side].shape[1]]
            scores = scores + rows(F.conv2d(features[side], own.T[:, :, None, None]))
            first += len(own)
        return scores


def main() -> None:
    """Write the pictures to outline, or the part prior."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--pictures", type=Path, help="only write the pictures that are to be outlined, to this folder"
    )
    options.add_argument("--outlines", type=Path, help="keep what scripts/outline_faces.py found in them")
    chosen = options.parse_args()
    generator = open_generator("faces")
    if chosen.pictures is not None:
        write_pictures(generator, chosen.pictures)
        return
    if chosen.outlines is not None:
        shrunk(chosen.outlines, OUTLINES)
    weights, bias = known_parts(generator)
    path = models_folder() / "faces-parts.safetensors"
    write_part_prior(path, generator.weights_sha256, weights, bias, PARTS)
    print(f"{path}: {len(PARTS)} parts, {path.stat().st_size:,} bytes")


def known_parts(
    generator: Generator, without: Collection[str] = ()
) -> tuple[dict[FeatureKind, dict[int, Tensor]], dict[FeatureKind, Tensor]]:
    """Learn the parts: for each kind of features the weights {r: [K, Z_r]} and the bias [K].

    Args:
        without: pictures labelled by hand that are not to have a say.
    """
    evidence = read_evidence(OUTLINES)
    hand = learn_from_hand(generator, evidence, without)
    cells = labelled_cells(generator, hand, evidence)
    kinds: tuple[FeatureKind, ...] = ("label", "fine")
    fitted = {kind: fit(generator, cells, kind) for kind in kinds}
    return {kind: own for kind, (own, _) in fitted.items()}, {kind: bias for kind, (_, bias) in fitted.items()}


def random_pictures(generator: Generator) -> Iterator[tuple[str, Tensor]]:
    """Yield the name and `ws` of each random picture."""
    for number in range(PICTURES):
        truncation = TRUNCATIONS[number % len(TRUNCATIONS)]
        yield f"random-{number:04}", latents_of_seed(generator, FIRST_SEED + number, truncation)


def hand_labelled(generator: Generator) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield the name, `ws` and labels (int64 [128, 128] in channels) of each picture labelled by hand."""
    folder = resources_folder() / "faces-shots"
    shots, generated = read_shots(folder), read_generated_pictures(folder)
    assert generated is not None, "the shipped shots come with their seeds"
    assert tuple(c.name for c in shots.palette.classes) == HAND_CLASSES
    for shot in shots.shots:
        made = generated.by_name()[shot.name]
        ws = latents_of_seed(generator, made.seed, made.truncation)
        yield HAND + shot.name, ws, layout_channels(shot.label_map, shots.palette, "dense", SIDE)


@torch.inference_mode()
def write_pictures(generator: Generator, folder: Path) -> None:
    """Write a PNG of 512² of each picture."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, ws in [*((name, ws) for name, ws, _ in hand_labelled(generator)), *random_pictures(generator)]:
        cv2.imwrite(str(folder / f"{name}.png"), to_rgb8(generator.draft(ws[None], 512)[0])[:, :, ::-1])


def rows(maps: Tensor) -> Tensor:
    """Enlarge [1, Z, r, r] to 128² cells, and return one a row: [128², Z]."""
    return F.interpolate(maps, size=(SIDE, SIDE), mode="bilinear", align_corners=False)[0].flatten(1).T


def learn_from_hand(generator: Generator, evidence: dict[str, Evidence], without: Collection[str]) -> HandProbe:
    """Fit the probe of the pictures labelled by hand by class-weighted cross-entropy."""
    random = torch.Generator().manual_seed(0)
    pixels, cues, labels = [], [], []
    for name, ws, own in hand_labelled(generator):
        if name.removeprefix(HAND) in without:
            continue
        picked = torch.rand(SIDE * SIDE, generator=random) < HAND_SHARE
        with torch.no_grad():
            features = generator.features_of_kind(ws[None], "fine")
            pixels.append(torch.cat([rows(features[side])[picked] for side in sorted(features)], 1))
        cues.append(torch.from_numpy(evidence[name].cues())[picked])
        labels.append(own.flatten()[picked])
    x, extra, y = torch.cat(pixels), torch.cat(cues), torch.cat(labels)
    mean, std = x.mean(0), x.std(0) + 1e-6
    x = (x - mean) / std
    counts = torch.bincount(y, minlength=len(HAND_CLASSES)).float()
    class_weights = counts.clamp_min(1).rsqrt()
    weights, cue_weights = (
        torch.zeros(width, len(counts), requires_grad=True) for width in (x.shape[1], extra.shape[1])
    )
    bias = torch.zeros(len(counts), requires_grad=True)
    adam = torch.optim.Adam([weights, cue_weights, bias], lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, HAND_STEPS)
    for _ in range(HAND_STEPS):
        loss = F.cross_entropy(x @ weights + extra @ cue_weights + bias, y, class_weights)
        penalty = HAND_DECAY * weights.square().sum() + CUE_DECAY * cue_weights.square().sum()
        adam.zero_grad()
        (loss + x.shape[1] * penalty).backward()
        adam.step()
        schedule.step()
    with torch.no_grad():
        folded = weights / std[:, None]
        return HandProbe(folded, cue_weights.detach(), bias.detach() - mean @ folded)


def part_shares(scores: Tensor, evidence: Evidence) -> Tensor:
    """Combine the hand probe's scores [128², 12] with the evidence to shares of the parts, [128², K].

    The person mask shifts the background's log odds. Ears, neck and clothes are not inside the face's oval, ears close
    to it, and what is below it is no skin. Eyes, brows and lips are where the mesh has them alone, but hair and hats
    hide brows.
    """
    log = scores.log_softmax(1).clone()
    of = {name: torch.from_numpy(value).flatten() for name, value in vars(evidence).items()}
    channel = {name: number for number, name in enumerate(HAND_CLASSES)}
    person = of["person"].clamp(0.02, 0.98)
    log[:, channel["background"]] -= (person / (1 - person)).log().clamp(-3, 3)
    for name in ("ears", "neck", "clothes"):
        log[:, channel[name]] -= torch.where(of["depth"] > 0.06, 6.0, 0.0)
    log[:, channel["ears"]] -= torch.where(of["depth"] < -0.55, 6.0, 0.0)
    log[:, channel["skin"]] -= torch.where((of["depth"] < -0.04) & (of["down"] > 0.9), 4.0, 0.0)
    for name in ("eyes", "brows", "mouth"):
        log[:, channel[name]] = -1e3
    best = log.argmax(1)
    shares = torch.zeros(len(log), len(PARTS))
    for part in ("background", "skin", "nose", "hair", "neck", "clothes", "glasses", "hat"):
        shares[:, PARTS.index(part)] = (best == channel[part]).float()
    is_ear, is_left = best == channel["ears"], of["across"] > 0
    shares[:, PARTS.index("left ear")] = (is_ear & is_left).float()
    shares[:, PARTS.index("right ear")] = (is_ear & ~is_left).float()
    inner = torch.minimum(of["inner_mouth"], of["mouth"])
    upper = torch.minimum(of["upper_lip"], of["mouth"] - inner)
    shares *= 1 - of["mouth"][:, None]
    for part, share in (("inner mouth", inner), ("upper lip", upper), ("lower lip", of["mouth"] - inner - upper)):
        shares[:, PARTS.index(part)] += share
    is_hidden = log.softmax(1)[:, [channel["hair"], channel["hat"]]].sum(1) > 0.7
    brows = [(f"{side} brow", of[f"{side}_brow"].where(~is_hidden, 0.0)) for side in ("left", "right")]
    for part, share in (*brows, ("left eye", of["left_eye"]), ("right eye", of["right_eye"])):
        shares *= 1 - share[:, None]
        shares[:, PARTS.index(part)] += share
    return shares / shares.sum(1, keepdim=True)


def picked_cells(shares: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pick about `CELLS` of the cells: half for the parts alike, the others at borders and anywhere.

    Returns:
        Their indices, and one over the probability that each had.
    """
    best = shares.argmax(1)
    counts = torch.bincount(best, minlength=len(PARTS)).float()
    grid = best.view(SIDE, SIDE)
    border = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    across, down = grid[:, 1:] != grid[:, :-1], grid[1:] != grid[:-1]
    border[:, 1:] |= across
    border[:, :-1] |= across
    border[1:] |= down
    border[:-1] |= down
    probability = 0.5 / (counts > 0).sum() / counts[best] + 0.25 / len(best)
    probability += 0.25 * border.flatten() / border.sum()
    probability = (CELLS * probability).clamp_max(1)
    picked = (torch.rand(len(best), generator=random) < probability).nonzero()[:, 0]
    return picked, 1 / probability[picked]


@torch.no_grad()
def labelled_cells(generator: Generator, hand: HandProbe, evidence: dict[str, Evidence]) -> Cells:
    """Label the random pictures, and pick cells of each."""
    random = torch.Generator().manual_seed(0)
    found: dict[FeatureKind, list[Tensor]] = {"label": [], "fine": []}
    targets, weights = [], []
    for name, ws in random_pictures(generator):
        coarse = generator.coarse_features(ws[None])
        own: dict[FeatureKind, dict[int, Tensor]] = {
            "label": coarse.label_features,
            "fine": generator.fine_label_features(coarse),
        }
        shares = part_shares(hand.scores(own["fine"], evidence[name]), evidence[name])
        picked, weight = picked_cells(shares, random)
        centres = (torch.stack((picked % SIDE, picked // SIDE), -1) + 0.5) * 2 / SIDE - 1
        for kind, of_kind in found.items():
            maps = [
                F.grid_sample(own[kind][side], centres[None, None], padding_mode="border", align_corners=False)
                for side in sorted(own[kind])
            ]
            of_kind.append(torch.cat([x[0, :, 0].T for x in maps], 1).half())
        targets.append(shares[picked])
        weights.append(weight)
    features = {kind: torch.cat(of_kind) for kind, of_kind in found.items()}
    return Cells(features, torch.cat(targets), torch.cat(weights).clamp_max(MAX_WEIGHT))


def fit(generator: Generator, cells: Cells, kind: FeatureKind) -> tuple[dict[int, Tensor], Tensor]:
    """Fit weights {r: [K, Z_r]} and bias [K] to the cells, by part-weighted cross-entropy against shares."""
    means, stds = feature_statistics(generator, kind)
    mean, std = (torch.cat([own[r].flatten() for r in sorted(own)]) for own in (means, stds))
    areas = (cells.targets * cells.weights[:, None]).sum(0)
    targets = cells.targets * areas.clamp_min(1) ** -RARITY * cells.weights[:, None]
    targets *= len(targets) / targets.sum()
    weights = torch.zeros(len(PARTS), len(mean), requires_grad=True)
    bias = torch.zeros(len(PARTS), requires_grad=True)
    steps = EPOCHS * (len(targets) // BATCH)
    adam = torch.optim.Adam([weights, bias], lr=0.01, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, 0.01, total_steps=steps, pct_start=0.1)
    random = torch.Generator().manual_seed(0)
    for _ in range(EPOCHS):
        order = torch.randperm(len(targets), generator=random)
        for batch in order[: len(order) // BATCH * BATCH].split(BATCH):
            scores = ((cells.features[kind][batch].float() - mean) / std) @ weights.T + bias
            loss = -(targets[batch] * scores.log_softmax(1)).sum(1).mean()
            adam.zero_grad()
            (loss + DECAY * len(mean) * weights.square().sum()).backward()
            adam.step()
            schedule.step()
    with torch.no_grad():
        folded = weights / std
        widths = [means[r].shape[1] for r in sorted(means)]
        of_sides = dict(zip(sorted(means), folded.split(widths, 1), strict=True))
        return of_sides, bias - folded @ mean


if __name__ == "__main__":
    main()
