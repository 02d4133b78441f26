"""What the preview thread tells, in frozen values, and which of its pictures a window should show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from smis_desktop.document.palette import Palette
from smis_desktop.generators.catalog import DEFAULT_GENERATOR

if TYPE_CHECKING:
    from smis_desktop.inference.synthesizer import PictureResult, Quality

Stage = Literal["opening", "painting", "saving"]


@dataclass(frozen=True)
class LoadingProgress:
    """A renderer is being opened. `fraction` is 0–1, negative when nobody knows."""

    text: str
    fraction: float


@dataclass(frozen=True)
class Ready:
    """A renderer is open and has replaced the one before. Whoever hears this starts a new session."""

    name: str
    palette: Palette
    device: str
    full_size: int
    generator_name: str = DEFAULT_GENERATOR


@dataclass(frozen=True)
class DeviceChanged:
    """Pictures are made by something else from now on, named as in `Ready`: where there was too little memory."""

    device: str


@dataclass(frozen=True, eq=False)
class PicturePainted:
    """The answer to one submitted request. `latency` is the seconds from `submit` to now. `refined`: how many
    steps its latents were moved towards the layout."""

    session: int
    revision: int
    quality: Quality
    result: PictureResult
    latency: float
    refined: int = 0


@dataclass(frozen=True)
class PictureSaved:
    """The picture asked for with `save` is safely on the disk."""

    path: Path


@dataclass(frozen=True)
class Failed:
    """Something did not work; what was there before is still there. `text` is one sentence for people.

    `is_bug`: it is this program's fault and not the person's; the log has the traceback.
    """

    text: str
    is_bug: bool
    stage: Stage


@dataclass(frozen=True, eq=False)
class BackgroundRendered:
    """The answer to `render_in_background`."""

    ticket: int
    result: PictureResult


@dataclass(frozen=True)
class FilmProgress:
    """A film is being made. `fraction` is 0–1; 1: it is safely on the disk."""

    path: Path
    fraction: float


@dataclass(frozen=True)
class FilmCancelled:
    """The film was not wanted any more; nothing of it is on the disk."""

    path: Path


PreviewMessage = (
    LoadingProgress
    | Ready
    | DeviceChanged
    | PicturePainted
    | PictureSaved
    | BackgroundRendered
    | FilmProgress
    | FilmCancelled
    | Failed
)


def is_news(painted: PicturePainted, session: int, shown: PicturePainted | None) -> bool:
    """Return whether `painted` should replace the picture on screen, `shown`, in a window that is at `session`.

    It should if it is newer, or equally new and better. Waiting for the newest request's picture instead would freeze
    the preview through a long stroke.
    """
    if painted.session != session:
        return False
    if shown is None or shown.session != session:
        return True
    if painted.revision == shown.revision:
        return (painted.quality == "full", painted.refined) > (shown.quality == "full", shown.refined)
    return painted.revision > shown.revision
