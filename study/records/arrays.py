"""Arrays and tensors as bytes: the content of their files, and the hashes that name them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from study.base.files import sha256

if TYPE_CHECKING:
    from torch import Tensor


def npy(images: NDArray[np.uint8]) -> tuple[str, bytes]:
    """Return some images' hash, by which they are named, and the content of their file."""
    content = io.BytesIO()
    np.save(content, images)
    return sha256([content.getvalue()])[:12], content.getvalue()


def safetensors(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Return tensors as the content of a safetensors file.

    Raises
    ------
    MemoryError
        The content does not fit the memory.
    """
    from safetensors.torch import save

    try:
        return bytes(save(dict(tensors), metadata))
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # which the library exports nowhere
            raise
        raise MemoryError(str(error)) from None


def weights_hash(tensors: Mapping[str, Tensor]) -> str:
    """Return the sha256 of a network's weights, in the order of their names."""
    return sha256(tensor_bytes(tensors[name]) for name in sorted(tensors))


def tensor_bytes(tensor: Tensor) -> bytes:
    """Return a tensor's elements as bytes, in order."""
    return tensor.detach().cpu().contiguous().numpy().tobytes()
