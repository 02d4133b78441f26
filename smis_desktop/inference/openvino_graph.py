"""MobileStyleGAN split into the parts that OpenVINO runs, with the operations in an order that its CPU plugin runs
fast.

The arithmetic is `generators.mobile_stylegan`'s up to rounding, but for six things:

- The inverse Haar step adds and subtracts four bands, then moves pixels. For that the channels lie in `band_order`: the
  convolutions before it have their weights in that order. Gathering interleaved channels, as torch does, took half of
  the plugin's time; a matrix product instead, two fifths of all products of a draft.
- Noise is an input. From a constant, the plugin makes noise plus bias, as large as a feature map, for every
  convolution: a quarter of a gigabyte to store, and to read for every picture.
- The scales of an upsampling and of the convolution after it are one product: neither step between them mixes channels,
  so a scale may be applied before or after.
- Feature maps go in and out with their channels last, as the plugin stores them: [N, r, r, Z].
- Scales are convolutions of one pixel: the plugin can be made to keep a convolution in float32, but not a matrix
  product.
- Coarse features are always those of a patch: a whole picture is one that nothing surrounds. A network of its own for
  patches would take 80 MB more and a second at the first stroke, and a whole picture gains 0.3 ms by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.generators.coarse_features import blended_sides
from smis_desktop.generators.feature_basis import quantize
from smis_desktop.generators.layers import LEAK, Affine, band_order, haar_matrix, inverse_haar_of_bands
from smis_desktop.generators.mobile_stylegan import Block, MobileStyleGAN, PictureHead, StyledConv


class Part(nn.Module):
    """A part of the generator. `noises`: the inputs after its others, [1, 1, r, r] each."""

    def __init__(self, generator: MobileStyleGAN, convs: list[StyledConv]) -> None:
        super().__init__()
        self.generator = generator
        self.noises = tuple(conv.noise.detach() for conv in convs)
        for channels in set(generator.channels):
            order = band_order(channels)
            self.register_buffer(f"bands_{channels}", order, persistent=False)
            self.register_buffer(f"interleaved_{channels}", order.argsort(), persistent=False)

    def bands(self, channels: int) -> Tensor:
        """Return the order that this many channels have between blocks."""
        return self.get_buffer(f"bands_{channels}")

    def interleaved(self, x: Tensor) -> Tensor:
        """Reorder maps [N, r, r, Z] from between two blocks to the generator's own order of channels."""
        return x.index_select(3, self.get_buffer(f"interleaved_{x.shape[3]}"))

    def first(self, ws: Tensor, noises: Iterator[Tensor]) -> Tensor:
        """Compute the input of the first block."""
        conv = self.generator.first
        return _styled(conv, self.generator.constant, ws[:, 0], noises, self.bands(len(conv.bias)))

    def second_half(self, block: Block, half: Tensor, w: Tensor, noises: Iterator[Tensor]) -> Tensor:
        """Compute the rest of `Block.forward`, as the input of another block."""
        return _styled(block.conv2, half, w, noises, self.bands(len(block.conv2.bias)))

    def first_half(self, block: Block, x: Tensor, w: Tensor, noises: Iterator[Tensor]) -> Tensor:
        """Compute `Block.first_half`."""
        conv_scales = _scales(block.conv1.affine, w)  # the same for all four bands
        scales = 0.5 * _scales(block.up, w)[:, self.bands(x.shape[1])] * conv_scales.repeat(1, 4, 1, 1)
        return _convolved(block.conv1, inverse_haar_of_bands(x * scales), noises)


class LabelsPart(Part):
    """The part from `ws` [1, num_ws, D] and noises to label features, from coarse to fine."""

    def __init__(self, generator: MobileStyleGAN) -> None:
        whole, half = _label_blocks(generator)
        super().__init__(generator, [generator.first, *(conv for block in whole for conv in _convs(block)), half.conv1])

    def forward(self, ws: Tensor, *noises: Tensor) -> tuple[Tensor, ...]:
        coarser, half = self.label_maps(ws, iter(noises))
        return (*coarser, _channels_last(half))

    def label_maps(
        self, ws: Tensor, noises: Iterator[Tensor], around: Mapping[int, tuple[Tensor, Tensor]] | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """Compute all label maps but the finest as they are returned, and the finest as [N, Z, r, r].

        Args:
            around: {side: (mask, rest)} of `CoarsePart`.
        """
        whole, half = _label_blocks(self.generator)
        x = self.first(ws, noises)
        coarser = []
        for i, block in enumerate(whole):
            x = self.second_half(block, self.first_half(block, x, ws[:, 2 * i + 1], noises), ws[:, 2 * i + 2], noises)
            coarser.append(self.interleaved(_channels_last(x)))
            if around and 8 * 2**i in around:
                mask, rest = around[8 * 2**i]
                x = x * mask + _channels_first(rest.index_select(3, self.bands(rest.shape[3])))
        return coarser, self.first_half(half, x, ws[:, 2 * len(whole) + 1], noises)


class CoarsePart(LabelsPart):
    """The part from `ws` [1, num_ws, D], surroundings and noises to label features, from coarse to fine, and the input
    of the fine part.

    The surroundings are a mask [1, 1, r, r] for each of `sides`, from coarse to fine, then for each the rest, [1, r, r,
    Z]: the label features of the picture around the patch, times 1 - mask. A whole picture has ones and zeros.
    """

    def __init__(self, generator: MobileStyleGAN) -> None:
        super().__init__(generator)
        self.last = _label_blocks(generator)[1].conv2
        self.sides = blended_sides(generator.feature_resolution)
        self.noises = (*self.noises, self.last.noise.detach())

    def forward(self, ws: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        count = len(self.sides)
        masks, rests, remaining = inputs[:count], inputs[count : 2 * count], iter(inputs[2 * count :])
        around = dict(zip(self.sides, zip(masks, rests, strict=True), strict=True))
        coarser, half = self.label_maps(ws, remaining, around)
        x = _styled(self.last, half, ws[:, 2 * self.generator.first_fine_block], remaining)
        return (*coarser, _channels_last(half), _channels_last(x))


class ProjectedLabelsPart(LabelsPart):
    """The part from `ws` [1, num_ws, D], a basis's `columns` and `shifts`, and noises to projected label features.

    They are int8 [1, r², K_r], from coarse to fine.
    """

    def forward(self, ws: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        sides = len(rest) - len(self.noises)
        columns, shifts, noises = rest[: sides // 2], rest[sides // 2 : sides], rest[sides:]
        pixels = [features.flatten(1, 2) for features in super().forward(ws, *noises)]
        return tuple(quantize(x @ axes - shift) for x, axes, shift in zip(pixels, columns, shifts, strict=True))


class FinePart(Part):
    """The part from the coarse features' map [1, r, r, Z], `ws` [1, num_ws, D] and noises to pictures [1, 3, side,
    side]."""

    def __init__(self, generator: MobileStyleGAN, side: int) -> None:
        """Args: side: one of the generator's `draft_sizes`."""
        is_full = side == generator.img_resolution
        last = len(generator.blocks) if is_full else generator.block_at(side)
        blocks = _blocks(generator)[generator.first_fine_block : last]
        convs = [conv for block in blocks for conv in _convs(block)]
        if not is_full:
            convs += [_blocks(generator)[last].conv1, *_head(generator, side)[0]]
        super().__init__(generator, convs)
        self.side, self.is_full, self.last = side, is_full, last

    def forward(self, features: Tensor, ws: Tensor, *noises: Tensor) -> Tensor:
        generator, remaining = self.generator, iter(noises)
        x = _channels_first(features.index_select(3, self.bands(features.shape[3])))
        for i in range(generator.first_fine_block, self.last):
            block = _blocks(generator)[i]
            half = self.first_half(block, x, ws[:, 2 * i + 1], remaining)
            if self.is_full and i + 1 == self.last:
                return self._image_head(_styled(block.conv2, half, ws[:, 2 * i + 2], remaining), ws[:, -1])
            x = self.second_half(block, half, ws[:, 2 * i + 2], remaining)
        x = self.first_half(_blocks(generator)[self.last], x, ws[:, 2 * self.last + 1], remaining)
        convs, head = _head(generator, self.side)
        *slots, last = head.slots
        for conv, slot in zip(convs, slots, strict=True):
            x = _styled(conv, x, ws[:, slot], remaining)
        picture: Tensor = head.to_rgb(x * _scales(head.to_rgb_affine, ws[:, last]))
        return picture

    def _image_head(self, x: Tensor, w: Tensor) -> Tensor:
        """Compute the image head, with its convolution and Haar step in one matrix."""
        head, matrix = self.generator.head, haar_matrix(len(self.generator.head.bias))[:, :, 0, 0]
        weight = (matrix @ head.weight[:, :, 0, 0])[:, :, None, None]
        return F.pixel_shuffle(F.conv2d(x * _scales(head.affine, w), weight, matrix @ head.bias), 2)


def _convolved(conv: StyledConv, x: Tensor, noises: Iterator[Tensor], order: Tensor | None = None) -> Tensor:
    """Compute `StyledConv.forward` of a modulated input. Args: order: of the output channels."""
    weight, bias = (conv.weight, conv.bias) if order is None else (conv.weight[order], conv.bias[order])
    if conv.depthwise is None:
        x = F.conv2d(x, weight, bias, padding=1)
    else:
        x = F.conv2d(x, conv.depthwise, padding=1, groups=x.shape[1])
        x = F.conv2d(x, weight, bias)
    return F.leaky_relu(x + next(noises), LEAK)


def _scales(affine: Affine, w: Tensor) -> Tensor:
    """Compute `Affine.forward`."""
    return F.conv2d(w[:, :, None, None], affine.weight[:, :, None, None], affine.bias)


def _styled(conv: StyledConv, x: Tensor, w: Tensor, noises: Iterator[Tensor], order: Tensor | None = None) -> Tensor:
    return _convolved(conv, x * _scales(conv.affine, w), noises, order)


def _channels_last(x: Tensor) -> Tensor:
    """Return maps in the memory layout that a part returns.

    What follows the last convolution is computed in float32 and in a layout that convolutions do not like, so one more
    convolution follows, which multiplies by one.
    """
    return _times_one(x).permute(0, 2, 3, 1)


def _channels_first(x: Tensor) -> Tensor:
    """Return an input [1, r, r, Z] as [1, Z, r, r], in the memory layout that convolutions like."""
    return _times_one(x.permute(0, 3, 1, 2))


def _times_one(x: Tensor) -> Tensor:
    return F.conv2d(x, x.new_ones(x.shape[1], 1, 1, 1), groups=x.shape[1])


def _blocks(generator: MobileStyleGAN) -> list[Block]:
    return [cast(Block, block) for block in generator.blocks]


def _convs(block: Block) -> tuple[StyledConv, StyledConv]:
    return block.conv1, block.conv2


def _label_blocks(generator: MobileStyleGAN) -> tuple[list[Block], Block]:
    """Return the blocks up to half of `feature_resolution`, and the one whose first half gives the finest label
    features."""
    count = (generator.feature_resolution // 8).bit_length() - 1
    blocks = _blocks(generator)
    return blocks[:count], blocks[count]


def _head(generator: MobileStyleGAN, side: int) -> tuple[list[StyledConv], PictureHead]:
    head = cast(PictureHead, generator.heads[str(side)])
    return [cast(StyledConv, conv) for conv in head.convs], head
