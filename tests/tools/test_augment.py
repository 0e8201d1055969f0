"""Batched twins against torchvision: with the same parameters the same pixels, and the same distribution.

The tests of distributions have fixed seeds and reject at 0.1 %, so that chance does not fail them; that they have
power is tested by a twin with slightly other settings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from netwright.tools.payload import transform_specs, twins
from netwright.tools.payload.transforms import Pipeline
from scipy import stats
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional

REJECT = 1e-3
COLOURS = (
    functional.adjust_brightness,
    functional.adjust_contrast,
    functional.adjust_saturation,
    functional.adjust_hue,
)
FACTORS = ("brightness", "contrast", "saturation", "hue")
Drawn = dict[str, torch.Tensor]


def images(n: int, shape: tuple[int, int, int] = (3, 32, 24), seed: int = 0) -> torch.Tensor:
    """Smooth random images as bytes."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, 256, (n, shape[0], 7, 9), generator=generator, dtype=torch.uint8)
    return functional.resize(coarse, list(shape[1:]))


def resized_crop(size: list[int]) -> Callable[[torch.Tensor, Drawn], Any]:
    return lambda image, d: functional.resized_crop(
        image, int(d["top"]), int(d["left"]), int(d["height"]), int(d["width"]), size
    )


def rotated(mode: str, **settings: Any) -> Callable[[torch.Tensor, Drawn], Any]:
    return lambda image, d: functional.rotate(image, float(d["angle"]), InterpolationMode(mode), **settings)


def moved(mode: str, fill: Any) -> Callable[[torch.Tensor, Drawn], Any]:
    return lambda image, d: functional.affine(
        image, float(d["angle"]), [int(t) for t in d["translate"]], float(d["scale"]),
        [float(s) for s in d["shear"]], InterpolationMode(mode), fill,
    )  # fmt: skip


def erased(image: torch.Tensor, d: Drawn) -> Any:
    value = torch.tensor([1, 200, 30])[:, None, None]
    return functional.erase(image, int(d["top"]), int(d["left"]), int(d["height"]), int(d["width"]), value)


def blurred(taps: list[int]) -> Callable[[torch.Tensor, Drawn], Any]:
    return lambda image, d: functional.gaussian_blur(image, taps, [float(d["sigma"])] * 2)


def jittered(image: torch.Tensor, d: Drawn) -> Any:
    for change in d["order"].tolist():
        image = COLOURS[change](image, float(d[FACTORS[change]]))
    return image


def cropped(image: torch.Tensor, d: Drawn) -> Any:
    padded = functional.pad(image, [3, 2, 3, 2], fill=9)
    return functional.crop(padded, int(d["top"]), int(d["left"]), 30, 20)


def chosen(change: Callable[[torch.Tensor], Any]) -> Callable[[torch.Tensor, Drawn], Any]:
    return lambda image, d: change(image) if d["chosen"] else image


AFFINE = {"degrees": 40, "translate": (0.2, 0.3), "scale": (0.5, 2.0), "shear": (-10, 10, -20, 20)}
EXACT: list[tuple[Any, Callable[[torch.Tensor, Drawn], Any]]] = [
    (v2.RandomHorizontalFlip(), chosen(functional.horizontal_flip)),
    (v2.RandomVerticalFlip(0.3), chosen(functional.vertical_flip)),
    (v2.RandomGrayscale(0.5), chosen(lambda image: functional.rgb_to_grayscale(image, 3))),
    (v2.RandomInvert(), chosen(functional.invert)),
    (v2.RandomSolarize(100), chosen(lambda image: functional.solarize(image, 100))),
    (v2.RandomPosterize(4, 0.68), chosen(lambda image: functional.posterize(image, 4))),
    (v2.RandomEqualize(), chosen(functional.equalize)),
    (v2.RandomAutocontrast(0.59), chosen(functional.autocontrast)),
    (v2.RandomAdjustSharpness(1.68, 0.84), chosen(lambda image: functional.adjust_sharpness(image, 1.68))),
    (v2.RandomCrop((30, 20), padding=(3, 2), fill=9), cropped),
    (v2.RandomErasing(0.7, value=(1, 200, 30)), erased),
]
"""Transforms and what torchvision does with the same parameters: not one pixel differs."""
NEAR: list[tuple[Any, Callable[[torch.Tensor, Drawn], Any]]] = [
    (v2.RandomResizedCrop((32, 24)), resized_crop([32, 24])),
    (v2.RandomResizedCrop((64, 70), scale=(0.3, 0.6)), resized_crop([64, 70])),
    (v2.RandomResizedCrop(9, ratio=(0.2, 0.4)), resized_crop([9, 9])),
    (v2.RandomRotation(180), rotated("nearest")),
    (v2.RandomRotation(30, interpolation="bilinear", fill=90), rotated("bilinear", fill=90)),
    (v2.RandomRotation((20, 70), center=[3, 5], fill=(9, 8, 7)), rotated("nearest", center=[3, 5], fill=(9, 8, 7))),
    (v2.RandomAffine(**AFFINE), moved("nearest", 0)),
    (v2.RandomAffine(**AFFINE, interpolation="bilinear", fill=(1, 2, 3)), moved("bilinear", (1, 2, 3))),
    (v2.RandomAffine((5, 6), shear=8, fill=50), moved("nearest", 50)),
    (v2.GaussianBlur(5), blurred([5, 5])),
    (v2.GaussianBlur((3, 7), sigma=(0.5, 1.5)), blurred([3, 7])),
    (v2.ColorJitter(hue=0.5), lambda image, d: functional.adjust_hue(image, float(d["hue"]))),
    (v2.ColorJitter(0.4, 0.4, 0.4, 0.2), jittered),
    (v2.ColorJitter(brightness=(2, 3), contrast=0.9, saturation=(0, 4), hue=0), jittered),
]
"""The same for those in which floating-point numbers are rounded: fewer than 3 pixels in 10,000 differ."""


def both(transform: Any, alone: Callable[[torch.Tensor, Drawn], Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """100 images by the twin, and one by one by torchvision's function with the parameters that the twin drew."""
    batch = images(100)
    twin = twins.twin(transform, (3, 32, 24))
    assert twin is not None
    drawn = twin.draw(100, torch.Generator().manual_seed(1))
    before = batch.clone()
    made = twin.apply(batch, drawn)
    assert torch.equal(batch, before)
    expected = [alone(image, {name: value[at] for name, value in drawn.items()}) for at, image in enumerate(batch)]
    assert made.dtype == torch.uint8
    return made, torch.stack(expected)


@pytest.mark.parametrize(("transform", "alone"), EXACT, ids=lambda value: type(value).__name__)
def test_with_the_same_parameters_all_pixels_are_the_same(transform: Any, alone: Any) -> None:
    made, expected = both(transform, alone)
    assert torch.equal(made, expected)


@pytest.mark.parametrize(("transform", "alone"), NEAR, ids=lambda value: type(value).__name__)
def test_with_the_same_parameters_nearly_all_pixels_are_the_same(transform: Any, alone: Any) -> None:
    made, expected = both(transform, alone)
    assert (made != expected).float().mean() < 3e-4


def outcomes(made: list[torch.Tensor]) -> Counter[bytes]:
    return Counter(image.contiguous().numpy().tobytes() for image in made)


def test_crops_and_flips_have_exactly_torchvisions_outcomes_equally_often() -> None:
    image = torch.arange(1, 13, dtype=torch.uint8).view(1, 3, 4)
    text = "RandomCrop((3, 4), padding=(1, 2)) RandomHorizontalFlip(0.25)"
    pipeline = Pipeline(text, (1, 3, 4))
    n = 6000
    twin = outcomes(list(pipeline.train(image.expand(n, 1, 3, 4), torch.Generator().manual_seed(0), False)))
    torch.manual_seed(0)
    theirs = v2.Compose([v2.RandomCrop((3, 4), padding=(1, 2)), v2.RandomHorizontalFlip(0.25)])
    known = outcomes([theirs(image) for _ in range(n)])
    padded = functional.pad(image, [1, 2])
    crops = [functional.crop(padded, top, left, 3, 4) for top in range(5) for left in range(3)]
    chance: Counter[bytes] = Counter()
    for crop in crops:
        chance[outcomes([crop]).popitem()[0]] += 0.75 / 15  # type: ignore[assignment]
        chance[outcomes([crop.flip(-1)]).popitem()[0]] += 0.25 / 15  # type: ignore[assignment]
    assert set(twin) == set(known) == set(chance)
    for counts in (twin, known):
        assert stats.chisquare([counts[key] for key in chance], [n * chance[key] for key in chance]).pvalue > REJECT


def test_each_image_of_a_batch_has_a_draw_of_its_own() -> None:
    pipeline = Pipeline("RandomHorizontalFlip()", (1, 1, 2))
    generator = torch.Generator().manual_seed(0)
    pair = torch.tensor([[[[0, 9]]], [[[0, 9]]]], dtype=torch.uint8)
    seen = outcomes([pipeline.train(pair, generator, False) for _ in range(2000)])
    assert len(seen) == 4
    assert stats.chisquare(list(seen.values())).pvalue > REJECT


def parameters(transform: Any, n: int, shape: tuple[int, int, int]) -> dict[str, np.ndarray[Any, Any]]:
    """n draws of torchvision's own parameters, under the names that the twins use."""
    torch.manual_seed(0)
    image = [torch.zeros(shape, dtype=torch.uint8)]
    rows = []
    for _ in range(n):
        if isinstance(transform, v2.RandomErasing):
            drawn = transform.make_params(image) if torch.rand(1) < transform.p else {"v": None}
            box = ("i", "j", "h", "w")
            row = [0, 0, 0, 0] if drawn["v"] is None else [drawn[side] for side in box]
            rows.append(dict(zip(("top", "left", "height", "width"), row, strict=True)))
            continue
        rows.append(flat(transform.make_params(image)))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def flat(drawn: dict[str, Any]) -> dict[str, float]:
    """The numbers among torchvision's parameters, under the names that the twins use; of a pair, each alone."""
    numbers: dict[str, float] = {}
    for name, value in drawn.items():
        if isinstance(value, int | float):
            numbers[name.removesuffix("_factor")] = value
        elif name == "sigma":
            numbers[name] = value[0]
        elif isinstance(value, tuple):
            numbers |= {f"{name}_{at}": part for at, part in enumerate(value)}
    return numbers


@pytest.mark.parametrize(
    ("transform", "shape"),
    [
        (v2.RandomResizedCrop(32), (3, 32, 24)),
        (v2.RandomResizedCrop(8, scale=(0.5, 1), ratio=(1.5, 3)), (1, 20, 20)),
        (v2.RandomResizedCrop(8, scale=(0.9, 1), ratio=(0.5, 0.6)), (1, 20, 20)),  # Nothing fits: the middle.
        (v2.RandomResizedCrop(8, scale=(0.9, 1), ratio=(0.2, 3)), (1, 20, 50)),
        (v2.RandomRotation((-30, 50)), (1, 28, 28)),
        (v2.RandomAffine(**AFFINE), (3, 32, 24)),
        (v2.RandomErasing(), (3, 32, 24)),
        (v2.RandomErasing(p=0.9, scale=(0.5, 1.0), ratio=(0.2, 5)), (1, 10, 14)),
        (v2.ColorJitter(0.4, 0.3, (2, 3), 0.2), (3, 8, 8)),
        (v2.GaussianBlur(3), (1, 8, 8)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_parameters_are_drawn_as_torchvision_draws_them(transform: Any, shape: tuple[int, int, int]) -> None:
    n = 3000
    theirs = parameters(transform, n, shape)
    twin = twins.twin(transform, shape)
    assert twin is not None
    ours: dict[str, np.ndarray[Any, Any]] = {}
    for name, value in twin.draw(n, torch.Generator().manual_seed(0)).items():
        if name != "order":
            columns = [(name, value)] if value.ndim == 1 else [(f"{name}_{at}", value[:, at]) for at in (0, 1)]
            ours.update({column: values.numpy() for column, values in columns})
    assert set(ours) == set(theirs)
    if "height" in ours:  # Jointly, too.
        for drawn in (ours, theirs):
            drawn["area"] = drawn["height"] * drawn["width"]
            drawn["bottom"] = drawn["top"] + drawn["height"]
            drawn["skew"] = drawn["height"] - drawn["width"]
    for name, values in ours.items():
        assert stats.ks_2samp(values, theirs[name], method="asymp").pvalue > REJECT, name


def test_colours_change_in_any_order_equally_often() -> None:
    twin = twins.twin(v2.ColorJitter(0.1, 0.1, 0.1, 0.1), (3, 8, 8))
    assert twin is not None
    orders = Counter(tuple(order) for order in twin.draw(4800, torch.Generator().manual_seed(0))["order"].tolist())
    assert len(orders) == 24
    assert stats.chisquare(list(orders.values())).pvalue > REJECT


PIPELINES = [
    "RandomCrop(28, padding=4) RandomHorizontalFlip()",
    "RandomVerticalFlip(0.2) RandomPosterize(3, p=0.68) RandomInvert(0.3)",
    "RandomResizedCrop(20)",
    "RandomRotation(25, fill=40)",
    "RandomAffine(20, translate=(0.1, 0.2), scale=(0.7, 1.2), shear=10, interpolation='bilinear')",
    "RandomErasing(p=0.6, value=99)",
    "ColorJitter(0.5, 0.5, 0.5, 0.2)",
    "GaussianBlur(5, sigma=(0.1, 3.0))",
    "RandomSolarize(90) RandomEqualize() RandomAutocontrast() RandomAdjustSharpness(3) RandomGrayscale(0.4)",
    "RandomPerspective(0.4)",
]


def projections(made: torch.Tensor) -> np.ndarray[Any, Any]:
    """Each image by its mean, its spread, the sum of its differences and four fixed random projections: (n, 7)."""
    flat = made.flatten(1).float()
    directions = torch.randn(flat.shape[1], 4, generator=torch.Generator().manual_seed(7))
    steps = made.float().diff(dim=3).abs().flatten(1).sum(1)
    return torch.cat([flat.mean(1)[:, None], flat.std(1)[:, None], steps[:, None], flat @ directions], dim=1).numpy()


def least_p(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Smallest p-value of the two-sample Kolmogorov-Smirnov tests of all projections."""
    columns = zip(projections(ours).T, projections(theirs).T, strict=True)
    return float(min(stats.ks_2samp(mine, other, method="asymp").pvalue for mine, other in columns))


def drawn_by_both(text: str, other: str, n: int = 1500) -> tuple[torch.Tensor, torch.Tensor]:
    """n draws on one image: of the pipeline in a batch, and of torchvision's transforms of `other` one by one."""
    image = images(1, (3, 32, 32), seed=3)[0]
    pipeline = Pipeline(text, (3, 32, 32))
    ours = pipeline.train(image.expand(n, 3, 32, 32), torch.Generator().manual_seed(0), False)
    theirs = v2.Compose([call.build() for call in transform_specs.parse(other)])
    torch.manual_seed(1)
    return ours, torch.stack([theirs(image) for _ in range(n)])


@pytest.mark.parametrize("text", PIPELINES, ids=lambda text: text.split("(")[0])
def test_whole_pipelines_match_torchvision_in_distribution(text: str) -> None:
    ours, theirs = drawn_by_both(text, text)
    assert least_p(ours, theirs) > REJECT / 7
    # The mean image: each pixel's difference in standard errors, whose largest over the image stays small.
    error = ((ours.float().var(0) + theirs.float().var(0)) / len(ours)).sqrt().clamp(min=1e-3)
    assert ((ours.float().mean(0) - theirs.float().mean(0)).abs() / error).max() < 5.5


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("RandomRotation(25)", "RandomRotation(20)"),
        ("RandomCrop(28, padding=4) RandomHorizontalFlip()", "RandomCrop(28, padding=3) RandomHorizontalFlip()"),
        ("RandomResizedCrop(20)", "RandomResizedCrop(20, scale=(0.2, 1.0))"),
        ("ColorJitter(0.5, 0.5, 0.5, 0.2)", "ColorJitter(0.4, 0.5, 0.5, 0.2)"),
        ("RandomErasing(p=0.6)", "RandomErasing(p=0.5)"),
        ("GaussianBlur(5, sigma=(0.1, 3.0))", "GaussianBlur(5, sigma=(0.1, 2.5))"),
    ],
)
def test_slightly_other_settings_would_be_noticed(text: str, other: str) -> None:
    assert least_p(*drawn_by_both(text, other)) < REJECT / 7
