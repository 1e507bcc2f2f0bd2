import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatSparsities } from "../src/card/sparsity-text.ts";

test("sparsities are told by kind of tensor with their range, and by layer in the order of numbers", () => {
  const text = formatSparsities({
    "model.layers.10.mlp.up_proj.weight": { sparsity: 0.4 },
    "model.layers.10.self_attn.q_proj.weight": { sparsity: 0.7 },
    "model.layers.2.mlp.up_proj.weight": { sparsity: 0.2 },
    "model.layers.2.self_attn.q_proj.weight": { sparsity: 0.7 },
  });
  assert.is(
    text,
    "sparsity by kind of tensor: up_proj 0.30 (0.20 to 0.40), q_proj 0.70\nsparsity by layer, mean of its tensors: 0.45 0.55\n",
  );
});

test.run();
