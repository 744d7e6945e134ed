"""Whose error it is that ends a training."""

from __future__ import annotations

import pytest
import torch

from study.training.failures import out_of_memory

# What torch's allocators, oneDNN and the C++ library say.
SAID = [
    "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "std::bad_alloc",
]


@pytest.mark.parametrize("said", SAID)
def test_errors_of_every_allocator_say_that_memory_was_too_small(said: str) -> None:
    assert out_of_memory(RuntimeError(said))


def test_pythons_and_torchs_own_errors_count_and_others_do_not() -> None:
    assert out_of_memory(MemoryError())
    assert out_of_memory(torch.OutOfMemoryError())
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
