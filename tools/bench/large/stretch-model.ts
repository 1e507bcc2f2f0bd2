/**
 * Makes a checkpoint of many blocks out of one of a few, for `mbs estimate`, which measures the first block and counts the
 * others: the given shards as they are, and a last one that holds the further blocks and takes no space on disk (a hole).
 *
 * usage: node --import tsx tools/bench/large/stretch-model.ts MODEL OUTPUT BLOCKS
 */
import { copyFileSync, mkdirSync, readFileSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

interface TensorHeader {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const [model = "", output = "", blocks = ""] = process.argv.slice(2);
const readJson = (name: string): unknown => JSON.parse(readFileSync(join(model, name), "utf8"));

/** The header of a safetensors file: 8 bytes with its length, then JSON. */
function readHeader(file: string): Readonly<Record<string, TensorHeader>> {
  const bytes = readFileSync(join(model, file));
  return JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString()) as Record<string, TensorHeader>;
}

const index = readJson("model.safetensors.index.json") as { metadata: object; weight_map: Record<string, string> };
const config = readJson("config.json") as { num_hidden_layers: number };
const headers = Object.assign({}, ...[...new Set(Object.values(index.weight_map))].map(readHeader)) as Record<
  string,
  TensorHeader
>;
const first = Object.entries(headers).filter(([name]) => name.includes("layers.0."));
const hollow = "model-hollow.safetensors";
let end = 0;
const further: Record<string, TensorHeader> = {};
for (let block = config.num_hidden_layers; block < Number(blocks); block += 1) {
  for (const [
    name,
    {
      dtype,
      shape,
      data_offsets: [from, to],
    },
  ] of first) {
    further[name.replace("layers.0.", `layers.${block}.`)] = { dtype, shape, data_offsets: [end, end + to - from] };
    end += to - from;
  }
}

mkdirSync(output, { recursive: true });
const isShard = (name: string): boolean => name.endsWith(".safetensors");
for (const name of readdirSync(model)) {
  if (isShard(name)) symlinkSync(resolve(model, name), join(output, name));
  else copyFileSync(join(model, name), join(output, name));
}
const header = Buffer.from(JSON.stringify(further));
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(header.length));
writeFileSync(join(output, hollow), Buffer.concat([length, header]));
truncateSync(join(output, hollow), 8 + header.length + end);
writeFileSync(join(output, "config.json"), JSON.stringify({ ...config, num_hidden_layers: Number(blocks) }));
const files = { ...index.weight_map, ...Object.fromEntries(Object.keys(further).map((name) => [name, hollow])) };
writeFileSync(join(output, "model.safetensors.index.json"), JSON.stringify({ ...index, weight_map: files }));
