import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { encodeFiles } from "@mbs/artifacts";
import type { ArtifactStore, FilePiece } from "@mbs/artifacts";
import { InterruptedError, UsageError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import type { SharedArtifacts } from "./shared-artifacts.ts";

const pieceBytes = 4 * 1024 * 1024;

/** What may be weights: of these, only files that the model is read from are published. */
const weights = /\.(safetensors|gguf|onnx|onnx_data|bin|pt|pth|pkl|ckpt|h5|msgpack|npz|zip)$/i;

/** A file of a model: its path for others, with "/" between parts, and where it lies. */
interface PublishedFile {
  readonly name: string;
  readonly path: string;
}

/** The files that a model is read from, sorted by name. @throws {UsageError} where some lie outside its folder */
async function filesOf({ path: root, weightFiles }: Pick<Model, "path" | "weightFiles">): Promise<readonly PublishedFile[]> {
  const isFolder = (await stat(root)).isDirectory();
  const folder = isFolder ? root : join(root, "..");
  const names = new Set(weightFiles.map((file) => relative(folder, file)));
  for (const name of names) {
    if (isAbsolute(name) || name.split(sep).includes("..")) {
      throw new UsageError(`${root} reads ${name}, which is not in its folder; copy it there to publish the model`, {
        path: root,
      });
    }
  }
  for (const name of isFolder ? await readdir(root) : []) {
    const isDescribing = !name.startsWith(".") && !weights.test(name);
    if (isDescribing && (await stat(join(root, name))).isFile()) names.add(name);
  }
  return [...names].toSorted().map((name) => ({ name: name.split(sep).join("/"), path: join(folder, name) }));
}

async function* piecesOf(files: readonly PublishedFile[], signal: AbortSignal): AsyncGenerator<FilePiece> {
  for (const { name, path } of files) {
    let offset = 0;
    for await (const data of createReadStream(path, { highWaterMark: pieceBytes }) as AsyncIterable<Uint8Array>) {
      if (signal.aborted) throw new InterruptedError("stopped while publishing the model");
      yield { path: name, offset, data };
      offset += data.length;
    }
    if (offset === 0) yield { path: name, offset, data: new Uint8Array() };
  }
}

/** The files of a model as one artifact; one model gives the same bytes on every machine. */
async function packModel(path: string, signal: AbortSignal): Promise<ArtifactStream> {
  const model = await openModel(path);
  try {
    return encodeFiles(piecesOf(await filesOf(model), signal), { model: model.address });
  } finally {
    await model.close();
  }
}

/**
 * Puts a model into the store, for workers that do not have it.
 *
 * @param path of the model
 * @param known address of its files in the store, where an earlier run has put them
 * @returns the address of its files, as an artifact
 * @throws as openModel and SharedStore.put
 */
export async function publishModel(
  path: string,
  known: string | undefined,
  { local, artifacts, signal }: { local: ArtifactStore; artifacts: SharedArtifacts; signal: AbortSignal },
): Promise<string> {
  if (known !== undefined && (await artifacts.isShared(known, signal))) return known;
  const { address } = await local.put(await packModel(path, signal), { signal });
  await artifacts.publish([address], signal);
  local.remove(address);
  return address;
}
