import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatSparsities } from "../src/card/sparsity-text.ts";

test("sparsities are told by kind of tensor with their range, and by layer in the order of numbers", () => {
  const text = formatSparsities([
    { tensor: "model.layers.10.mlp.up_proj.weight", sparsity: 0.4 },
    { tensor: "model.layers.10.self_attn.q_proj.weight", sparsity: 0.7 },
    { tensor: "model.layers.2.mlp.up_proj.weight", sparsity: 0.2 },
    { tensor: "model.layers.2.self_attn.q_proj.weight", sparsity: 0.7 },
    { tensor: "lm_head.weight", sparsity: 0.1 },
  ]);
  assert.is(
    text,
    "sparsity by kind of tensor: mlp.up_proj 0.30 (0.20 to 0.40), self_attn.q_proj 0.70, lm_head 0.10\nsparsity by layer, mean of its tensors: 2: 0.45, 10: 0.55\n",
  );
});

test("layers of an encoder and of a decoder are apart, and so are their two attentions", () => {
  const names = ["encoder.block.0.layer.0.SelfAttention.q", "encoder.block.1.layer.0.SelfAttention.q"];
  names.push("decoder.block.0.layer.0.SelfAttention.q", "decoder.block.0.layer.1.EncDecAttention.q");
  const text = formatSparsities(names.map((name, index) => ({ tensor: `${name}.weight`, sparsity: 0.2 * (index + 1) })));
  assert.equal(text.trimEnd().split("\n"), [
    "sparsity by kind of tensor: encoder.block.*.layer.*.SelfAttention.q 0.30 (0.20 to 0.40), decoder.block.*.layer.*.SelfAttention.q 0.60, decoder.block.*.layer.*.EncDecAttention.q 0.80",
    "sparsity by layer of encoder.block, mean of its tensors: 0: 0.20, 1: 0.40",
    "sparsity by layer of decoder.block, mean of its tensors: 0: 0.70",
  ]);
});

test.run();
