"""What is set for another project, or chosen by the processor, does not reach the figures."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow

FIGURES = """
import stages
import hashlib, json, os, warnings
import numpy as np
from voicetraits.networks.backend import keras
import jax
from voicetraits.networks import build
from voicetraits.tasks import Head

warnings.warn("of another package")
model = build("original", (68, 16), (Head("gender", 2),), seed=1)
model.compile(optimizer="adam", loss="binary_crossentropy")
rng = np.random.default_rng(0)
clips = rng.uniform(size=(8, 68, 16)).astype(np.float32)
model.fit(clips, np.arange(8) % 2, batch_size=4, epochs=1, verbose=0, shuffle=False)
left = [name for name in os.environ if name.startswith(("PANDAS_", "SCIPY_", "SKLEARN_"))]
product = rng.normal(size=(50, 700)) @ rng.normal(size=(700, 50))
content = b"".join(array.tobytes() for array in [*model.get_weights(), product, np.exp(product)])
print(json.dumps([hashlib.sha256(content).hexdigest(), jax.device_count(), left]))
"""
CLIP = """
import stages
import hashlib
import numpy as np
from voicetraits.audio.decode import decode
from voicetraits.audio.wav import fix_length, wav_bytes

rng = np.random.default_rng(0)
wav = wav_bytes(fix_length(rng.uniform(-0.5, 0.5, size=44100), 44100, samples=44100))
sound = decode(wav, name="a.wav", sample_rate=16000)
print(hashlib.sha256(sound.signal.tobytes()).hexdigest())
"""
OF_OTHERS = {
    "KERAS_BACKEND": "tensorflow",
    "KERAS_MAX_EPOCHS": "0",
    "JAX_ENABLE_X64": "1",
    "JAX_PLATFORMS": "cuda",
    "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
    "JAX_DISABLE_JIT": "1",
    "XLA_FLAGS": "--xla_force_host_platform_device_count=3",
    "NPROC": "4",
    "PANDAS_FUTURE_INFER_STRING": "1",
    "SCIPY_ARRAY_API": "1",
    "SKLEARN_ASSUME_FINITE": "1",
    "OMP_NUM_THREADS": "8",
    "OPENBLAS_NUM_THREADS": "8",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONWARNINGS": "error",
    "PYTHONHASHSEED": "7",
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "C",
}


QEMU = shutil.which("qemu-x86_64")


def figures(*emulator: str, **variables: str) -> list[object]:
    """A checksum of a small training and of products, and the number of devices."""
    done = subprocess.run(
        [*emulator, sys.executable, "-c", FIGURES],
        cwd=ROOT,
        # Compiled here and now: the cache may hold what another processor has compiled.
        env={**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false", **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def expected() -> list[object]:
    """The figures where nobody has set anything."""
    return figures()


def test_variables_of_other_projects_change_no_figure(expected):
    assert figures(**OF_OTHERS) == expected


def test_variables_of_the_decoders_change_no_clip():
    def clip(**variables: str) -> str:
        command = [sys.executable, "-c", CLIP]
        environment = {**os.environ, **variables}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        ).stdout

    others = {"SOXR_USE_SIMD": "0", "SOXR_LARGE_DFT_SIZE": "8", "SOXR_NOSMALLINTOPT": "1"}
    assert clip(**others) == clip()


def test_settings_of_keras_in_the_home_folder_change_no_figure(tmp_path, expected):
    settings = {
        "backend": "tensorflow",
        "floatx": "float16",
        "epsilon": 1e-2,
        "image_data_format": "channels_first",
    }
    (tmp_path / ".keras").mkdir()
    written = json.dumps(settings)
    (tmp_path / ".keras" / "keras.json").write_text(written, encoding="utf-8")
    assert figures(HOME=str(tmp_path)) == expected
    assert (tmp_path / ".keras" / "keras.json").read_text(encoding="utf-8") == written


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="cores of x86")
def test_the_core_that_the_linear_algebra_is_told_to_use_changes_no_figure(expected):
    assert figures(OPENBLAS_CORETYPE="Nehalem", NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4") == (
        expected
    )


@pytest.mark.skipif(platform.machine() != "x86_64", reason="emulates another x86 processor")
@pytest.mark.skipif(QEMU is None, reason="needs qemu-x86_64 (Debian's package qemu-user)")
def test_an_older_processor_gives_the_same_figures(expected):
    assert figures(str(QEMU), "-cpu", "Haswell") == expected
