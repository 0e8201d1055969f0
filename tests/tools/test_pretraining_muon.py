"""Muon: the update is orthogonal, training with it works, and its state survives a checkpoint."""

from __future__ import annotations

import copy

import pytest
import torch
from netwright.tools.pretraining.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(24, 24), (48, 16), (16, 48)])
def test_singular_values_come_close_to_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    before, after = torch.linalg.svdvals(matrix), torch.linalg.svdvals(orthogonalise(matrix))
    assert orthogonalise(matrix).shape == matrix.shape
    assert float(before.max() / before.median()) > 1.5
    assert float(after.median()) == pytest.approx(1, abs=0.3)
    assert float(after.max()) < 1.3


def test_directions_are_kept() -> None:
    matrix = torch.randn(16, 32, generator=torch.Generator().manual_seed(1))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    cosine = torch.nn.functional.cosine_similarity(orthogonalise(matrix).flatten(), (u @ v).flatten(), dim=0)
    assert float(cosine) > 0.97


def run(steps: int, optimizer: Muon, weight: torch.nn.Parameter) -> float:
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(64, 8, generator=generator)
    target = inputs @ torch.randn(8, 8, generator=generator)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (inputs @ weight - target).square().mean()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def test_a_linear_map_is_learned() -> None:
    weight = torch.nn.Parameter(torch.zeros(8, 8))
    optimizer = Muon([weight], lr=0.1, weight_decay=0)
    first = run(1, optimizer, weight)
    assert run(100, optimizer, weight) < first / 20


def test_state_goes_through_a_checkpoint() -> None:
    one, two = (torch.nn.Parameter(torch.zeros(8, 8)) for _ in range(2))
    first, second = Muon([one], lr=0.05), Muon([two], lr=0.05)
    run(3, first, one)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    two.data.copy_(one.data)
    run(3, first, one)
    run(3, second, two)
    assert torch.equal(one, two)


def test_vectors_and_closures_are_refused() -> None:
    with pytest.raises(ValueError, match="matrices only"):
        Muon([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
    with pytest.raises(ValueError, match="closure"):
        Muon([torch.nn.Parameter(torch.zeros(3, 3))], lr=0.1).step(lambda: 0.0)
