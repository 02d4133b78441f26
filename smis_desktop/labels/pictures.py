"""Reading photographs: any common file and pixel format in, upright 8-bit sRGB out."""

from __future__ import annotations

import io
import os
from typing import cast

import numpy as np
from PIL import Image, ImageCms

from smis_desktop.labels.image_file import load_image_file

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_picture(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a photograph as uint8 [H, W, 3], sRGB, upright.

    EXIF rotation is applied, an embedded colour profile converted, transparency laid over white, 16-bit rounded to 8.
    Of an animation the first frame is taken.

    Raises UserError when the file is missing, a folder, no picture, damaged, smaller than 16×16 or larger than 64
    megapixels.
    """
    loaded = load_image_file(path)
    image = _to_rgb(loaded.image)
    if loaded.orientation != 1:
        image = image.transpose(_UPRIGHT[loaded.orientation])
    return np.array(image, dtype=np.uint8)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode to RGB."""
    if image.mode.startswith(("I", "F")):
        return _deep_grey_to_rgb(image)
    if image.mode in ("La", "RGBa"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    profile = image.info.get("icc_profile")
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        colour = _profile_to_srgb(image.convert("RGB"), profile)
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(colour, mask=image.getchannel("A"))
        return white
    if image.mode not in ("RGB", "CMYK", "L", "LAB"):
        image = image.convert("RGB")
    return _profile_to_srgb(image, profile).convert("RGB")


def _deep_grey_to_rgb(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float grey, which Pillow's own conversion would clip at 255."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64))
    if image.mode.startswith("I"):
        values = values / 257.0  # 16-bit white (65,535) → 255; wider integers hold 16-bit values too.
    elif values.max(initial=0.0) <= 1.0:
        values = values * 255.0  # Float pictures count to 1, a few to 255.
    grey = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _profile_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert from an embedded ICC profile; pictures that are sRGB already stay exactly as they are."""
    if not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        return cast(Image.Image, ImageCms.profileToProfile(image, source, srgb, outputMode="RGB"))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image  # A broken profile, or one of another colour space: the plain values are the best guess.
