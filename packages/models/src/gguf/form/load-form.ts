import { FailedPreconditionError, InternalError } from "@mbs/contracts";
import { modelTypes } from "../../architectures/architectures.ts";
import type { GgufType } from "../../architectures/architectures.ts";
import type { GgufContents, GgufForm } from "./gguf-form.ts";

const known: ReadonlyMap<string, GgufType> = new Map(
  [...modelTypes].flatMap(([name, { gguf }]) => (gguf === undefined ? [] : [[name, gguf]])),
);

/** `model_type`s that llama.cpp has. */
export const llamaCppTypes: readonly string[] = [...known.keys()];

/** `model_type`s that are written as GGUF. */
const writtenTypes: readonly string[] = [...known].flatMap(([name, { isWritten }]) => (isWritten === false ? [] : [name]));

/** How GGUF files hold a model type; undefined where llama.cpp does not have it. */
export async function findGgufForm(
  modelType: string,
): Promise<{ readonly architecture: string; readonly form: GgufForm } | undefined> {
  const type = known.get(modelType);
  return type && { architecture: type.architecture, form: await type.load() };
}

/** @throws {FailedPreconditionError} naming the model types that are written */
export function requireGgufModel({ path, architecture }: { readonly path: string; readonly architecture: string }): void {
  if (writtenTypes.includes(architecture)) return;
  throw new FailedPreconditionError(
    `${path}: model type ${architecture} is not written as GGUF; supported: ${writtenTypes.join(", ")}; take another format, such as dense, which holds every model`,
    { architecture },
  );
}

/** The model types of an architecture, by `model_type`. */
export type GgufForms = ReadonlyMap<string, GgufForm>;

/**
 * The forms of all model types whose files have an architecture.
 *
 * @param architecture `general.architecture`
 * @throws {FailedPreconditionError} naming the supported ones when it is another
 */
export async function loadGgufForms(architecture: string, file: string): Promise<GgufForms> {
  const readTypes = [...known].filter(([, { isRead }]) => isRead !== false);
  const own = readTypes.filter(([, type]) => type.architecture === architecture);
  if (own.length > 0) return new Map(await Promise.all(own.map(async ([name, type]) => [name, await type.load()] as const)));
  const supported = [...new Set(readTypes.map(([, type]) => type.architecture))].sort().join(", ");
  throw new FailedPreconditionError(
    `${file}: architecture ${JSON.stringify(architecture)} is not supported in GGUF files; supported: ${supported}; or take the model's safetensors`,
    { file, supported },
  );
}

/** The model type of a file, and its form. */
export function typeOfFile(forms: GgufForms, contents: GgufContents): readonly [modelType: string, form: GgufForm] {
  const found = [...forms].find(([, { isOf }]) => isOf?.(contents) ?? true);
  if (found === undefined) throw new InternalError(`${contents.metadata.path} is of no type that its architecture has`);
  return found;
}
