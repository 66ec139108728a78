"""A model server that speaks TensorFlow Serving's flags, gRPC, REST, health and metrics, on TensorFlow's C library.

It stands in for `tensorflow_model_server`, which exists as a container image only, and keeps the traits that a rollout
depends on: ports stay closed until the version is loaded and has answered its warm-up requests; a version that is
missing is waited for without limit, one that does not load ends the process with status 255; SIGTERM does nothing;
metrics have the names, labels, bounds and gaps of the original. Left out, with an error that says so: more than one
model or version, Classify, Regress, batching and reloading.
"""
