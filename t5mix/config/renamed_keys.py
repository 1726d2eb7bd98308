"""Configuration keys and kinds that go by another name now: who writes the old one is told the new one."""

RENAMED_KEYS = {
    "training.rows": "batch_size",
    "training.accumulation": "gradient_accumulation_steps",
    "training.keep": "max_checkpoints_to_keep",
    "training.clip_norm": "max_grad_norm",
    "training.lookahead": "packing_buffer",
    "schedule.end": "end_value",
    "optimizer.scale_by_parameter": "multiply_by_parameter_scale",
    "mixing.first": "initial_temperature",
    "mixing.last": "final_temperature",
    "mixing.until": "anneal_until",
    "mixing.large": "large_task_fraction",
    "mixing.limit": "max_examples",
    "finetuning=norms": "layer_norms",
    "finetuning=pattern": "regex",
}
"""`group.key`, or `group=kind`, -> its new last name. They hold within other strategies and policies too."""
