"""Named sets of tasks, one file a family. How a set is mixed is the run's choice, not the set's."""

if __name__ != "t5mix.mixtures":
    raise ImportError(
        f"This folder was imported as {__name__!r}, which any other folder called 'mixtures' could shadow. "
        "Write 'import t5mix.mixtures' instead."
    )
