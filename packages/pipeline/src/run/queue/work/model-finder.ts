import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseJson, writeAtomically } from "@mbs/artifacts";
import { isObject, UsageError } from "@mbs/contracts";
import { findResource } from "../../../resources/resource-readers.ts";

interface Known {
  /** Names, sizes and times of the files that the address was computed from. */
  readonly stamp: string;
  /** undefined for what is no model. */
  readonly address?: string;
}

/** How deep below the root a model may lie: root/model, root/organisation/model. */
const deepest = 2;

const isModelFile = (name: string): boolean => /\.(gguf|onnx)$/i.test(name);

const isFolder = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined))?.isDirectory() === true;

/** Names, sizes and times of the files of a folder, or of a file. */
async function stampOf(path: string): Promise<string> {
  const found = await stat(path);
  const names = found.isDirectory() ? (await readdir(path, { recursive: true })).toSorted() : [""];
  const lines: string[] = [];
  for (const name of names) {
    const file = await stat(join(path, name)).catch(() => undefined);
    if (file?.isFile() === true) lines.push(`${name} ${file.size} ${file.mtimeMs}`);
  }
  return lines.join("\n");
}

/** Finds the models of a folder by their content address. Addresses are computed when they are first needed, and remembered. */
export class ModelFinder {
  readonly #root: string;
  readonly #record: string;
  readonly #known: Map<string, Known>;

  private constructor(root: string, record: string, known: Map<string, Known>) {
    this.#root = root;
    this.#record = record;
    this.#known = known;
  }

  /**
   * @param record file that remembers addresses
   * @throws {UsageError} where the root is no folder
   */
  static async open(root: string, record: string): Promise<ModelFinder> {
    if (!(await isFolder(root))) throw new UsageError(`--model-root ${root} is no folder; check the path`, { path: root });
    // what is damaged is computed again
    const found = parseJson(await readFile(record, "utf8").catch(() => ""));
    const known = Object.entries(isObject(found) ? found : {}).flatMap(([path, entry]): [string, Known][] =>
      isObject(entry) && typeof entry["stamp"] === "string" ? [[path, entry as unknown as Known]] : [],
    );
    return new ModelFinder(root, record, new Map(known));
  }

  /** The path of a model; undefined where it is not there. @param address of the model */
  async find(address: string): Promise<string | undefined> {
    const places = await this.#places(this.#root, 0);
    // first those whose address is known: the others have to be read as a whole
    for (const isNew of [false, true]) {
      for (const place of places) {
        const stamp = await stampOf(place);
        const known = this.#known.get(place);
        if (known?.stamp === stamp) {
          if (known.address === address) return place;
          continue;
        }
        if (!isNew) continue;
        const found = await findResource("model", place).then(
          (model) => model.address,
          () => undefined,
        );
        this.#known.set(place, { stamp, ...(found !== undefined && { address: found }) });
        await writeAtomically(this.#record, [Buffer.from(JSON.stringify(Object.fromEntries(this.#known)))], { force: true });
        if (found === address) return place;
      }
    }
    return undefined;
  }

  /** Folders and files that may be models. */
  async #places(folder: string, depth: number): Promise<string[]> {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    const names = entries.map(({ name }) => name).toSorted();
    const places: string[] = [];
    if (names.includes("config.json") || names.some((name) => name.endsWith(".onnx"))) places.push(folder);
    for (const name of names) {
      const path = join(folder, name);
      if (isModelFile(name)) places.push(path);
      else if (depth < deepest && (await isFolder(path))) {
        places.push(...(await this.#places(path, depth + 1)));
      }
    }
    return places;
  }
}
