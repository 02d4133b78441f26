"""A discriminator for landscapes: it sees a picture together with where its scene says that things are.

After StyleGAN2's (Karras et al. 2020, arXiv 1912.04958, section 4 and appendix B): residual blocks under the equalised
learning rate, and the standard deviation within the batch before the last layers. Beside the one verdict on the whole
picture it gives one a neighbourhood (Isola et al. 2017, arXiv 1611.07004, section 3.2.2), and being shown the scene it
can tell a picture of the wrong scene from a blurred one of the right.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from trainable_stylegan2 import GAIN, LEAK, Linear

SCENE_SIDE = 64


@dataclass(frozen=True, eq=False)
class Verdict:
    """`whole` [N, 1] and `places` [N, 1, 16, 16], above 0 for a picture that seems rendered; `seen`: the features on
    the way there, of 64² to 8²."""

    whole: Tensor
    places: Tensor
    seen: tuple[Tensor, ...]


class Conv(nn.Module):
    """A convolution whose weights are drawn with unit variance and scaled when used; stride 2 where it is to halve."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.gain = (inputs * kernel**2) ** -0.5
        self.stride, self.padding = stride, (kernel - stride + 1) // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.gain, self.bias, self.stride, self.padding)


class Halving(nn.Module):
    """A residual block: [N, inputs, S, S] → [N, outputs, S/2, S/2]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = Conv(inputs, inputs, 3)
        self.conv2 = Conv(inputs, outputs, 4, stride=2)
        self.skip = Conv(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return (_activated(self.conv2(_activated(self.conv1(x)))) + self.skip(F.avg_pool2d(x, 2))) * 0.5**0.5


class Critic(nn.Module):
    """Judges pictures of 128²."""

    def __init__(self, scene_channels: int) -> None:
        """scene_channels: how many numbers say what is where, at SCENE_SIDE²."""
        super().__init__()
        self.first = Conv(3, 24, 3)
        self.second = Conv(24, 64, 4, stride=2)
        self.scene = Conv(scene_channels, 64, 3, bias=False)
        self.blocks = nn.ModuleList((Halving(64, 96), Halving(96, 128), Halving(128, 160), Halving(160, 160)))
        self.places = Conv(128, 1, 1)
        self.last = Conv(161, 160, 3)
        self.read = Linear(160 * 16, 160)
        self.verdict = Linear(160, 1)

    def forward(self, picture: Tensor, scene: Tensor) -> Verdict:
        """picture [N, 3, 128, 128] in [-1, 1], scene [N, C, 64, 64]; computed in bfloat16."""
        with torch.autocast(picture.device.type, torch.bfloat16, cache_enabled=False):
            x = _activated(self.first(picture.contiguous(memory_format=torch.channels_last)))
            x = _activated(self.second(x) + self.scene(scene))
            seen = [x]
            for block in self.blocks:
                x = block(x)
                seen.append(x)
            places = self.places(seen[2])
            # How much the batch differs within itself, as one more channel (Karras et al. 2018, section 3).
            spread = x.float().std(0, unbiased=False).mean().to(x.dtype).expand(len(x), 1, 4, 4)
            x = _activated(self.last(torch.cat((x, spread), 1)))
            whole = self.verdict(_activated(self.read(x.flatten(1))))
        return Verdict(whole.float(), places.float(), tuple(seen[:-1]))


def believed(verdict: Verdict) -> Tensor:
    """The non-saturating loss of whoever made the picture (Goodfellow et al. 2014), over the whole and over places."""
    return F.softplus(-verdict.whole).mean() + F.softplus(-verdict.places).mean()


def doubted(verdict: Verdict) -> Tensor:
    """The critic's own loss for a picture that was not rendered."""
    return F.softplus(verdict.whole).mean() + F.softplus(verdict.places).mean()


def unlikeness(made: Verdict, wanted: Verdict) -> Tensor:
    """How differently the critic sees two pictures of one scene (Wang et al. 2018, arXiv 1711.11585, equation 4)."""
    distances = [
        F.l1_loss(own.float(), other.detach().float()) for own, other in zip(made.seen, wanted.seen, strict=True)
    ]
    return torch.stack(distances).mean()


def steepness(critic: Critic, picture: Tensor, scene: Tensor) -> Tensor:
    """‖∇D‖² at rendered pictures: R1 (Mescheder et al. 2018, arXiv 1801.04406, equation 9)."""
    picture = picture.detach().requires_grad_()
    verdict = critic(picture, scene)
    (slope,) = torch.autograd.grad(
        verdict.whole.sum() + verdict.places.mean((1, 2, 3)).sum(), picture, create_graph=True
    )
    return slope.square().sum((1, 2, 3)).mean()


def _activated(x: Tensor) -> Tensor:
    return F.leaky_relu(x, LEAK) * GAIN
