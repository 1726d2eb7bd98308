"""What long work says it is at (`t5mix.console.stage`), apart from the rest."""


def without_stages(stderr: str, *labels: str) -> str:
    """What was said besides the lines of stages with these labels, by default of loading JAX."""
    begins = tuple(f"{label} ..." for label in labels or ("Loading JAX",))
    return "".join(line for line in stderr.splitlines(keepends=True) if not line.startswith(begins))
