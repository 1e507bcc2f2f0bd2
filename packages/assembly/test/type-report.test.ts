import { readFile } from "node:fs/promises";
import { inflateSync } from "node:zlib";
import { quantisationTypeNamed, chooseTypes, fittingType, typeMixes } from "@mbs/gguf";
import type { TypeMixFacts } from "@mbs/gguf";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bitsAWeight, blindLine, typeLine } from "../src/gguf/type-report.ts";

interface Golden {
  readonly facts: TypeMixFacts;
  readonly tensors: readonly (readonly [name: string, shape: readonly number[]])[];
  /** By type mix, of all tensors but those in float32. */
  readonly types: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const { deflated } = JSON.parse(await readFile(new URL("fixtures/gguf-types.json", import.meta.url), "utf8")) as {
  deflated: string;
};
const golden = JSON.parse(inflateSync(Buffer.from(deflated, "base64")).toString()) as Readonly<Record<string, Golden>>;

for (const [title, { facts, tensors, types }] of Object.entries(golden)) {
  test(`${title}: every tensor has the type that llama-quantize chooses`, () => {
    const shapes = tensors.map(([name, shape]) => ({ name, shape }));
    for (const [typeMix, expected] of Object.entries(types)) {
      const chosen = typeMixes.get(typeMix);
      if (chosen === undefined) return assert.unreachable(`no type mix ${typeMix}`);
      const found = [...chooseTypes(chosen, shapes, facts)].filter(([, { name }]) => name !== "F32");
      assert.equal(Object.fromEntries(found.map(([name, type]) => [name, type.name])), expected, typeMix);
    }
  });
}

test("every quantised type mix is among the golden ones", () => {
  const quantised = [...typeMixes.values()].filter(({ base }) => quantisationTypeNamed(base).plain === undefined);
  for (const { types } of Object.values(golden))
    assert.equal(Object.keys(types).sort(), quantised.map(({ name }) => name).sort());
});

test("says how many matrices get about 2 bits by rounding alone", () => {
  const shapes = ["attn_q", "attn_k", "attn_v"].map((name) => ({ name: `blk.0.${name}.weight`, shape: [256, 256] }));
  const typesOf = (...names: readonly string[]) =>
    new Map(names.map((name, place) => [shapes[place]?.name ?? "", quantisationTypeNamed(name)]));
  assert.match(blindLine(shapes, typesOf("IQ2_XS", "IQ2_S", "Q4_K")) ?? "", /^2 matrices of about 2 bits/);
  assert.is(blindLine(shapes, typesOf("IQ3_S", "Q2_K", "F16")), undefined);
  assert.is(blindLine([], typesOf("IQ2_XS")), undefined);
});

test("rows that are no whole blocks take another type", () => {
  assert.equal(
    ["Q4_K", "IQ4_XS", "Q8_0"].map((name) => [256, 96, 40].map((columns) => fittingType(name, columns).name)),
    [
      ["Q4_K", "Q5_0", "F16"],
      ["IQ4_XS", "IQ4_NL", "F16"],
      ["Q8_0", "Q8_0", "F16"],
    ],
  );
});

test("of linear attention, the convolution and the matrices with a row a head stay in float32", () => {
  const chosen = typeMixes.get("Q4_K_S");
  assert.ok(chosen);
  const shapes = ["ssm_conv1d", "ssm_alpha", "ssm_beta", "ssm_out", "attn_gate"].map((name) => ({
    name: `blk.5.${name}.weight`,
    shape: [256, 256],
  }));
  const facts = { architecture: "qwen35", blocks: 24, groupedHeads: 4, experts: 0 };
  assert.equal(
    [...chooseTypes(chosen, shapes, facts).values()].map(({ name }) => name),
    ["F32", "F32", "F32", "Q4_K", "Q4_K"],
  );
});

test("the report names types, blocks and bits", () => {
  const tensors = [
    { name: "token_embd.weight", shape: [8, 256] },
    ...[0, 1, 3].map((block) => ({ name: `blk.${block}.ffn_up.weight`, shape: [4, 256] })),
    { name: "output_norm.weight", shape: [256] },
  ];
  const types = new Map(tensors.map(({ name, shape }) => [name, quantisationTypeNamed(shape.length > 1 ? "Q4_K" : "F32")]));
  assert.is(bitsAWeight(tensors, types), (20 * 256 * 4.5 + 256 * 32) / (21 * 256));
  assert.is(
    typeLine(tensors, types),
    "Q4_K for token_embd, ffn_up of blocks 0-1,3; F32 for vectors; 5.81 bits a weight, without the header",
  );
});

test.run();
