"""The most memory that importing and exporting a model takes, relative to the size of its weights.

    python benchmarks/checkpoint_memory.py [--model t5_base]

Writes a folder of Transformers with random weights, imports it, and exports what was imported, each in a process of its
own. Also says what a process takes that only loads JAX. Writes results/checkpoint_memory.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from provenance import save

from t5mix.checkpoint.safetensors_files import write_safetensors
from t5mix.checkpoint.tensors import Tensor
from t5mix.interop.foreign import T5_IDS
from t5mix.interop.huggingface_config import write_config
from t5mix.interop.huggingface_names import huggingface_names
from t5mix.model.presets import PRESETS
from t5mix.model.t5 import abstract_model, count_params

ROOT = Path(__file__).resolve().parents[1]
PEAK = """
import json, resource, sys
from t5mix.cli.main import main
status = main(sys.argv[1:]) if len(sys.argv) > 1 else __import__("jax").devices() and 0
print(json.dumps({"status": status, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
"""


def write_random(folder: Path, preset: str) -> int:
    """Writes a model of Transformers with random weights; returns their bytes."""
    config = PRESETS[preset]
    shapes, draw = abstract_model(config)[1], np.random.default_rng(0)
    tensors = {}
    for path, (name, transposed) in huggingface_names(config).items():
        shape = shapes[path].shape[::-1] if transposed else shapes[path].shape
        tensors[name] = Tensor(shape, lambda shape=shape: draw.standard_normal(shape, np.float32))
    folder.mkdir()
    write_safetensors(folder / "model.safetensors", tensors, dict.fromkeys(tensors, "float32"))
    settings = {**write_config(config, T5_IDS), "tokenizer_class": "ByT5Tokenizer"}
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    return count_params(config) * 4


def peak_of(*arguments: str) -> int:
    """Returns the most bytes that a command held at once."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", PEAK, *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["status"] == 0, ended.stderr
    return found["peak"]


def main() -> None:
    """Measures one size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(PRESETS), default="t5_base", help="default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="t5mix-memory-") as name:
        folder = Path(name)
        size = write_random(folder / "source", options.model)
        peaks = {
            "jax alone": peak_of(),
            "import": peak_of("import", str(folder / "source"), str(folder / "imported")),
            "export": peak_of("export", str(folder / "imported"), str(folder / "out")),
        }
    result = {"model": options.model, "bytes": size, "peaks": peaks}
    result["relative"] = {what: round(peak / size, 2) for what, peak in peaks.items()}
    print(json.dumps(result, indent=1))
    save("checkpoint_memory", result)


if __name__ == "__main__":
    main()
