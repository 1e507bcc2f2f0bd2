/**
 * Compares the golden blocks with what ggml's own functions make of them.
 *
 * usage: node --import tsx tools/golden/gguf/check-ggml.ts MODULES
 *   MODULES  a node_modules folder with koffi and @node-llama-cpp/linux-x64, whose library is called; no dependencies of
 *            this project (checked with koffi 3.3.4 and node-llama-cpp 3.22.1)
 */
import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";
import { quantisationTypes } from "../../../packages/gguf/src/blocks/quantisation-types.ts";
import { loadGgml } from "./native-ggml.ts";

const [modules] = process.argv.slice(2);
if (modules === undefined) throw new Error("usage: check-ggml.ts MODULES");
const ggml = loadGgml(modules);

const fixture = new URL("../../../packages/gguf/test/fixtures/blocks.json", import.meta.url);
const golden = JSON.parse(readFileSync(fixture, "utf8")) as Record<string, { blocks: string; values: string }>;

for (const { name, decode } of quantisationTypes.values()) {
  const own = golden[name];
  if (decode === undefined || own === undefined) continue;
  const blocks = Buffer.from(own.blocks, "base64");
  const expected = new Float32Array(Uint8Array.from(inflateSync(Buffer.from(own.values, "base64"))).buffer);
  const found = new Float32Array(expected.length);
  // "q4_K", but "iq4_nl"
  const suffix = name.endsWith("_K") ? `${name.slice(0, -1).toLowerCase()}K` : name.toLowerCase();
  ggml.func(`void dequantize_row_${suffix}(const void *blocks, _Out_ float *values, int64_t count)`)(blocks, found, found.length);
  const wrong = found.findIndex((value, index) => !Object.is(value, expected[index]));
  console.log(
    `${name}: ${wrong < 0 ? `${found.length} values equal` : `value ${wrong} is ${found[wrong]}, not ${expected[wrong]}`}`,
  );
  if (wrong >= 0) process.exitCode = 1;
}
