"""Image folders: a synthetic set of textures, and the split into what is trained on and what is held out.

An image folder has a subfolder for each class, as `keras.utils.image_dataset_from_directory` takes them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from promoter.errors import InvalidInput

# What Keras reads (keras.utils.image_dataset_from_directory).
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png"})

TRAINING, HELD_OUT = "training", "held-out"

# A trained model is a folder with these two.
MODEL_FILE, LABELS_FILE = "model.keras", "labels.txt"

_TEXTURES = ("checks", "rings", "stripes-across", "stripes-down")

Image = npt.NDArray[np.uint8]


def write_textures(folder: Path, *, size: int, each: int, seed: int) -> None:
    """An image folder of `each` PNG files for each texture, `size` pixels wide and high; always the same for a seed.

    Colours, place, wavelength and noise are drawn for each image, so that nothing but the texture tells its class.
    """
    import tensorflow as tf  # noqa: PLC0415 - seconds, for those who need it

    random = np.random.default_rng(seed)
    for texture in _TEXTURES:
        (folder / texture).mkdir(parents=True)
        for number in range(each):
            content: bytes = tf.io.encode_png(_drawn(texture, size, random)).numpy()
            (folder / texture / f"{number:05}.png").write_bytes(content)


def _drawn(texture: str, size: int, random: np.random.Generator) -> Image:
    wavelength = random.uniform(8, 14)
    across, down = np.meshgrid(np.arange(size) + random.uniform(0, size), np.arange(size) + random.uniform(0, size))
    across, down = 2 * np.pi * across / wavelength, 2 * np.pi * down / wavelength
    match texture:
        case "checks":
            waves = np.sign(np.sin(across)) * np.sign(np.sin(down))
        case "rings":
            middle = 2 * np.pi * random.uniform(0.25, 0.75, 2) * size / wavelength
            waves = np.sin(np.hypot(across - across[0, 0] - middle[0], down - down[0, 0] - middle[1]))
        case "stripes-across":
            waves = np.sin(down)
        case _:
            waves = np.sin(across)
    first, second = _colours(random)
    mixed = first + (second - first) * (waves[..., np.newaxis] + 1) / 2
    noisy = mixed + random.normal(0, 12, mixed.shape)
    image: Image = np.clip(np.round(noisy), 0, 255).astype(np.uint8)
    return image


def _colours(random: np.random.Generator) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Two colours that an eye can tell apart."""
    while True:
        first, second = random.uniform(0, 255, (2, 3))
        if abs(first - second).sum() > 200:
            return first, second


def classes_of(folder: Path, *, least: int) -> Mapping[str, Sequence[Path]]:
    """The images of each class, both in the order of their names; `least` of each, or InvalidInput is raised."""
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        found = {
            name: sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() in SUFFIXES)
            for name in names
        }
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be read ({error.strerror}): name a folder of images") from error
    if len(found) < 2:
        raise InvalidInput(
            f"{folder} has {len(found)} subfolders: an image folder has one for each class, two at least"
        )
    for name, paths in found.items():
        if len(paths) < least:
            raise InvalidInput(
                f"{folder / name} holds {len(paths)} images ({', '.join(sorted(SUFFIXES))}): each class needs {least}"
            )
    return found


def split(images: Path, dataset: Path, *, held_out: float, seed: int) -> None:
    """Put the images into `dataset`/training and `dataset`/held-out: of each class the share `held_out`, 0 to 1.

    Which ones is drawn by the names and the seed, so that the same folder is split alike everywhere. Files are linked
    where the file system can, and copied where it cannot. Raises InvalidInput.
    """
    random = np.random.default_rng(seed)
    for name, paths in classes_of(images, least=2).items():
        count = min(len(paths) - 1, max(1, round(held_out * len(paths))))
        chosen = {paths[index] for index in random.permutation(len(paths))[:count]}
        for path in paths:
            target = dataset / (HELD_OUT if path in chosen else TRAINING) / name / path.relative_to(images / name)
            target.parent.mkdir(parents=True, exist_ok=True)
            _place(path, target)


def _place(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except FileExistsError as error:
        raise InvalidInput(f"{target} exists already: name a new folder") from error
    except OSError:
        shutil.copyfile(source, target)
