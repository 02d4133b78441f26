"""Checkpoints as the two published versions write them: each becomes the generator that it was written from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from smis_desktop.errors import UserError
from smis_desktop.generators.checkpoint_import import LICENCE, ClassWanted, import_generator
from smis_desktop.generators.checkpoints.confined_reader import Outcome, read_checkpoint
from smis_desktop.generators.generator import LatentStatistics
from smis_desktop.generators.store import installed_generators, open_generator
from smis_desktop.generators.stylegan2 import StyleGAN2
from tests.checkpoints.published_layouts import (
    conditional_state,
    nvidia_file,
    nvidia_state,
    rosinality_file,
    rosinality_state,
    stylegan3_file,
)
from tests.small_stylegan2 import small_stylegan2, some_ws

CLAMPS = {"synthesis.b8.conv0.conv_clamp": 2.0, "synthesis.b8.torgb.conv_clamp": 2.0}

FORMS: dict[str, Callable[[StyleGAN2], bytes]] = {
    "rosinality, zip": rosinality_file,
    "rosinality, as torch saved before zips": lambda g: rosinality_file(g, as_zip=False),
    "rosinality, safetensors": lambda g: save(rosinality_state(g)),
    "rosinality, safetensors under g_ema": lambda g: save({f"g_ema.{k}": v for k, v in rosinality_state(g).items()}),
    "NVIDIA, pickle": lambda g: nvidia_file(nvidia_state(g)),
    "NVIDIA, pickle of protocol 3": lambda g: nvidia_file(nvidia_state(g), protocol=3),
    "NVIDIA, pickle of protocol 5": lambda g: nvidia_file(nvidia_state(g), protocol=5),
    "NVIDIA, safetensors": lambda g: save({k: v.clone().contiguous() for k, v in nvidia_state(g).items()}),
    "NVIDIA, source text that would run": lambda g: nvidia_file(nvidia_state(g), source="raise SystemExit(99)\n"),
}


def read(data: bytes, class_index: int | None = None) -> Outcome:
    return read_checkpoint(memoryview(data), class_index)[0]


def opened(data: bytes, class_index: int | None = None) -> StyleGAN2:
    """Without the statistics, which take their time."""
    outcome, content = read_checkpoint(memoryview(data), class_index)
    assert outcome.refused == ""
    weights = load(content)
    blank = LatentStatistics(weights["first.affine.weight"].shape[1]).state_dict()
    return StyleGAN2.from_weights("it", "sha", {**{f"latents.{k}": v for k, v in blank.items()}, **weights})


def difference(ours: StyleGAN2, theirs: StyleGAN2) -> float:
    ws = some_ws(theirs, seed=9, count=2)
    return (ours.synthesis(ws) - theirs.synthesis(ws)).abs().max().item()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("channels", [(12, 12, 8), (12, 12, 12, 10, 8, 6)], ids=["16²", "128²"])
def test_every_form_becomes_the_same_generator(form: Callable[[StyleGAN2], bytes], channels: tuple[int, ...]) -> None:
    original = small_stylegan2(1, channels)
    original.centre += 0.25
    ours = opened(form(original))
    assert difference(ours, original) <= 1e-5
    z = torch.randn(3, original.w_dim, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(ours.mapping(z), original.mapping(z), atol=1e-5)
    assert ours.img_resolution == original.img_resolution


@pytest.mark.parametrize("form", ["rosinality, zip", "NVIDIA, pickle"])
def test_truncation_pulls_to_the_mean_that_training_tracked(form: str) -> None:
    original = small_stylegan2(2, (8, 8, 8))
    original.centre += 0.25
    z = torch.randn(3, original.w_dim, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(opened(FORMS[form](original)).mapping(z, 0.7), original.mapping(z, 0.7), atol=1e-5)


def test_a_clamp_is_taken_over() -> None:
    original = small_stylegan2(3, (8, 8, 6), clamp=2.0)
    ours = opened(nvidia_file(nvidia_state(original), CLAMPS))
    assert ours.clamp == 2.0
    assert difference(ours, original) <= 1e-5


@pytest.mark.parametrize("metadata", [{"conv_clamp": "2"}, {"synthesis.b8.conv0.conv_clamp": "2.0", "format": "pt"}])
def test_a_clamp_in_the_metadata_of_safetensors_is_taken_over(metadata: dict[str, str]) -> None:
    original = small_stylegan2(3, (8, 8, 6), clamp=2.0)
    state = {k: v.clone().contiguous() for k, v in nvidia_state(original).items()}
    ours = opened(save(state, metadata))
    assert ours.clamp == 2.0
    assert difference(ours, original) <= 1e-5
    assert difference(opened(save(state)), original) > 1e-2


@pytest.mark.parametrize("text", ["None", "loose", "0", "-1", "nan", "inf"])
def test_a_clamp_that_is_no_number_above_0_is_refused_by_name(text: str) -> None:
    state = {k: v.clone().contiguous() for k, v in nvidia_state(small_stylegan2(3, (8, 8, 6))).items()}
    refused = read(save(state, {"conv_clamp": text})).refused
    assert "conv_clamp" in refused
    assert text in refused


def test_another_learning_rate_of_the_mapping_is_heeded() -> None:
    original = small_stylegan2(3, (8, 8, 6))
    state = nvidia_state(original)
    for i in range(2):
        for part in ("weight", "bias"):
            state[f"mapping.fc{i}.{part}"] /= 10
    ours = opened(nvidia_file(state, {f"mapping.fc{i}.bias_gain": 0.1 for i in range(2)}))
    z = torch.randn(3, original.w_dim, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(ours.mapping(z), original.mapping(z), atol=1e-5)


@pytest.mark.parametrize("chosen", [0, 3, 9])
def test_a_class_of_a_conditional_generator_is_a_generator(chosen: int) -> None:
    original = small_stylegan2(4, (8, 8, 6))
    state = conditional_state(original, classes=10)
    ours = opened(nvidia_file(state), chosen)
    z = torch.randn(3, original.w_dim, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(ours.mapping(z), conditional_mapping(state, z, chosen), atol=1e-5)


def conditional_mapping(state: dict[str, Tensor], z: Tensor, chosen: int) -> Tensor:
    """From the definition, in float64."""
    p = {key: value.double() for key, value in state.items()}

    def normalised(x: Tensor) -> Tensor:
        return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()

    classes = p["mapping.embed.weight"].shape[1]
    label = torch.zeros(len(z), classes, dtype=torch.float64)
    label[:, chosen] = 1
    embedded = label @ p["mapping.embed.weight"].T / classes**0.5 + p["mapping.embed.bias"]
    x = torch.cat((normalised(z.double()), normalised(embedded)), 1)
    for i in range(2):
        x = x @ p[f"mapping.fc{i}.weight"].T * (0.01 / x.shape[1] ** 0.5) + p[f"mapping.fc{i}.bias"] * 0.01
        x = torch.where(x < 0, 0.2 * x, x) * 2**0.5
    return x.float()


def test_the_class_has_to_be_one_that_there_is() -> None:
    original = small_stylegan2(4, (8, 8, 6))
    conditional = nvidia_file(conditional_state(original, classes=10))
    assert read(conditional) == Outcome(num_classes=10, class_needed=True)
    assert "0 to 9" in read(conditional, 10).refused
    for plain in (nvidia_file(nvidia_state(original)), rosinality_file(original)):
        assert "no classes" in read(plain, 0).refused


def test_noise_that_the_file_does_not_keep_is_drawn_and_told() -> None:
    data = rosinality_file(small_stylegan2(5, (8, 8, 6)), left_out="noises.")
    assert "noise" in " ".join(read(data).notes)
    assert difference(opened(data), opened(data)) == 0.0


OTHERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "stylegan3-t": (lambda: stylegan3_file(radial=False), "StyleGAN3 (alias-free)"),
    "stylegan3-r": (lambda: stylegan3_file(radial=True), "StyleGAN3 (alias-free)"),
    "the residual architecture": (
        lambda: nvidia_file(nvidia_state(small_stylegan2()), {"synthesis.b8.architecture": "resnet"}), "'resnet'",
    ),
    "another activation": (
        lambda: nvidia_file(nvidia_state(small_stylegan2()), {"synthesis.b8.conv0.activation": "relu"}), "'relu'",
    ),
    "grey pictures": (
        lambda: nvidia_file({k: v[:1] if "torgb" in k and "affine" not in k else v
                             for k, v in nvidia_state(small_stylegan2()).items()}), "1 colour channels",
    ),
    "a missing layer": (
        lambda: nvidia_file({k: v for k, v in nvidia_state(small_stylegan2()).items() if ".b16." not in k}), "missing",
    ),
    "a missing tensor": (lambda: rosinality_file(small_stylegan2(), left_out="to_rgbs.0.conv.weight"), "missing"),
    "a network of another kind": (lambda: save({"layer.weight": torch.ones(3)}), "no StyleGAN2"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "named"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_such_stylegan2_is_refused_by_name(data: Callable[[], bytes], named: str) -> None:
    assert named in read(data()).refused


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data" / "generators"


@pytest.mark.parametrize("form", FORMS)
def test_an_import_installs_one_file_with_its_latent_space(tmp_path: Path, store: Path, form: str) -> None:
    original = small_stylegan2(6)
    path = tmp_path / "cats.pkl"
    path.write_bytes(FORMS[form](original))
    installed, notes = import_generator(path, "cats", lambda words, fraction: None)
    assert (installed.kind, installed.img_resolution, installed.source, installed.licence, notes) == (
        "stylegan2", 64, "cats.pkl", LICENCE, (),
    )  # fmt: skip
    assert [p.name for p in store.iterdir()] == ["cats.safetensors"]
    assert installed in installed_generators()
    generator = open_generator("cats")
    assert isinstance(generator, StyleGAN2)
    assert difference(generator, original) <= 1e-5
    assert torch.allclose(generator.latents.w_avg, original.latents.w_avg, atol=0.5)
    with pytest.raises(UserError, match="already"):
        import_generator(path, "cats", lambda words, fraction: None)


def test_a_conditional_one_asks_for_its_class_and_installs_nothing(tmp_path: Path, store: Path) -> None:
    path = tmp_path / "things.pkl"
    path.write_bytes(nvidia_file(conditional_state(small_stylegan2(7), classes=5)))
    with pytest.raises(ClassWanted, match="5 classes, 0 to 4") as asked:
        import_generator(path, "things", lambda words, fraction: None)
    assert asked.value.num_classes == 5
    assert list(store.iterdir()) == []
    installed, _ = import_generator(path, "things 2", lambda words, fraction: None, 2)
    assert installed.source == "things.pkl, class 2"


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", "-x", "faces", "x" * 61, "a\n", "a."])
def test_names_that_are_none(tmp_path: Path, store: Path, name: str) -> None:
    with pytest.raises(UserError, match="name"):
        import_generator(tmp_path / "cats.pkl", name, lambda words, fraction: None)
