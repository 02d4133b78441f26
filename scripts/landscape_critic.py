"""A discriminator for landscapes, conditioned on the shapes of the scene.

It follows StyleGAN2's (Karras et al. 2020, arXiv 1912.04958, section 4 and appendix B): residual blocks under the
equalised learning rate, and the standard deviation within the batch before the last layers. Beside one logit for the
whole picture it returns one for each patch (Isola et al. 2017, arXiv 1611.07004, section 3.2.2). As it sees the scene,
it can tell a picture of the wrong scene from a blurred picture of the right one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from trainable_stylegan2 import GAIN, LEAK, Linear

SCENE_SIDE = 64


@dataclass(frozen=True, eq=False)
class CriticOutput:
    """What the critic returns for N pictures.

    logits: [N, 1], above 0 for a picture that seems rendered. patch_logits: [N, 1, 16, 16], the same for each patch.
    features: the feature maps on the way there, of 64² to 8².
    """

    logits: Tensor
    patch_logits: Tensor
    features: tuple[Tensor, ...]


class Conv(nn.Module):
    """A convolution whose weights are drawn with unit variance and scaled when used; stride 2 halves the side."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.gain = (inputs * kernel**2) ** -0.5
        self.stride, self.padding = stride, (kernel - stride + 1) // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.gain, self.bias, self.stride, self.padding)


class ResidualBlock(nn.Module):
    """A residual block that halves the side: [N, inputs, S, S] → [N, outputs, S/2, S/2]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = Conv(inputs, inputs, 3)
        self.conv2 = Conv(inputs, outputs, 4, stride=2)
        self.skip = Conv(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return (_activated(self.conv2(_activated(self.conv1(x)))) + self.skip(F.avg_pool2d(x, 2))) * 0.5**0.5


class Critic(nn.Module):
    """A discriminator between rendered and generated pictures of 128²."""

    def __init__(self, scene_channels: int) -> None:
        """scene_channels: how many maps of SCENE_SIDE² describe the shapes of the scene."""
        super().__init__()
        self.first = Conv(3, 24, 3)
        self.second = Conv(24, 64, 4, stride=2)
        self.scene = Conv(scene_channels, 64, 3, bias=False)
        self.blocks = nn.ModuleList(
            (ResidualBlock(64, 96), ResidualBlock(96, 128), ResidualBlock(128, 160), ResidualBlock(160, 160))
        )
        self.places = Conv(128, 1, 1)
        self.last = Conv(161, 160, 3)
        self.read = Linear(160 * 16, 160)
        self.verdict = Linear(160, 1)

    def forward(self, picture: Tensor, scene: Tensor) -> CriticOutput:
        """Compute the logits, in bfloat16, of picture [N, 3, 128, 128] in [-1, 1] with scene [N, C, 64, 64]."""
        with torch.autocast(picture.device.type, torch.bfloat16, cache_enabled=False):
            x = _activated(self.first(picture.contiguous(memory_format=torch.channels_last)))
            x = _activated(self.second(x) + self.scene(scene))
            features = [x]
            for block in self.blocks:
                x = block(x)
                features.append(x)
            patch_logits = self.places(features[2])
            # The standard deviation within the batch, as one more channel (Karras et al. 2018, section 3).
            spread = x.float().std(0, unbiased=False).mean().to(x.dtype).expand(len(x), 1, 4, 4)
            x = _activated(self.last(torch.cat((x, spread), 1)))
            logits = self.verdict(_activated(self.read(x.flatten(1))))
        return CriticOutput(logits.float(), patch_logits.float(), tuple(features[:-1]))


def loss_as_real(output: CriticOutput) -> Tensor:
    """Return the non-saturating loss that is small for pictures that seem rendered (Goodfellow et al. 2014).

    It is the generator's loss for its own pictures, and the critic's for rendered ones.
    """
    return F.softplus(-output.logits).mean() + F.softplus(-output.patch_logits).mean()


def loss_as_generated(output: CriticOutput) -> Tensor:
    """Return the critic's loss for generated pictures."""
    return F.softplus(output.logits).mean() + F.softplus(output.patch_logits).mean()


def feature_matching_loss(made: CriticOutput, wanted: CriticOutput) -> Tensor:
    """Return the distance of the critic's features of two pictures (Wang et al. 2018, arXiv 1711.11585, equation 4)."""
    pairs = zip(made.features, wanted.features, strict=True)
    return torch.stack([F.l1_loss(own.float(), other.detach().float()) for own, other in pairs]).mean()


def r1_penalty(critic: Critic, picture: Tensor, scene: Tensor) -> Tensor:
    """Return ‖∇D‖² at rendered pictures (R1; Mescheder et al. 2018, arXiv 1801.04406, equation 9)."""
    picture = picture.detach().requires_grad_()
    output = critic(picture, scene)
    total = output.logits.sum() + output.patch_logits.mean((1, 2, 3)).sum()
    (slope,) = torch.autograd.grad(total, picture, create_graph=True)
    return slope.square().sum((1, 2, 3)).mean()


def _activated(x: Tensor) -> Tensor:
    return F.leaky_relu(x, LEAK) * GAIN
