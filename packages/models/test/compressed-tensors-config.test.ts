import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { readPackedSchemes } from "../src/checkpoint/quantised/compressed-tensors-config.ts";

const weights = { num_bits: 4, type: "int", symmetric: true, strategy: "group", group_size: 32, dynamic: false };
const group = { targets: ["Linear"], weights, input_activations: null, output_activations: null };
const config = { quant_method: "compressed-tensors", format: "pack-quantized", quantization_status: "compressed" };
const scheme = { bits: 4, groupSize: 32, symmetric: true };

const withGroup = (changes: object): object => ({ ...config, config_groups: { group_0: { ...group, ...changes } } });
const withWeights = (changes: object): object => withGroup({ weights: { ...weights, ...changes } });
const float16 = { ...weights, type: "float", strategy: "tensor_group", group_size: 16, scale_dtype: "torch.float8_e4m3fn" };
/** As llm-compressor writes its preset NVFP4A16. */
const nvfp4 = (changes: object, more: object = {}): object => ({
  ...withGroup({ format: "nvfp4-pack-quantized", weights: { ...float16, ...changes }, ...more }),
  format: "nvfp4-pack-quantized",
});
const read = (value: object) => readPackedSchemes(value as Readonly<Record<string, unknown>>, "config.json");

test("config groups are read, with the other keys that llm-compressor writes", () => {
  assert.equal(read(withGroup({})), [scheme]);
  const more = {
    observer: "minmax",
    observer_kwargs: {},
    actorder: null,
    block_structure: null,
    scale_dtype: null,
    zp_dtype: "torch.int8",
  };
  const around = { ignore: ["lm_head"], kv_cache_scheme: null, sparsity_config: {}, transform_config: {}, version: "0.20.0" };
  assert.equal(read({ ...withWeights(more), ...around, global_compression_ratio: 1.5 }), [scheme]);
  assert.equal(read(withWeights({ actorder: "static" })), [scheme]);
  assert.equal(read(withGroup({ format: "pack-quantized" })), [scheme]);
  assert.equal(read(withWeights({ strategy: "channel", group_size: null })), [{ ...scheme, groupSize: undefined }]);
  assert.equal(read(withWeights({ strategy: "channel", group_size: -1 })), [{ ...scheme, groupSize: undefined }]);
  const eight = { ...group, weights: { ...weights, num_bits: 8, group_size: 128 } };
  assert.equal(read({ ...config, config_groups: { group_0: group, group_1: eight } }), [
    scheme,
    { ...scheme, bits: 8, groupSize: 128 },
  ]);
  const floats = { ...weights, type: "float", group_size: 32, scale_dtype: "torch.uint8" };
  const mxfp4 = { ...config, format: "mxfp4-pack-quantized", config_groups: { group_0: { ...group, weights: floats } } };
  assert.equal(read(mxfp4), [{ ...scheme, bits: 4, groupSize: 32 }]);
  assert.equal(read(nvfp4({})), [{ ...scheme, bits: 4, groupSize: 16 }]);
  const dense = { quant_method: "compressed-tensors", format: "dense", ignore: ["lm_head"] };
  assert.equal(read({ ...dense, sparsity_config: { format: "dense", sparsity_structure: "2:4" } }), []);
});

const eightBits = { num_bits: 8, type: "float", dynamic: true, strategy: "token" };
const refusals: readonly (readonly [string, object])[] = [
  ["quantization_config.config_groups.group_0.output_activations {", withGroup({ output_activations: eightBits })],
  ["quantization_config.config_groups.group_0.input_activations {", withGroup({ input_activations: eightBits })],
  ["quantization_config.config_groups.group_0.format", withGroup({ format: "int-quantized" })],
  ["quantization_config.config_groups.group_0.rotation is not known", withGroup({ rotation: "hadamard" })],
  ["quantization_config.config_groups.group_0.weights.type", withWeights({ type: "float" })],
  ["quantization_config.config_groups.group_0.weights.type", { ...withGroup({}), format: "mxfp4-pack-quantized" }],
  [
    "quantization_config.config_groups.group_0.weights.type",
    { ...withWeights({ type: "float", group_size: 16 }), format: "mxfp4-pack-quantized" },
  ],
  ["quantization_config.config_groups.group_0.format", withGroup({ format: "mxfp4-pack-quantized" })],
  ["quantization_config.config_groups.group_0.format", withGroup({ format: "nvfp4-pack-quantized" })],
  ["quantization_config.config_groups.group_0.weights.type", nvfp4({ group_size: 32 })],
  ["quantization_config.config_groups.group_0.weights.type", nvfp4({ symmetric: false })],
  ["quantization_config.config_groups.group_0.weights.strategy", nvfp4({ strategy: "group" })],
  ["quantization_config.config_groups.group_0.weights.strategy", withWeights({ strategy: "tensor_group" })],
  // as the preset NVFP4 has them, beside weights that would be read
  [
    "quantization_config.config_groups.group_0.input_activations {",
    nvfp4({}, { input_activations: { ...float16, dynamic: "local", observer: "static_minmax" } }),
  ],
  ["quantization_config.config_groups.group_0.weights.dynamic", withWeights({ dynamic: true })],
  ["quantization_config.config_groups.group_0.weights.actorder", withWeights({ actorder: "group" })],
  ["quantization_config.config_groups.group_0.weights.actorder", withWeights({ actorder: true })],
  ["quantization_config.config_groups.group_0.weights.strategy", withWeights({ strategy: "tensor", group_size: null })],
  ["quantization_config.config_groups.group_0.weights.strategy", withWeights({ strategy: "block", block_structure: null })],
  ["quantization_config.config_groups.group_0.weights.block_structure", withWeights({ block_structure: [128, 128] })],
  ["quantization_config.config_groups.group_0.weights.codebook is not known", withWeights({ codebook: [1, 2] })],
  ["quantization_config.kv_cache_scheme", { ...withGroup({}), kv_cache_scheme: { num_bits: 8, type: "float" } }],
  ["quantization_config.transform_config", { ...withGroup({}), transform_config: { config_groups: { u: {} } } }],
  ["quantization_config.moe_sparsity_config", { ...withGroup({}), moe_sparsity_config: { method: "prune" } }],
  ["quantization_config.sparsity_config.format", { ...withGroup({}), sparsity_config: { format: "sparse-24-bitmask" } }],
  ["quantization_config.quantization_status", { ...withGroup({}), quantization_status: "calibration" }],
  ["quantization_config.config_groups", { ...withGroup({}), format: "dense" }],
  ["quantization_config.new_key is not known", { ...withGroup({}), new_key: 1 }],
];

test("a key that would change the weights or the results is refused by name", () => {
  for (const [start, value] of refusals) {
    assert.throws(
      () => read(value),
      (error: unknown) => error instanceof FailedPreconditionError && error.message.startsWith(`config.json: ${start}`),
      start,
    );
  }
});

test("values of another kind are bad data", () => {
  for (const value of [
    withWeights({ group_size: null }),
    withWeights({ strategy: "channel" }),
    withWeights({ num_bits: "4" }),
    withWeights({ symmetric: 1 }),
    withGroup({ weights: null }),
    { ...config, config_groups: { W4A16: ["Linear"] } },
    { ...config, config_groups: [] },
  ]) {
    assert.throws(
      () => read(value),
      (error: unknown) => error instanceof BadDataError,
      JSON.stringify(value),
    );
  }
});

test.run();
