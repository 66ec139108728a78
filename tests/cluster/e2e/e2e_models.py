"""Versions that no preflight finds fault with, and that some requests kill: a good version's graph with more around it.

    python e2e_models.py GOOD OUTPUT

writes OUTPUT/needs-memory and OUTPUT/dies. Both answer warm-up requests as the good version does, and use nothing but
operations that a version may use.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

NEEDS_MEMORY, DIES = "needs-memory", "dies"

# Of the client's images, which are evenly spread in brightness from 0 to 1, two in five are darker.
DARK = 0.4
# Floats: 2 GiB, and the pods have one.
MANY = 2**29
# No image of the client's is as bright as this.
OVEREXPOSED = 1.5
# So wide an image that the room for its interpolation, 24 bytes a column, is nowhere to be had.
WIDE = 2**31 - 256


def build(good: Path, output: Path) -> None:
    """Imports TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    sys.modules.setdefault("keras", None)
    import tensorflow as tf  # noqa: PLC0415 - seconds of import, for the process that builds

    def memory(images):
        """A tensor for a dark image that is larger than the container may be."""
        darkest = tf.reduce_min(tf.reduce_mean(images, axis=(1, 2, 3)))
        return tf.fill([tf.where(darkest < DARK, MANY, 1)], tf.reduce_max(tf.abs(images)))

    def death(images):
        """An overexposed image is stretched to a width of billions: std::bad_alloc, which nobody catches."""
        brightest = tf.reduce_max(tf.reduce_mean(images, axis=(1, 2, 3)))
        width = tf.where(brightest > OVEREXPOSED, WIDE, images.shape[2])
        return tf.raw_ops.ResizeBilinear(images=images[:1], size=tf.stack([1, width]))

    def saved(name, more):
        module = tf.Module()
        module.good = tf.saved_model.load(str(good))

        def serve(images):
            answers = module.good.signatures["serving_default"](input_1=images)
            # Below every probability, which the graph's optimiser cannot know: so it leaves neither out.
            below = -1.0 - tf.reduce_max(tf.abs(more(images)))
            return {**answers, "probabilities": tf.maximum(answers["probabilities"], below)}

        spec = tf.TensorSpec((None, 32, 32, 3), tf.float32, name="input_1")
        module.serve = tf.function(serve, input_signature=[spec], autograph=False)
        tf.saved_model.save(module, str(output / name), signatures={"serving_default": module.serve})
        shutil.copytree(good / "assets.extra", output / name / "assets.extra")

    saved(NEEDS_MEMORY, memory)
    saved(DIES, death)


if __name__ == "__main__":
    build(*map(Path, sys.argv[1:]))
