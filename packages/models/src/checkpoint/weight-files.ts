import { readdir } from "node:fs/promises";
import { join, basename } from "node:path";
import { BadDataError } from "@mbs/contracts";
import { isMissing, readJsonFile, fileSize } from "../folder/json-file.ts";
import { openFile } from "../folder/open-file.ts";
import type { TensorFile } from "./checkpoint.ts";
import { headerLength, parseHeader } from "./safetensors-header.ts";

/** A safetensors file that stays open. */
interface SafetensorsFile extends TensorFile {
  readonly size: number;
}

/**
 * Opens a safetensors file and checks its header against its size.
 *
 * @throws {BadDataError} when it is missing, cut short, or contradicts itself
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  await fileSize(path);
  const file = openFile(path);
  try {
    const { size } = file;
    const prefix = new Uint8Array(Math.min(8, size));
    file.readInto(0, prefix);
    const length = headerLength(prefix, size, path);
    const header = new Uint8Array(length);
    file.readInto(8, header);
    const dataStart = 8 + length;
    return {
      path,
      name: basename(path),
      size,
      ...parseHeader(header, size - dataStart, path),
      readInto(entry, offset, target) {
        if (offset < 0 || offset + target.length > entry.end - entry.begin) {
          throw new RangeError(`${basename(path)}: ${entry.name} has no bytes ${offset} to ${offset + target.length}`);
        }
        file.readInto(dataStart + entry.begin + offset, target);
      },
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Name of the only weight file of a model that is not sharded. */
export const singleFile = "model.safetensors";

const digits = (value: number): string => String(value).padStart(5, "0");

/** What the names of the files of one model end with: "00001-of-00003". @param index from 0 */
export const shardNumber = (index: number, count: number): string => `${digits(index + 1)}-of-${digits(count)}`;

/** Which shard holds which tensor. */
export const indexFile = "model.safetensors.index.json";

const indexLimit = 100_000_000;
const pickles = /\.(bin|pt|pth|pkl|ckpt)$/;
const shardName = /^model-\d+-of-\d+\.safetensors$/;

async function listFolder(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new BadDataError(`${folder} is no folder; give the folder of a Hugging Face model`, { folder }, { cause });
  }
}

function shardsOfIndex(weightMap: unknown, path: string): ReadonlyMap<string, string> {
  const entries = typeof weightMap === "object" && weightMap !== null ? Object.entries(weightMap) : [];
  const map = new Map<string, string>();
  for (const [tensor, file] of entries) {
    if (typeof file !== "string" || !/^[^/\\]+\.safetensors$/.test(file)) {
      throw new BadDataError(
        `${path}: tensor ${JSON.stringify(tensor)} is in ${JSON.stringify(file)}, which is no safetensors file of this folder; correct the index`,
        {
          file: path,
          tensor,
        },
      );
    }
    map.set(tensor, file);
  }
  if (map.size === 0) throw new BadDataError(`${path} has no weight_map with tensors; write the index again`, { file: path });
  return map;
}

async function openSharded(folder: string, names: readonly string[]): Promise<SafetensorsFile[]> {
  const path = join(folder, indexFile);
  const { value } = await readJsonFile(path, indexLimit);
  const map = shardsOfIndex(Object.hasOwn(value, "weight_map") ? value["weight_map"] : undefined, path);
  const shards = [...new Set(map.values())].sort();
  const problems = [
    ...shards.filter((shard) => !names.includes(shard)).map((shard) => `${shard} is missing`),
    ...names.filter((name) => shardName.test(name) && !shards.includes(name)).map((name) => `${name} is not in the index`),
    ...(names.includes(singleFile) && !shards.includes(singleFile) ? [`${singleFile} is in the folder, too`] : []),
  ];
  const files: SafetensorsFile[] = [];
  try {
    if (problems.length === 0) {
      for (const shard of shards) files.push(await openSafetensors(join(folder, shard)));
      const found = files.flatMap((file) => file.tensors.map(({ name }) => ({ name, shard: file.name })));
      const paths = new Set(found.map(({ name, shard }) => `${shard}/${name}`));
      problems.push(
        ...[...map]
          .filter(([name, shard]) => !paths.has(`${shard}/${name}`))
          .map(([name, shard]) => `${name} is not in ${shard}`),
        ...found
          .filter(({ name, shard }) => map.get(name) !== shard)
          .map(({ name, shard }) => `${name} in ${shard} contradicts the index`),
      );
    }
    if (problems.length > 0) {
      throw new BadDataError(`${path} does not fit its shards: ${problems.join("; ")}; download the model again`, {
        file: path,
        problems: problems.length,
      });
    }
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
  return files;
}

/** The one file of a folder that `assemble --format gguf` writes. */
export const ggufFile = "model.gguf";

/** Whether a folder is of that kind: a GGUF file of this name, and no safetensors beside it. */
export async function isGgufFolder(folder: string): Promise<boolean> {
  const names = await listFolder(folder);
  return names.includes(ggufFile) && !names.includes(indexFile) && !names.includes(singleFile);
}

/** Whether a model folder has safetensors. @throws {BadDataError} where there is no such folder */
export async function hasWeightFiles(folder: string): Promise<boolean> {
  const names = await listFolder(folder);
  return names.includes(indexFile) || names.includes(singleFile);
}

/**
 * Opens the safetensors files of a model folder, sorted by name, every tensor in exactly one of them.
 *
 * @throws {BadDataError} when there are none (pickles are never opened), or they contradict the index; all faults are listed
 */
export async function openWeightFiles(folder: string): Promise<readonly SafetensorsFile[]> {
  const names = await listFolder(folder);
  if (names.includes(indexFile)) return openSharded(folder, names);
  if (names.includes(singleFile)) return [await openSafetensors(join(folder, singleFile))];
  const pickled = names.filter((name) => pickles.test(name)).sort();
  if (pickled.length > 0) {
    throw new BadDataError(
      `${folder} has its weights only as ${pickled.join(", ")}, which can run code when opened; convert to safetensors first`,
      { folder, found: pickled.join(", ") },
    );
  }
  const gguf = names.filter((name) => /\.gguf$/i.test(name)).sort();
  if (gguf.length > 0) {
    throw new BadDataError(`${folder} has its weights as ${gguf.join(", ")}; give the path of that file`, {
      folder,
      found: gguf.join(", "),
    });
  }
  throw new BadDataError(
    `${folder} has neither ${singleFile} nor ${indexFile}, nor an ONNX decoder such as onnx/model.onnx; give the folder of a Hugging Face model`,
    {
      folder,
    },
  );
}
