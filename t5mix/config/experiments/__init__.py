"""The YAML files of the experiments that come with the package; Hydra composes them with `t5mix.config.compose`."""
