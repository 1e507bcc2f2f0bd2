import { poolingFiles, readPooling } from "../folder/pooling.ts";
import type { Pooling } from "../folder/pooling.ts";
import type { ArchitectureModel } from "../folder/model.ts";
import type { GgufContents } from "./form/gguf-form.ts";
import type { ModelSettings } from "./form/model-settings.ts";

/* How the states of a text become its embedding: `pooling_type`. llama.cpp has further kinds, which no encoder here has. */

const key = "pooling_type";
const numbers: ReadonlyMap<Pooling, number> = new Map([
  ["mean", 1],
  ["first", 2],
]);

/**
 * The files of a folder that say it; none where the file leaves it to the program.
 *
 * @throws {FailedPreconditionError} where it is none of the ways that are known
 */
export function readPoolingFiles({ metadata }: GgufContents): ReadonlyMap<string, object> {
  const type = metadata.findCount(key) ?? 0;
  if (type === 0) return new Map();
  const found = [...numbers].find(([, number]) => number === type);
  if (found === undefined) return metadata.refuse(key, "supported: 1 (mean), 2 (first token)");
  return poolingFiles(found[0], metadata.count("embedding_length"));
}

/** @throws {FailedPreconditionError} where the model pools in another way */
export async function putPooling(model: ArchitectureModel, settings: ModelSettings): Promise<void> {
  settings.counts({ [key]: numbers.get(await readPooling(model)) });
}
