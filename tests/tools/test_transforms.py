"""Image transforms of a protocol: names and specs, shapes, caching, what training and test images get."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from netwright.tools.payload import transform_specs, transforms
from netwright.tools.payload.transforms import Pipeline, TransformError, resize, resolve
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

PAYLOAD = Path(transforms.__file__).parent


def images(n: int, shape: tuple[int, int, int] = (3, 32, 32), seed: int = 0) -> torch.Tensor:
    """Smooth random images as bytes."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, 256, (n, shape[0], 7, 9), generator=generator, dtype=torch.uint8)
    return functional.resize(coarse, list(shape[1:]))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("normalise", ""),
        ("norm", ""),
        ("", ""),
        ("norm_64", "Resize((64, 64))"),
        ("norm_64_flip", "Resize((64, 64)) RandomHorizontalFlip()"),
        ("norm_8", "Resize((8, 8))"),
        ("norm_512_flip", "Resize((512, 512)) RandomHorizontalFlip()"),
        ("crop_flip", "RandomCrop(native, padding=4) RandomHorizontalFlip()"),
        ("search_best_64", "RandomPosterize(4, p=0.68) Resize((64, 64))"),
        # One meaning has one text: places, defaults, lists, spaces and commas do not matter.
        ("Resize([64,64])", "Resize((64, 64))"),
        ("RandomCrop(padding = 4, size=9),RandomInvert(0.5)", "RandomCrop(9, padding=4) RandomInvert()"),
        ("RandomCrop(32, 4)\n  Pad(2, padding_mode='edge')", "RandomCrop(32, padding=4) Pad(2, padding_mode='edge')"),
        ("RandomRotation((-10, 10))", "RandomRotation((-10, 10))"),
        ("AutoAugment(policy='cifar10')", "AutoAugment(policy='cifar10')"),
    ],
)  # fmt: skip
def test_a_name_and_a_text_have_one_canonical_spec(text: str, spec: str) -> None:
    assert resolve(text) == spec
    assert resolve(spec) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mirror", "unknown transform 'mirror'; known names are: normalise"),
        ("norm_7", "unknown transform"),
        ("norm_513", "unknown transform"),
        ("norm_064", "unknown transform"),
        ("Mirror()", "no transform 'Mirror'"),
        ("Transform()", "no transform 'Transform'"),
        ("functional()", "no transform 'functional'"),
        ("Resize((64, 64", "unknown transform"),
        ("Resize((64, 64)) mirror", "unknown transform 'mirror'"),
        ("ToTensor()", "ToTensor is implied"),
        ("Normalize((0.5,), (0.5,))", "Normalize is implied"),
        ("ConvertImageDtype()", "is implied"),
        ("ToImage()", "is implied"),
        ("RandomApply([1])", "takes transforms, not literals"),
        ("FiveCrop(8)", "several images of one"),
        ("MixUp()", "changes the labels"),
        ("RandomCrop()", "missing a required argument: 'size'"),
        ("RandomCrop(32, colour=3)", "unexpected keyword argument 'colour'"),
        ("RandomCrop('wide')", "RandomCrop"),
        ("RandomHorizontalFlip(2)", "interval"),
        ("AutoAugment(policy='mnist')", "not a valid AutoAugmentPolicy"),
        ("Resize(size)", "'size' is not a literal"),
        ("Resize(__import__('os').getpid())", "is not a literal"),
        ("__import__('os')", "no transform '__import__'"),
        ("v2.Resize(3)", "not a call of a torchvision.transforms class by its name"),
        ("(lambda: 1)()", "not a call"),
        ("Resize(*[3])", "not literals"),
        ("Pad(1, **{'fill': 2})", "not literals"),
        ("Resize({1: 2})", "a dict is not an argument"),
        ("Resize((4096, 4096))", "numbers go up to 1024"),
        ("ColorJitter(1e999)", "out of range"),
        ("AugMix(mixture_width=1000)", "mixture_width=1000 is out of range"),
        ("RandomZoomOut(side_range=(1, 900)) Resize((8, 8))", "out of range"),
        ("Resize(8) " * 17, "at most 16 steps"),
        ("(" * 3000, "at most 2000 characters"),
        ("(" * 1500 + ")" * 400, "unknown transform"),
        ("\0)", "unknown transform"),
    ],
)
def test_a_text_that_cannot_be_used_is_refused_with_its_reason(text: str, message: str) -> None:
    with pytest.raises(TransformError) as caught:
        resolve(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ("RandomCrop(40)", (1, 28, 28), "RandomCrop on images of shape (1, 28, 28)"),
        ("Grayscale()", (2, 28, 28), "Grayscale"),
        ("ColorJitter(0.5)", (4, 28, 28), "ColorJitter"),
        ("Pad(1000)", (1, 28, 28), "sides up to 1024"),
        ("RandomRotation(10, expand=True)", (1, 28, 28), "images of different sizes"),
        ("RandomResize(20, 30) RandomHorizontalFlip()", (1, 28, 28), "images of different sizes"),
        # Steps that most images are spared.
        ("RandomGrayscale(p=0.01)", (4, 28, 28), "RandomGrayscale"),
        ("RandomSolarize(300, p=0.01)", (3, 28, 28), "RandomSolarize"),
        ("RandomErasing(p=0.01, value=(1, 2))", (3, 28, 28), "RandomErasing"),
    ],
)
def test_a_step_that_does_not_fit_the_images_is_refused(text: str, shape: tuple[int, int, int], message: str) -> None:
    with pytest.raises(TransformError) as caught:
        Pipeline(text, shape)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", [*transform_specs.NAMED, "norm_40", "norm_40_flip"])
def test_every_named_transform_works_on_colour_and_grey(name: str) -> None:
    for shape in ((3, 32, 32), (1, 32, 32)):
        pipeline = Pipeline(name, shape)
        batch = images(3, shape)
        before = batch.clone()
        for made in (pipeline.train(batch, seeded(), False), pipeline.test(batch, False)):
            assert (made.dtype, tuple(made.shape)) == (torch.uint8, (3, *pipeline.out_shape))
        assert pipeline.batched
        assert torch.equal(batch, before)
        assert Pipeline(pipeline.spec, shape).spec == pipeline.spec


def test_native_is_the_size_of_the_data_set() -> None:
    assert Pipeline("crop_flip", (1, 28, 20)).spec == "RandomCrop((28, 20), padding=4) RandomHorizontalFlip()"


def test_the_sandbox_has_the_modules_at_top_level() -> None:
    source = f"import sys; sys.path.insert(0, {str(PAYLOAD)!r}); import transforms; print(transforms.resolve('norm_9'))"
    done = subprocess.run([sys.executable, "-I", "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "Resize((9, 9))"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("norm_64_flip", (64, 64)),
        ("Resize(16) RandomRotation(10)", (16, 20)),
        ("Resize((64, 64), antialias=False)", None),
        ("Resize((64, 64), interpolation='nearest')", None),
        ("RandomPosterize(4) Resize((64, 64))", None),
        ("Resize((32, 40))", None),  # Nothing to do: these images have that size.
        ("normalise", None),
    ],
)
def test_only_a_leading_plain_resize_is_cached(text: str, size: tuple[int, int] | None) -> None:
    pipeline = Pipeline(text, (3, 32, 40))
    assert pipeline.cached_size == size
    batch = images(20, (3, 32, 40))
    if size is None:
        with pytest.raises(ValueError, match="no leading resize"):
            pipeline.train(batch, seeded(), True)
        return
    copy = resize(batch, size)
    assert torch.equal(pipeline.train(copy, seeded(5), True), pipeline.train(batch, seeded(5), False))
    assert torch.equal(pipeline.test(copy, True), pipeline.test(batch, False))
    with pytest.raises(ValueError, match="expected uint8 images of shape"):
        pipeline.train(batch, seeded(), True)


@pytest.mark.parametrize("size", [(8, 8), (28, 30), (64, 64), (224, 224)])
def test_resize_is_that_of_torchvision_image_by_image(size: tuple[int, int]) -> None:
    batch = images(5)
    alone = [v2.Resize(size)(image) for image in batch]
    assert torch.equal(resize(batch, size), torch.stack(alone))


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("RandomCrop(24)", "CenterCrop(24)"),
        ("RandomCrop(32, padding=4, fill=9)", ""),
        ("RandomCrop(36, padding=4, padding_mode='reflect')", "Pad(2, padding_mode='reflect')"),
        ("RandomCrop(40, pad_if_needed=True)", "Pad(4)"),
        ("RandomResizedCrop(20)", "Resize((20, 20))"),
        ("RandomHorizontalFlip() RandomErasing() ColorJitter(0.5) GaussianBlur(3) RandomPosterize(4)", ""),
        ("AugMix() RandomPerspective() RandomRotation(9) RandomAffine(9)", ""),
        ("RandomPosterize(4, p=1) RandomHorizontalFlip(1.0)", "RandomPosterize(4, p=1.0) RandomHorizontalFlip(p=1)"),
        ("RandomZoomOut() Resize((40, 40))", "Resize((40, 40))"),
        ("RandomRotation((90, 90)) Grayscale()", "RandomRotation((90, 90)) Grayscale()"),
    ],
)
def test_test_images_get_the_deterministic_steps(text: str, same_as: str) -> None:
    batch = images(6)
    once = Pipeline(text, (3, 32, 32)).test(batch, False)
    torch.rand(5)
    assert torch.equal(Pipeline(text, (3, 32, 32)).test(batch, False), once)
    steps = [call.build() for call in transform_specs.parse(same_as)]
    expected = torch.stack([v2.Compose(steps)(image) for image in batch]) if steps else batch
    assert torch.equal(once, expected)


BUSY = (
    "RandomResizedCrop(24) RandomAffine(20, (0.1, 0.1), (0.8, 1.2), 5, 'bilinear', 7) RandomRotation(20) "
    "RandomCrop(24, 4) ColorJitter(0.4, 0.4, 0.4, 0.1) RandomErasing(value=3) GaussianBlur(3) RandomVerticalFlip() "
    "RandomEqualize() RandomAdjustSharpness(2)"
)


@pytest.mark.parametrize("text", [BUSY, "AugMix() RandomRotation(30)", "RandomZoomOut() RandomCrop(20) RandAugment()"])
def test_all_randomness_comes_from_the_generator_and_none_leaks(text: str) -> None:
    pipeline = Pipeline(text, (3, 32, 32))
    batch = images(12)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = pipeline.train(batch, seeded(3), False)
    pipeline.test(batch, False)
    Pipeline(text, (3, 32, 32))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    generator = seeded(3)
    assert torch.equal(pipeline.train(batch, generator, False), first)
    assert not torch.equal(pipeline.train(batch, generator, False), first)


def test_a_training_under_autocast_or_in_deterministic_mode_sees_the_same_images() -> None:
    pipeline = Pipeline(BUSY, (3, 32, 32))
    batch = images(12)
    plain = pipeline.train(batch, seeded(), False)
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(pipeline.train(batch, seeded(), False), plain)
        assert torch.utils.deterministic.fill_uninitialized_memory
    finally:
        torch.use_deterministic_algorithms(before)


def test_a_large_batch_goes_through_in_parts_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = images(50)
    whole = Pipeline(BUSY, (3, 32, 32)).train(batch, seeded(), False)
    monkeypatch.setattr(transforms, "_VALUES", 7 * 3 * 32 * 32)
    parts = Pipeline(BUSY, (3, 32, 32)).train(batch, seeded(), False)
    # Products of matrices of another size may round otherwise, which can move a grey level by one.
    assert (parts.int() - whole.int()).abs().gt(1).float().mean() < 1e-3


@pytest.mark.parametrize("text", ["AugMix()", "RandomPerspective(0.4)", "TrivialAugmentWide()", "ElasticTransform()"])
def test_a_transform_without_a_twin_is_torchvisions_own(text: str) -> None:
    pipeline = Pipeline(text, (3, 32, 32))
    assert not pipeline.batched
    batch = images(10)
    made = pipeline.train(batch, seeded(4), False)
    torch.manual_seed(int(torch.randint(2**62, (), generator=seeded(4))))
    (transform,) = [call.build() for call in transform_specs.parse(text)]
    assert torch.equal(made, torch.stack([transform(image) for image in batch]))


def test_images_of_different_sizes_go_on_alone_until_they_have_one_size() -> None:
    pipeline = Pipeline(
        "RandomRotation(45, expand=True) RandomHorizontalFlip() Resize((20, 20)) RandomCrop(16)", (1, 28, 28)
    )
    assert pipeline.out_shape == (1, 16, 16)
    assert pipeline.train(images(9, (1, 28, 28)), seeded(), False).shape == (9, 1, 16, 16)


def test_no_images_and_wrong_images() -> None:
    pipeline = Pipeline("norm_64_flip", (3, 32, 32))
    assert pipeline.train(images(4)[:0], seeded(), False).shape == (0, 3, 64, 64)
    assert pipeline.test(images(4)[:0], False).shape == (0, 3, 64, 64)
    with pytest.raises(ValueError, match="expected uint8 images"):
        pipeline.train(images(4).float(), seeded(), False)
    with pytest.raises(ValueError, match="expected uint8 images"):
        pipeline.test(images(4, (3, 16, 16)), False)
