"""Every generated program runs for real: build, forward, learn, and the sizes that were promised."""

from __future__ import annotations

import ast
import lzma
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from netwright.memory.types import candidate_id
from netwright.tools.generators.corpus import build_corpus, read_corpus, write_corpus
from netwright.tools.generators.headers import INPUTS, STYLES, Header, bucket_of, is_held_out
from netwright.tools.generators.programs import Program, build_network, most_macs, random_program
from netwright.tools.generators.wishes import held_out_headers

PRM = {"lr": 0.01, "momentum": 0.9}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def corpus() -> list[Program]:
    return build_corpus(seed=7, n=300)


def _check(program: Program) -> None:
    """The network contract, the promised sizes, and two learning steps, the last on a batch of two."""
    shape, classes = program.header.in_shape, program.header.classes
    tree = ast.parse(program.source)
    net_class = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Net")
    methods = {n.name for n in net_class.body if isinstance(n, ast.FunctionDef)}
    assert methods == {"__init__", "forward", "train_setup", "learn"}
    net = build_network(program.source, shape, classes)
    assert sum(p.numel() for p in net.parameters()) == program.params
    net.train_setup(PRM)
    before = [p.detach().clone() for p in net.parameters()]
    batches = [(torch.randn(n, *shape), torch.randint(classes, (n,))) for n in (4, 2)]
    net.learn(batches)
    assert any(not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    net.eval()
    with torch.no_grad():
        assert net(torch.randn(1, *shape)).shape == (1, classes)
        assert net(torch.randn(5, *shape)).shape == (5, classes)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("shape", "classes"), INPUTS)
def test_programs_of_every_style_learn_on_every_input(style: str, shape: tuple[int, int, int], classes: int) -> None:
    rng = random.Random(f"{style} {shape} {classes}")
    for _ in range(3):
        program = random_program(rng, Header(shape, classes, "any", style))
        _check(program)
        assert program.style == style
        assert program.macs <= most_macs(shape)


def test_a_size_limit_is_kept(corpus: list[Program]) -> None:
    for program in corpus:
        assert program.header.bucket in ("any", bucket_of(program.params))
        assert program.header.style in ("any", program.style)


def test_the_corpus_is_the_same_for_the_same_seed(corpus: list[Program]) -> None:
    assert build_corpus(seed=7, n=40) == corpus[:40]
    assert build_corpus(seed=8, n=40) != corpus[:40]


def test_no_program_occurs_twice_and_none_is_held_out(corpus: list[Program]) -> None:
    assert len({candidate_id(p.source) for p in corpus}) == len(corpus)
    assert not any(is_held_out(p.full_header) for p in corpus)


def test_programs_are_compact(corpus: list[Program]) -> None:
    lengths = sorted(len(p.source) for p in corpus)
    assert lengths[len(lengths) // 2] < 2_000
    assert lengths[-1] < 3_000
    # The longest lines list the layers of a stage with three units; they are rare.
    long = [line for p in corpus for line in p.source.splitlines() if len(line) > 200]
    assert max(map(len, long), default=0) <= 320
    assert len(long) <= len(corpus) // 100


def test_the_corpus_survives_the_file(corpus: list[Program], tmp_path: Path) -> None:
    path = tmp_path / "deep" / "corpus.jsonl.xz"
    write_corpus(corpus, path)
    assert read_corpus(path) == corpus
    assert path.stat().st_size < 100_000


def test_a_spoiled_corpus_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl.xz"
    with lzma.open(path, "wt") as file:
        file.write('{"header": "# nothing"}\n')
    with pytest.raises(ValueError, match="line 1: not a corpus program"):
        read_corpus(path)


def test_held_out_headers_can_be_served_when_asked_for() -> None:
    rng = random.Random(3)
    for header in held_out_headers(rng, 40):
        program = random_program(rng, header)
        assert program.full_header == header


def test_an_unknown_input_is_served_too() -> None:
    rng = random.Random(4)
    for shape, classes in (((1, 12, 20), 3), ((3, 48, 48), 7), ((2, 8, 8), 2)):
        for style in STYLES:
            _check(random_program(rng, Header(shape, classes, "any", style)))


def test_an_impossible_wish_says_so() -> None:
    with pytest.raises(ValueError, match="no program"):
        random_program(random.Random(0), Header((3, 64, 64), 10, "<3k", "mlp"), tries=3)
