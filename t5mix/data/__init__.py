"""From token stores to batches, in numpy alone: the manifest, the tokenizer, the stream, packing, batches.

What makes the stores speaks seqio and TensorFlow, and runs in a process of its own (`t5mix.cache`), which
`t5mix.data.prepare_client` starts.
"""
