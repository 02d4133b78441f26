"""Print the table of `smis_desktop/document/palette.py`: 255 colours that stay apart for every kind of eye.

Each colour in turn is the one farthest from all before it. The distance of two colours is their distance in OKLab (a
space where equal distances look equal), seen with full colour vision or, a little discounted, without red, green or
blue cones (Machado, Oliveira & Fernandes 2009), whichever is smallest. Black, white and the mid-grey of unpainted
pixels count as taken before the first, and colours close to black and white are left out.
"""

from __future__ import annotations

import numpy as np

# Linear RGB as a protanope, a deuteranope and a tritanope sees it.
BLIND = np.array(
    [
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)
DISCOUNT = 1.6  # Blind eyes lack a whole dimension; without it, their lightness steps alone would rule the table.
TAKEN = np.array([[0, 0, 0], [255, 255, 255], [128, 128, 128]])


def oklab(linear: np.ndarray) -> np.ndarray:
    """Convert linear sRGB [..., 3] to OKLab (Ottosson 2020)."""
    lms = linear @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    lab: np.ndarray = np.cbrt(lms) @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )
    return lab


def looks(colors: np.ndarray) -> np.ndarray:
    """Return what four kinds of eyes see of sRGB [N, 3], 0–255: OKLab [4, N, 3], with the distances of colour-blind
    eyes discounted."""
    srgb = colors / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    blind = np.clip(np.einsum("kij,nj->kni", BLIND, linear), 0, 1)
    return np.concatenate([oklab(linear)[None], oklab(blind) * DISCOUNT])


def distances(seen: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Return the distances [N] of `seen` [4, N, 3] from `one` [4, 3]."""
    apart: np.ndarray = np.linalg.norm(seen - one[:, None], axis=-1)
    return np.asarray(apart.min(axis=0))


def make_table(count: int = 255) -> np.ndarray:
    """Return the colour table, uint8 [count, 3]."""
    steps = np.array([16, 40, 64, 88, 112, 136, 160, 184, 208, 232, 248])
    candidates = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    lightness = looks(candidates)[0, :, 0]
    candidates = candidates[(lightness > 0.35) & (lightness < 0.94)]
    seen = looks(candidates)
    nearest = np.min([distances(seen, one) for one in looks(TAKEN).transpose(1, 0, 2)], axis=0)
    table = []
    for _ in range(count):
        best = int(nearest.argmax())
        table.append(candidates[best])
        nearest = np.minimum(nearest, distances(seen, seen[:, best]))
    return np.array(table, np.uint8)


if __name__ == "__main__":
    texts = ["".join(f"{c:02x}" for c in color) for color in make_table()]
    for start in range(0, len(texts), 15):
        print(f'    "{" ".join(texts[start : start + 15])} "')
