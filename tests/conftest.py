"""Shapes and types in the signatures of everything that handles tensors are checked in tests."""

import os

# The tests' matrices are small, and processes that share two cores stop each other with more.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from jaxtyping import install_import_hook  # after the environment is set

install_import_hook(
    ["study.nn", "study.engine", "study.module", "study.data.module"], "shapes.checked"
)
