"""The worker that materialises tasks as token stores; alone with TensorFlow and seqio."""
