"""Metadata and dependencies of t5mix; the settings of its tools are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "t5mix" / "__init__.py").read_text(encoding="utf-8"))
assert VERSION is not None

CORE = [
    # jax and flax need Python 3.12 from 0.11 and 0.13 on; flax 0.12 fails with jax 0.11.1 and later.
    "jax>=0.10,<0.11; python_version < '3.12'",
    "jax>=0.10; python_version >= '3.12'",
    "flax>=0.12.8,<0.13; python_version < '3.12'",
    "flax>=0.12.8; python_version >= '3.12'",
    "optax>=0.2.8",
    "orbax-checkpoint>=0.12,<0.13",
    "tensorstore",
    "msgpack",
    "ml-dtypes",
    "numpy",
    "seqio>=0.0.20",
    "tensorflow>=2.20",
    "tensorflow-text>=2.20",
    "tensorflow-datasets",
    "sentencepiece",
    "hydra-core>=1.3",
    "pydantic>=2",
    "pyyaml",
    "sacrebleu>=2.4,<3",
    "regex",
    "scipy",
    "safetensors",
    "tensorboard",
    "matplotlib",
    "jinja2",
    "rich",
]
FORMATS = {"parquet": ["pyarrow"], "zstd": ["zstandard"], "remote": ["fsspec[http]"]}  # of people's own files
TEST = ["pytest", "pytest-xdist", "psutil", "rouge-score", "scikit-learn", "submitit"]
TEST += ["hypothesis", "pyarrow", "zstandard", "fsspec", "datasets"]
EXTRAS = {
    "gpu": ["jax[cuda12]"],
    "tpu": ["jax[tpu]"],
    "ray": ["ray"],
    "slurm": ["submitit"],
    "hf": ["huggingface-hub", "datasets"],
    **FORMATS,
    "test": TEST,
    "dev": [*TEST, "ruff", "pyright[nodejs]", "pre-commit"],
}

setup(
    name="t5mix",
    version=VERSION.group(1),
    license="Apache-2.0",
    description="Multi-task text-to-text training with pluggable mixing strategies and fine-tuning policies",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["t5mix", "t5mix.*"]),
    package_data={
        "t5mix": ["config/experiments/*.yaml", "report/templates/*", "sweep/presets/*.yaml"],
        "t5mix.tasks": ["vocabularies/*.model"],
    },
    install_requires=CORE,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["t5mix = t5mix.cli.main:program"]},
)
