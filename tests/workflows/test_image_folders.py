"""Image folders, without anybody who can read an image."""

import pytest

from promoter.errors import InvalidInput
from workflows.images import classes_of, split


def folder_of(folder, files):
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_a_split_is_the_same_everywhere_holds_out_of_every_class_and_loses_nothing(tmp_path):
    names = [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(8)]
    images = folder_of(tmp_path / "images", names)
    for name in ("one", "other"):
        split(images, tmp_path / name, held_out=0.25, seed=1)
    one, other = (
        sorted(str(path.relative_to(tmp_path / name)) for path in (tmp_path / name).rglob("*.png"))
        for name in ("one", "other")
    )
    assert one == other
    held_out = classes_of(tmp_path / "one" / "held-out", least=1)
    assert {label: len(paths) for label, paths in held_out.items()} == {"cat": 2, "dog": 2}
    assert sorted(path.split("/", 1)[1] for path in one) == sorted(names)
    split(images, tmp_path / "third", held_out=0.25, seed=2)
    assert one != sorted(str(path.relative_to(tmp_path / "third")) for path in (tmp_path / "third").rglob("*.png"))


def test_of_the_smallest_class_one_image_is_left_to_train_on(tmp_path):
    images = folder_of(tmp_path / "images", ["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"])
    split(images, tmp_path / "dataset", held_out=0.9, seed=0)
    assert {len(paths) for paths in classes_of(tmp_path / "dataset" / "training", least=1).values()} == {1}


def test_a_folder_that_was_split_into_before_is_refused(tmp_path):
    images = folder_of(tmp_path / "images", ["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"])
    split(images, tmp_path / "dataset", held_out=0.5, seed=0)
    with pytest.raises(InvalidInput, match="exists already"):
        split(images, tmp_path / "dataset", held_out=0.5, seed=0)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("a.png",), "has 0 subfolders"),
        (("one/a.png",), "has 1 subfolders"),
        (("one/a.png", "one/b.png", "two/b.txt"), "two holds 0 images"),
        (("one/a.png", "two/b.png"), "one holds 1 images"),
    ],
)
def test_a_folder_that_is_no_image_folder_is_refused_with_what_it_lacks(tmp_path, files, said):
    with pytest.raises(InvalidInput, match=said):
        classes_of(folder_of(tmp_path, files), least=2)


def test_a_folder_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read"):
        classes_of(tmp_path / "none", least=2)
