"""`python build_versions.py FOLDER`: small versions of one model, good and bad, written by TensorFlow itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

# Keras is not used here. TensorFlow imports it eagerly, for a third of its own import time, but only if it can.
sys.modules.setdefault("keras", None)

import numpy as np  # noqa: E402 - after the line above
import tensorflow as tf  # noqa: E402 - as above

FEATURES, CLASSES = 8, 4
ROWS = [[0.1 * column for column in range(FEATURES)], [1.0] * FEATURES]
GOLDEN = {"instances": ROWS}
SECRET = "/etc/hostname"


def spec(*shape, dtype=tf.float32, name="x"):
    return tf.TensorSpec(shape, dtype, name=name)


def plain(model, x):
    return {"probabilities": model.probabilities(x)}


class Model(tf.Module):
    """Features to probabilities. work: rounds of multiplication that cost time; memory: mebibytes of weights."""

    def __init__(self, body=plain, *inputs, work=0, memory=0, seed=0):
        super().__init__()
        common = np.random.default_rng(99).normal(size=(FEATURES, CLASSES))
        own = np.random.default_rng(seed).normal(size=common.shape)
        self.kernel = tf.Variable((common + 0.001 * own).astype(np.float32))
        self.ballast = tf.Variable(np.ones(1 + memory * 2**18, np.float32))
        self.work = work
        signature = inputs or [spec(None, FEATURES)]
        self.serve = tf.function(lambda *given: body(self, *given), input_signature=signature, autograph=False)

    def probabilities(self, x):
        square = tf.fill((384, 384), 0.001 + tf.reduce_sum(x) * 0)
        for _ in range(self.work):
            square = tf.matmul(square, square) * 0.001
        return tf.nn.softmax(tf.matmul(x, self.kernel) + tf.reduce_sum(square) * 0 + self.ballast[0] * 0)


def two_inputs(model, x, bias):
    return plain(model, x + bias)


def other_type(model, x):
    return plain(model, tf.cast(x, tf.float32))


def other_rank(model, x):
    return plain(model, x[:, 0])


def halves(model, x):
    return {"probabilities": tf.cast(model.probabilities(tf.cast(x, tf.float32)), tf.float16), "x": x}


def more_outputs(model, x):
    return plain(model, x) | {"best": tf.argmax(model.probabilities(x), axis=1)}


def nan(model, x):
    return plain(model, tf.math.log(x - 1))


def reversed_classes(model, x):
    return {"probabilities": model.probabilities(x)[:, ::-1]}


def fails(model, x):
    tf.debugging.Assert(tf.reduce_sum(x) < 0, ["too bright"])
    return plain(model, x)


def never_ends(model, x):
    return plain(model, tf.while_loop(lambda _: True, lambda value: [value * 0.5], [x])[0])


def reads(model, x):
    length = tf.strings.length(tf.io.read_file(SECRET))
    return {"probabilities": model.probabilities(x) + 0 * tf.cast(length, tf.float32)}


def reads_in_branch(model, x):
    chosen = tf.cond(tf.reduce_sum(x) > 1e9, lambda: reads(model, x), lambda: plain(model, x))
    return {"probabilities": chosen["probabilities"]}


def prints(model, x):
    tf.print("asked")
    return plain(model, x)


def prints_to_file(model, x):
    tf.print("asked", output_stream="file:///tmp/printed-by-a-model")
    return plain(model, x)


def saves(model, x):
    tf.raw_ops.SaveV2(prefix="/tmp/saved-by-a-model", tensor_names=["x"], shape_and_slices=[""], tensors=[x])
    return plain(model, x)


def python(_, x):
    return {"probabilities": tf.numpy_function(lambda given: given, [x], tf.float32)}


class Texts(tf.Module):
    """Texts looked up in a table."""

    def __init__(self, initializer, default):
        super().__init__()
        self.table = tf.lookup.StaticHashTable(initializer, default)
        self.serve = tf.function(
            lambda text: {"found": self.table.lookup(text), "text": text},
            input_signature=[spec(None, dtype=tf.string, name="text")],
        )


class Reading(tf.lookup.KeyValueTensorInitializer):
    """A table of which a value is read from a file when the version is loaded."""

    def initialize(self, table):
        self._values = tf.reshape(tf.io.read_file(SECRET), (1,))
        return super().initialize(table)


def save(folder, module, golden=GOLDEN):
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    extra = folder / "assets.extra"
    extra.mkdir()
    (extra / "golden_requests.json").write_text(json.dumps(golden))


def save_in_the_old_style(folder):
    """As TensorFlow 1 did, with an initializer in the graph itself, which reads a file."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, (None, FEATURES), "x")
        content = tf.raw_ops.ReadFile(filename=SECRET, name="stolen")
        signature = tf.compat.v1.saved_model.predict_signature_def({"x": x}, {"y": tf.identity(x)})
        builder = tf.compat.v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature}, main_op=content.op)
        builder.save()


def main(folder):
    folder.mkdir(parents=True)
    models = {
        "stable": Model(),
        "good": Model(seed=1),
        "other-type": Model(other_type, spec(None, FEATURES, dtype=tf.float64)),
        "halves": Model(halves, spec(None, FEATURES, dtype=tf.bfloat16)),
        "more-outputs": Model(more_outputs),
        "nan": Model(nan),
        "reversed": Model(reversed_classes),
        "work-1": Model(work=4),
        "work-3": Model(work=12),
        "memory-1": Model(memory=24),
        "memory-4": Model(memory=120),
        "fails": Model(fails),
        "never-ends": Model(never_ends),
        "reads": Model(reads),
        "reads-in-branch": Model(reads_in_branch),
        "prints": Model(prints),
        "prints-to-file": Model(prints_to_file),
        "saves": Model(saves),
        "python": Model(python),
    }
    for name, model in models.items():
        save(folder / name, model)
    one = {"instances": [{"x": row, "bias": [0.5]} for row in ROWS]}
    save(folder / "two-inputs", Model(two_inputs, spec(None, FEATURES), spec(None, 1, name="bias")), one)
    save(folder / "other-rank", Model(other_rank, spec(None, 1, FEATURES)), {"instances": [[row] for row in ROWS]})
    save(folder / "fixed-batch", Model(plain, spec(1, FEATURES)), {"instances": ROWS[:1]})
    words = folder / "words.txt"
    words.write_text("cat\ndog\n")
    lines = tf.lookup.TextFileInitializer(
        str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
    )
    save(folder / "vocabulary", Texts(lines, -1), {"instances": ["dog", "mouse", {"b64": "Y2F0"}]})
    reading = Reading(tf.constant(["a"]), tf.constant(["b"]))
    save(folder / "reads-when-initialized", Texts(reading, ""), {"instances": ["a"]})
    save_in_the_old_style(folder / "reads-in-main-op")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
