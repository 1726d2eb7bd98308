"""From a registered task to batches.

`sources`, `declared`, `objectives`, `registry`, `materialize` and `prepare` speak seqio and TensorFlow and run in
a process of their own; `store`, `stream`, `plan`, `fill` and `pipeline` are numpy alone and feed the training.
"""
