"""Options of pictures of text: fonts, sizes and degradation."""

from __future__ import annotations

from dataclasses import dataclass, field

from distilmt.config.bounds import bounded
from distilmt.config.effects import affects
from distilmt.utils.errors import UserError

TRAINING_FONTS = (
    "fonts-arphic-uming",
    "fonts-breip",
    "fonts-comic-neue",
    "fonts-dejavu-core",
    "fonts-freefont-ttf",
    "fonts-hack",
    "fonts-inconsolata",
    "fonts-lato",
    "fonts-liberation2",
    "fonts-linuxlibertine",
    "fonts-noto-cjk",
    "fonts-open-sans",
    "fonts-quicksand",
    "fonts-urw-base35",
    "fonts-wqy-zenhei",
)
"""Debian's packages of fonts in which training text is rendered: Latin scripts, Chinese, handwriting."""
HELD_OUT_FONTS = (
    "fonts-arphic-ukai",
    "fonts-cantarell",
    "fonts-dancingscript",
    "fonts-ebgaramond",
    "fonts-gfs-didot",
    "fonts-roboto-unhinted",
    "fonts-wqy-microhei",
)
"""Debian's packages of fonts for measuring only: a student has never seen them."""


@dataclass
class RenderingConfig:
    """Pictures of lines of text, as the student reads them."""

    height: int = bounded(32, 16, 128)
    """Height of every picture in pixels; pictures are scaled to it."""
    max_columns: int = bounded(2048, 64, 8192)
    """Maximum width of a picture in pixels; longer text is not rendered."""
    columns_per_frame: int = bounded(4, 1, 32)
    """Columns of pixels that make one frame, the unit that the encoder reads."""
    variants: int = bounded(4, 1, 10_000)
    """Pictures of each training text, in other fonts, sizes and degradations; epochs take them in turn."""
    fonts: list[str] = field(default_factory=lambda: list(TRAINING_FONTS))
    """Fonts of training pictures: Debian packages (those that are installed count), font files, or directories."""
    held_out_fonts: list[str] = field(
        default_factory=lambda: list(HELD_OUT_FONTS), metadata=affects("evaluation", "scores")
    )
    """Fonts of test pictures, of other families than `fonts`."""
    min_font_size: int = bounded(18, 8, 128)
    """Smallest font size in pixels, before a picture is scaled to its height."""
    max_font_size: int = bounded(48, 8, 128)
    """Largest font size in pixels, before a picture is scaled to its height."""
    margin: float = bounded(0.25, 0, 0.5)
    """Maximum margin on each side of the text, in line heights."""
    clean_fraction: float = bounded(0.25, 0, 1)
    """Fraction of pictures in black and white without degradation; 1 turns all degradation off."""
    dark_fraction: float = bounded(0.15, 0, 1)
    """Fraction of pictures with light text on a dark background."""
    min_contrast: float = bounded(0.35, 0.05, 1)
    """Smallest difference in brightness between text and background; 1 is black and white."""
    shading: float = bounded(0.15, 0, 1)
    """Maximum change of brightness from one end of the line to the other."""
    noise: float = bounded(12.0, 0, 64)
    """Maximum standard deviation of the noise, where brightness is 0 to 255."""
    blur: float = bounded(1.0, 0, 8)
    """Maximum standard deviation of the blur in pixels."""
    jpeg_quality: int = bounded(30, 5, 100)
    """Lowest quality of JPEG compression; 100 turns compression off."""
    rotation: float = bounded(2.0, 0, 10)
    """Maximum rotation in degrees; a long line is rotated less, so that its ends rise by half its height at most."""
    perspective: float = bounded(0.1, 0, 0.3)
    """Maximum shift of each corner by perspective, in line heights."""

    def __post_init__(self) -> None:
        if self.min_font_size > self.max_font_size:
            raise UserError(
                f"min_font_size is {self.min_font_size}, above max_font_size, {self.max_font_size}: lower it"
            )
        if both := sorted({*self.fonts} & {*self.held_out_fonts}):
            raise UserError(f"held_out_fonts has {both[0]}, which is in fonts too: remove it from one of them")

    @property
    def frame_size(self) -> int:
        """Numbers of a frame."""
        return self.columns_per_frame * self.height

    @property
    def outputs_per_position(self) -> int:
        """Characters that a position of the encoder can name under CTC: two; narrow letters are half as wide."""
        return 2
