/**
 * Golden bytes of the encoders: what ggml's `ggml_quantize_chunk` makes of rows of several kinds, with and without an importance.
 *
 * usage: node --conditions=mbs-source --import tsx tools/golden/gguf/make_encoded.ts MODULES
 *   MODULES  a node_modules folder with koffi and @node-llama-cpp/linux-x64; no dependencies of this project (made with
 *            koffi 3.3.4 and node-llama-cpp 3.22.1, which has llama.cpp v0.5.0)
 */
import { writeFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { blockEncoders, quantisationTypeNamed } from "@mbs/gguf";
import { loadGgml } from "./native-ggml.ts";

const [modules] = process.argv.slice(2);
if (modules === undefined) throw new Error("usage: make_encoded.ts MODULES");
const quantize = loadGgml(modules).func(
  "size_t ggml_quantize_chunk(int type, const float *from, _Out_ uint8_t *to, int64_t start, int64_t rows, int64_t columns, const float *importance)",
);

let state = 20;
const uniform = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const normal = (): number => Math.sqrt(-2 * Math.log(uniform() + 1e-12)) * Math.cos(2 * Math.PI * uniform());

const columns = 512;
const kinds: readonly ((column: number) => number)[] = [
  () => normal() * 0.02,
  // a few values far from the others
  () => normal() * (uniform() < 0.02 ? 0.5 : 0.02),
  () => Math.abs(normal()),
  // sub-blocks and whole blocks of zeros
  (column) => (column % 64 < 32 || column < 256 ? 0 : normal() * 0.02),
  () => 0.5,
  // scales below the smallest normal half
  () => normal() * 1e-6,
  () => -0.1 - Math.abs(normal()),
  // ties
  () => Math.round(normal() * 4) / 8,
];
const values = Float32Array.from(kinds.flatMap((kind) => Array.from({ length: columns }, (_, column) => kind(column))));
const importance = Float32Array.from({ length: columns }, () => uniform() * uniform() * 3 + 1e-4);
const text = (content: Float32Array | Uint8Array): string =>
  deflateSync(new Uint8Array(content.buffer, content.byteOffset, content.byteLength), { level: 9 }).toString("base64");

const types = Object.fromEntries(
  [...blockEncoders.keys()].map((name) => {
    const type = quantisationTypeNamed(name);
    const encode = (weights: Float32Array | null): string => {
      const bytes = new Uint8Array((values.length / type.values) * type.bytes);
      quantize(type.number, values, bytes, 0, kinds.length, columns, weights);
      return text(bytes);
    };
    // these types are refused without an importance
    return [name, { ...(!name.startsWith("IQ2_") && { plain: encode(null) }), weighted: encode(importance) }];
  }),
);
const output = new URL("../../../packages/gguf/test/fixtures/encoded.json", import.meta.url);
writeFileSync(output, `${JSON.stringify({ columns, values: text(values), importance: text(importance), types }, null, 1)}\n`);
