"""Images and the particles that somebody labelled in them, from files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HDF5 = (".hdf5", ".h5")
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True)
class LabelledImage:
    """An image and its particles.

    Parameters
    ----------
    name
        Of the file.
    image
        Shape (rows, columns), float32.
    labels
        Particles, each a number of its own, int32; the ellipses in them where only boxes are known.
    boxes
        Whether only boxes are known.
    """

    name: str
    image: np.ndarray
    labels: np.ndarray
    boxes: bool = False


def read_labelled(images: str | Path, labels: str | Path) -> list[LabelledImage]:
    """Read labelled images.

    Parameters
    ----------
    images
        Folder of images that scikit-image or HyperSpy read, one in each file.
    labels
        Folder of files of the same names, each an image of labels (integers, or a mask of one value), a signal that
        HyperSpy reads, a NumPy array, particles that ParticleSpy saved (.hdf5), or a text of YOLO boxes (class, middle
        x and y, width and height as fractions of the image); or one COCO file (.json) with boxes of all images.

    Raises
    ------
    ValueError
        If an image has no labels, or labels of another shape.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("images", "labels"):
    ...     (folder / name).mkdir()
    >>> np.save(folder / "images" / "one.npy", np.random.default_rng(0).normal(size=(40, 60)))
    >>> _ = (folder / "labels" / "one.txt").write_text("0 0.5 0.5 0.25 0.5")
    >>> (one,) = read_labelled(folder / "images", folder / "labels")
    >>> one.name, one.boxes, int(one.labels.sum())
    ('one', True, 236)
    """
    images, labels = Path(images), Path(labels)
    files = sorted(path for path in images.iterdir() if path.is_file() and path.name[0] != ".")
    if not files:
        raise ValueError(f"The folder {images} holds no images.")
    coco = _read_coco(labels) if labels.is_file() else None
    found = []
    for path in files:
        image = _read_image(path)
        if coco is not None:
            if path.name not in coco:
                raise ValueError(f"{labels} knows no image {path.name!r}, only {sorted(coco)[:5]} ...")
            boxes = np.array(coco[path.name], float).reshape(-1, 4)
            found.append(LabelledImage(path.stem, image, ellipses(boxes, image.shape), True))
            continue
        own = [one for one in labels.iterdir() if one.stem == path.stem and one.name[0] != "."]
        if len(own) != 1:
            raise ValueError(f"Expected one file of labels for {path.name} in {labels}, found {len(own)}.")
        found.append(_with_labels(path.stem, image, own[0]))
    return found


def _with_labels(name: str, image: np.ndarray, path: Path) -> LabelledImage:
    from particlespy_ml.segmentation.numbers import label_given, renumber

    if path.suffix.lower() == ".txt":
        rows = [[float(value) for value in line.split()] for line in path.read_text().splitlines() if line.strip()]
        if any(len(row) != 5 for row in rows):
            raise ValueError(f"{path} is no file of YOLO boxes: expected five numbers in each line.")
        boxes = np.array(rows).reshape(-1, 5)[:, 1:] * np.tile(image.shape[::-1], 2)
        boxes[:, :2] -= boxes[:, 2:] / 2
        return LabelledImage(name, image, ellipses(boxes, image.shape), True)
    labels = _read_particlespy(path) if path.suffix.lower() in HDF5 else None
    labels = np.asarray(_read_image(path, whole=True)) if labels is None else labels
    if labels.shape != image.shape:
        raise ValueError(f"The labels {path.name} have the shape {labels.shape}, their image {image.shape}.")
    labels = labels.astype(np.int64)
    return LabelledImage(name, image, renumber(label_given(labels > 0 if len(np.unique(labels)) < 3 else labels)))


def _read_particlespy(path: Path) -> np.ndarray | None:
    """Labels of the masks in a file of `particlespy.particle_save.save_plist`; None of other files."""
    import h5py

    with h5py.File(path) as file:
        masks = [np.asarray(held["Mask"]) > 0 for name, held in file.items() if name.startswith("Particle")]
    if not masks:
        return None
    if len({mask.shape for mask in masks}) > 1:
        raise ValueError(f"The masks of the particles in {path} differ in shape; expected those of whole images.")
    labels = np.zeros(masks[0].shape, np.int32)
    for number, mask in enumerate(sorted(masks, key=np.count_nonzero, reverse=True), start=1):  # small ones over large
        labels[mask] = number
    return labels


def ellipses(boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return labels of the ellipses in boxes of (left, top, width, height) in pixels."""
    labels = np.zeros(shape, np.int32)
    order = np.argsort(-boxes[:, 2] * boxes[:, 3])  # small ones over large ones
    for number, (left, top, width, height) in enumerate(boxes[order], start=1):
        rows = np.arange(max(int(top), 0), min(int(np.ceil(top + height)) + 1, shape[0]))
        columns = np.arange(max(int(left), 0), min(int(np.ceil(left + width)) + 1, shape[1]))
        if not len(rows) or not len(columns) or not min(width, height) > 0:
            continue
        away = ((rows[:, None] + 0.5 - top - height / 2) * 2 / height) ** 2
        away = away + ((columns + 0.5 - left - width / 2) * 2 / width) ** 2
        labels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1][away <= 1] = number
    from particlespy_ml.segmentation.numbers import renumber

    return renumber(labels)


def _read_coco(path: Path) -> dict[str, list]:
    content = json.loads(path.read_text(encoding="utf-8"))
    try:
        names = {one["id"]: Path(one["file_name"]).name for one in content["images"]}
        found: dict[str, list] = {name: [] for name in names.values()}
        for one in content["annotations"]:
            found[names[one["image_id"]]].append(one["bbox"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is no COCO file: it lacks {error}.") from error
    return found


def _read_image(path: Path, whole: bool = False) -> np.ndarray:
    """A file as one array of two dimensions; integers stay as they are where *whole*."""
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        from skimage.io import imread

        image = imread(path)
        image = image[..., :3].mean(-1) if image.ndim == 3 else image
    elif suffix == ".npy":
        image = np.load(path, allow_pickle=False)
    else:
        import hyperspy.api as hs

        signal = hs.load(str(path))
        if isinstance(signal, list):
            raise ValueError(f"{path} holds {len(signal)} signals; save the image alone.")
        image = np.asarray(signal.data)
    if image.ndim != 2 or image.dtype.kind not in "biuf":
        raise ValueError(f"{path} is no grey image: its shape is {image.shape}, its dtype {image.dtype}.")
    return image if whole else image.astype(np.float32)
