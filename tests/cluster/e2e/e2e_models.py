"""Versions that no preflight finds fault with, and that some requests kill: a good one's graph with more around it.

    python e2e_models.py GOOD OUTPUT

writes OUTPUT/needs-memory, which dark images kill, and OUTPUT/dies, which overexposed ones do. For either it fills more
memory than its container may have; nodes of Kubernetes refuse no allocation, so it is the kernel that ends the server.
Both answer warm-up requests as the good version does, and use nothing but operations that a version may use.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

NEEDS_MEMORY, DIES = "needs-memory", "dies"

# Of the client's images, which are evenly spread in brightness from 0 to 1, two in five are darker.
DARK = 0.4
# No image of the client's is as bright as this.
OVEREXPOSED = 1.5
# Floats: 2 GiB, and the pods have one.
MANY = 2**29


def build(good: Path, output: Path) -> None:
    """Imports TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    sys.modules.setdefault("keras", None)
    import tensorflow as tf  # noqa: PLC0415 - seconds of import, for the process that builds

    def brightness(images):
        return tf.reduce_mean(images, axis=(1, 2, 3))

    def dark(images):
        return tf.reduce_min(brightness(images)) < DARK

    def overexposed(images):
        return tf.reduce_max(brightness(images)) > OVEREXPOSED

    def saved(name, deadly):
        module = tf.Module()
        module.good = tf.saved_model.load(str(good))

        def serve(images):
            answers = module.good.signatures["serving_default"](input_1=images)
            # Below every probability, which the graph's optimiser cannot know: so it leaves it in.
            below = tf.fill([tf.where(deadly(images), MANY, 1)], -1.0 - tf.reduce_max(tf.abs(images)))
            return {**answers, "probabilities": tf.maximum(answers["probabilities"], tf.reduce_max(below))}

        spec = tf.TensorSpec((None, 32, 32, 3), tf.float32, name="input_1")
        module.serve = tf.function(serve, input_signature=[spec], autograph=False)
        tf.saved_model.save(module, str(output / name), signatures={"serving_default": module.serve})
        shutil.copytree(good / "assets.extra", output / name / "assets.extra")

    saved(NEEDS_MEMORY, dark)
    saved(DIES, overexposed)


if __name__ == "__main__":
    build(*map(Path, sys.argv[1:]))
