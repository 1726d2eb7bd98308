"""The YAML files that Hydra composes experiments from: one for each experiment, a folder for each group."""
