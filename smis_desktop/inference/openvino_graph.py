"""MobileStyleGAN in the three parts that OpenVINO runs, in an order that its processor plugin computes quickly.

The arithmetic is `gan.mobile_stylegan`'s up to rounding, but for five things:

- The inverse Haar step adds and subtracts four bands, then moves pixels. For that the bands lie one behind the other
  (`haar.by_bands`): the convolutions before it have their weights in that order. Taking interleaved channels apart, as
  torch does, took half of the plugin's time; a matrix product instead, two fifths of all products of a draft.
- Noise is an input. Of a constant, the plugin makes noise plus bias, as large as a feature map, for every convolution:
  a quarter of a gigabyte to keep, and to read for every picture.
- The scales of an upsampling and of the convolution behind it are one product: both steps between them keep channels
  apart, so that a scale may be taken before or after.
- Feature maps go in and out with their channels last, as the plugin has them: [N, r, r, Z].
- Scales are convolutions of one pixel: one of those the plugin keeps in float32 where it is told to, a matrix product
  not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.generators.feature_basis import rounded
from smis_desktop.generators.layers import LEAK, by_bands, haar_matrix, inverse_haar_of_bands
from smis_desktop.generators.mobile_stylegan import Affine, Block, MobileStyleGAN, PictureHead, StyledConv


class Part(nn.Module):
    """A stretch of the generator. `noises`: what it has to be given after its other inputs, [1, 1, r, r] each."""

    def __init__(self, generator: MobileStyleGAN, convs: list[StyledConv]) -> None:
        super().__init__()
        self.generator = generator
        self.noises = tuple(conv.noise.detach() for conv in convs)
        for channels in set(generator.channels):
            order = by_bands(channels)
            self.register_buffer(f"bands_{channels}", order, persistent=False)
            self.register_buffer(f"no_bands_{channels}", order.argsort(), persistent=False)

    def bands(self, channels: int) -> Tensor:
        """The order that so many channels have between blocks."""
        return self.get_buffer(f"bands_{channels}")

    def in_own_order(self, x: Tensor) -> Tensor:
        """The generator's, of maps [N, r, r, Z] from between two blocks."""
        return x.index_select(3, self.get_buffer(f"no_bands_{x.shape[3]}"))

    def first(self, ws: Tensor, noises: Iterator[Tensor]) -> Tensor:
        """What the first block reads."""
        conv = self.generator.first
        return _styled(conv, self.generator.constant, ws[:, 0], noises, self.bands(len(conv.bias)))

    def second_half(self, block: Block, half: Tensor, w: Tensor, noises: Iterator[Tensor]) -> Tensor:
        """`Block.forward` from `first_half` on, for a block to read."""
        return _styled(block.conv2, half, w, noises, self.bands(len(block.conv2.bias)))

    def first_half(self, block: Block, x: Tensor, w: Tensor, noises: Iterator[Tensor]) -> Tensor:
        """`Block.first_half`."""
        behind = _scales(block.conv1.affine, w)  # of all four bands alike
        scales = 0.5 * _scales(block.up, w)[:, self.bands(x.shape[1])] * behind.repeat(1, 4, 1, 1)
        return _convolved(block.conv1, inverse_haar_of_bands(x * scales), noises)


class LabelsPart(Part):
    """`ws` [1, num_ws, D], noises → label features from coarse to fine: less than the structure."""

    def __init__(self, generator: MobileStyleGAN) -> None:
        whole, half = _read_for_labels(generator)
        super().__init__(generator, [generator.first, *(conv for block in whole for conv in _convs(block)), half.conv1])

    def forward(self, ws: Tensor, *noises: Tensor) -> tuple[Tensor, ...]:
        found, half = self.label_maps(ws, iter(noises))
        return (*found, _channels_last(half))

    def label_maps(self, ws: Tensor, left: Iterator[Tensor]) -> tuple[list[Tensor], Tensor]:
        """All but the finest as they go out, and the finest, [N, Z, r, r]."""
        whole, half = _read_for_labels(self.generator)
        x = self.first(ws, left)
        found = []
        for i, block in enumerate(whole):
            x = self.second_half(block, self.first_half(block, x, ws[:, 2 * i + 1], left), ws[:, 2 * i + 2], left)
            found.append(self.in_own_order(_channels_last(x)))
        return found, self.first_half(half, x, ws[:, 2 * len(whole) + 1], left)


class StructurePart(LabelsPart):
    """`ws` [1, num_ws, D], noises → label features from coarse to fine and the feature map for the finishing part."""

    def __init__(self, generator: MobileStyleGAN) -> None:
        super().__init__(generator)
        self.last = _read_for_labels(generator)[1].conv2
        self.noises = (*self.noises, self.last.noise.detach())

    def forward(self, ws: Tensor, *noises: Tensor) -> tuple[Tensor, ...]:
        left = iter(noises)
        found, half = self.label_maps(ws, left)
        x = _styled(self.last, half, ws[:, 2 * self.generator.first_fine_block], left)
        return (*found, _channels_last(half), _channels_last(x))


class ReducedLabelsPart(LabelsPart):
    """`ws` [1, num_ws, D], a basis's `columns` and `shifts`, noises → label features in that basis from coarse to
    fine: int8 [1, r², K_r]."""

    def forward(self, ws: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        sides = len(rest) - len(self.noises)
        columns, shifts, noises = rest[: sides // 2], rest[sides // 2 : sides], rest[sides:]
        pixels = [features.flatten(1, 2) for features in super().forward(ws, *noises)]
        return tuple(rounded(x @ axes - shift) for x, axes, shift in zip(pixels, columns, shifts, strict=True))


class FinishPart(Part):
    """The structure's feature map [1, r, r, Z], `ws` [1, num_ws, D], noises → pictures [1, 3, side, side]."""

    def __init__(self, generator: MobileStyleGAN, side: int) -> None:
        """side: one of the generator's `draft_sizes`."""
        is_full = side == generator.img_resolution
        last = len(generator.blocks) if is_full else generator.block_at(side)
        blocks = _blocks(generator)[generator.first_fine_block : last]
        convs = [conv for block in blocks for conv in _convs(block)]
        if not is_full:
            convs += [_blocks(generator)[last].conv1, *_head(generator, side)[0]]
        super().__init__(generator, convs)
        self.side, self.is_full, self.last = side, is_full, last

    def forward(self, features: Tensor, ws: Tensor, *noises: Tensor) -> Tensor:
        generator, left = self.generator, iter(noises)
        x = _times_one(features.index_select(3, self.bands(features.shape[3])).permute(0, 3, 1, 2))
        for i in range(generator.first_fine_block, self.last):
            block = _blocks(generator)[i]
            half = self.first_half(block, x, ws[:, 2 * i + 1], left)
            if self.is_full and i + 1 == self.last:
                return self._full(_styled(block.conv2, half, ws[:, 2 * i + 2], left), ws[:, -1])
            x = self.second_half(block, half, ws[:, 2 * i + 2], left)
        x = self.first_half(_blocks(generator)[self.last], x, ws[:, 2 * self.last + 1], left)
        convs, head = _head(generator, self.side)
        *slots, last = head.slots
        for conv, slot in zip(convs, slots, strict=True):
            x = _styled(conv, x, ws[:, slot], left)
        picture: Tensor = head.to_rgb(x * _scales(head.to_rgb_affine, ws[:, last]))
        return picture

    def _full(self, x: Tensor, w: Tensor) -> Tensor:
        """The image head, whose convolution and Haar step are one matrix."""
        head, matrix = self.generator.head, haar_matrix(len(self.generator.head.bias))[:, :, 0, 0]
        weight = (matrix @ head.weight[:, :, 0, 0])[:, :, None, None]
        return F.pixel_shuffle(F.conv2d(x * _scales(head.affine, w), weight, matrix @ head.bias), 2)


def _convolved(conv: StyledConv, x: Tensor, noises: Iterator[Tensor], order: Tensor | None = None) -> Tensor:
    """`StyledConv.forward` of what is modulated already. order: of the channels that come out."""
    weight, bias = (conv.weight, conv.bias) if order is None else (conv.weight[order], conv.bias[order])
    if conv.depthwise is None:
        x = F.conv2d(x, weight, bias, padding=1)
    else:
        x = F.conv2d(x, conv.depthwise, padding=1, groups=x.shape[1])
        x = F.conv2d(x, weight, bias)
    return F.leaky_relu(x + next(noises), LEAK)


def _scales(affine: Affine, w: Tensor) -> Tensor:
    """`Affine.forward`."""
    return F.conv2d(w[:, :, None, None], affine.weight[:, :, None, None], affine.bias)


def _styled(conv: StyledConv, x: Tensor, w: Tensor, noises: Iterator[Tensor], order: Tensor | None = None) -> Tensor:
    return _convolved(conv, x * _scales(conv.affine, w), noises, order)


def _channels_last(x: Tensor) -> Tensor:
    """Maps as they go out of a part. What comes behind the last convolution is kept in float32, and in another order
    of numbers than convolutions like; so there is one more, which multiplies by one."""
    return _times_one(x).permute(0, 2, 3, 1)


def _times_one(x: Tensor) -> Tensor:
    return F.conv2d(x, x.new_ones(x.shape[1], 1, 1, 1), groups=x.shape[1])


def _blocks(generator: MobileStyleGAN) -> list[Block]:
    return [cast(Block, block) for block in generator.blocks]


def _convs(block: Block) -> tuple[StyledConv, StyledConv]:
    return block.conv1, block.conv2


def _read_for_labels(generator: MobileStyleGAN) -> tuple[list[Block], Block]:
    """The blocks up to half of `feature_resolution`, and the one whose first half is read there."""
    count = (generator.feature_resolution // 8).bit_length() - 1
    blocks = _blocks(generator)
    return blocks[:count], blocks[count]


def _head(generator: MobileStyleGAN, side: int) -> tuple[list[StyledConv], PictureHead]:
    head = cast(PictureHead, generator.heads[str(side)])
    return [cast(StyledConv, conv) for conv in head.convs], head
