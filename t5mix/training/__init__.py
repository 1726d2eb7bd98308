"""One compiled step and the loop around it: optimizers, schedules, sharding, checkpoints, logs."""
