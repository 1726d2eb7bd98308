"""t5mix: multi-task text-to-text training with pluggable mixing strategies and fine-tuning policies.

Importing this package loads neither JAX nor TensorFlow; the subpackages load what they need.
"""

__version__ = "0.1.0"
