"""seqio tasks, one file a benchmark. Copy `_template.py` to add your own."""

if __name__ != "t5mix.tasks":
    raise ImportError(
        f"This folder was imported as {__name__!r}, which any other folder called 'tasks' could shadow. "
        "Write 'import t5mix.tasks' instead."
    )
