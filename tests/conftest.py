"""Makes the helpers beside it (`oracle`, `strategies`) importable from every folder of tests, and sets JAX up: one
compilation cache for all tests and workers, one thread a worker."""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# before JAX is imported
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".jax_cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # most programs run a few times: compile fast rather than well
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")


def pytest_addoption(parser):
    text = "write the messages of tests/golden anew, to be read and committed"
    parser.addoption("--update-golden", action="store_true", help=text)


@pytest.fixture
def quickly_compiled():
    """Every program is one of its own, run once or a few times: compile it fast rather than well, and forget it."""
    import jax

    with compiled_well(False):
        yield
    jax.clear_caches()


@pytest.fixture
def well_compiled():
    """What runs for long: compile it well."""
    with compiled_well(True):
        yield


@contextmanager
def compiled_well(well: bool):
    import jax

    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", not well)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)
