import { test } from "uvu";
import * as assert from "uvu/assert";
import { countStorage, differingStorage, formatStorage } from "../src/card/storage-counts.ts";

test("tensors are counted by kind and by what they are stored as, from the fewest bits on", () => {
  const tensors = [
    { tensor: "model.layers.0.mlp.up_proj.weight", type: "Q4_K" },
    { tensor: "model.layers.1.mlp.up_proj.weight", type: "Q2_K" },
    { tensor: "model.layers.11.mlp.experts.3.w1.weight", type: "IQ4_XS" },
    { tensor: "model.layers.11.mlp.experts.4.w1.weight", type: "IQ4_XS" },
    { tensor: "model.layers.11.input_layernorm.weight" },
  ];
  assert.equal(countStorage(tensors), {
    storages: ["Q2_K", "IQ4_XS", "Q4_K"],
    kinds: [
      { kind: "mlp.up_proj", counts: [1, 0, 1], bits: (2.625 + 4.5) / 2 },
      { kind: "mlp.experts.*.w1", counts: [0, 2, 0], bits: 4.25 },
    ],
  });
  assert.is(
    formatStorage(countStorage(tensors)),
    [
      "tensors           Q2_K  IQ4_XS  Q4_K  bits a weight",
      "mlp.up_proj          1       ·     1           3.56",
      "mlp.experts.*.w1     ·       2     ·           4.25",
      "",
    ].join("\n"),
  );
});

test("counts are only told where tensors differ", () => {
  const tensors = [0, 1].map((layer) => ({ tensor: `h.${layer}.mlp.weight`, bits: 3 }));
  assert.is(differingStorage([...tensors, { tensor: "norm.weight" }]), undefined);
  assert.is(differingStorage([]), undefined);
  assert.equal(differingStorage([...tensors, { tensor: "lm_head.weight", bits: 4 }]), {
    storages: ["3", "4"],
    kinds: [
      { kind: "mlp", counts: [2, 0], bits: 3 },
      { kind: "lm_head", counts: [0, 1], bits: 4 },
    ],
  });
});

test("the table of seven numbers of bits has at most 80 columns, whatever the names", () => {
  const bits = [2, 3, 4, 5, 6, 7, 8];
  const stacks = ["encoder", "decoder"].flatMap((stack) =>
    bits.map((own, layer) => ({ tensor: `${stack}.block.${layer}.layer.0.${"LongName".repeat(8)}.q.weight`, bits: own })),
  );
  const lines = formatStorage(countStorage(stacks)).trimEnd().split("\n");
  assert.is(lines.length, 3);
  assert.ok(lines.every((line) => line.length <= 80));
  assert.match(lines[1] ?? "", /^….*\.q {4}1 {4}1 .* 5\.00$/);
});

test.run();
