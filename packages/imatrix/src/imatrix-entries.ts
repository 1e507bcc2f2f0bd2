import { FailedPreconditionError, InternalError } from "@mbs/contracts";
import { findGgufForm, ggufColumns, ggufTensorName, llamaCppTypes } from "@mbs/models";
import type { Model } from "@mbs/models";
import type { SiteKey } from "./scratch-diagonals.ts";

/** A weight of llama.cpp's and what it reads. */
export interface ImatrixEntry {
  /** As llama.cpp calls it: "blk.3.ffn_gate.weight". */
  readonly name: string;
  /** Input channels. */
  readonly width: number;
  /** place → channel, where llama.cpp has them in another order. */
  readonly columns?: Int32Array | undefined;
  /** The site that the weight reads; for a weight of all experts the site of each, in their order. */
  readonly sites: readonly SiteKey[];
}

/**
 * The linear weights of a model as llama.cpp has them, sorted by name as llama-imatrix sorts them.
 *
 * @throws {FailedPreconditionError} where llama.cpp does not have the model type, or the model is an ONNX graph
 */
export async function imatrixEntries(model: Model): Promise<readonly ImatrixEntry[]> {
  if (model.kind !== "architecture") {
    throw new FailedPreconditionError(
      `${model.path} holds an ONNX graph, whose weights have no names that llama.cpp knows; give the safetensors folder`,
      { folder: model.path },
    );
  }
  const gguf = await findGgufForm(model.architecture);
  if (gguf === undefined) {
    throw new FailedPreconditionError(
      `llama.cpp has no model type ${model.architecture}, so there is nothing to quantise with an imatrix; it has ${llamaCppTypes.join(", ")}`,
      { architecture: model.architecture },
    );
  }
  const columnsOf = await ggufColumns(model);
  const entries = new Map<string, Omit<ImatrixEntry, "name" | "sites"> & { readonly sites: SiteKey[] }>();
  for (const block of model.blocks) {
    for (const site of block.sites) {
      // weights of a site may be one tensor of the file
      const named = new Map<string, { readonly tensor: string; readonly expert?: number }>();
      for (const { tensor } of site.weights) {
        const found = ggufTensorName(gguf.form.tensors, tensor, model.layout.prefixes);
        if (found === undefined) throw new InternalError(`imatrix: no GGUF name of ${tensor}`, { tensor });
        named.set(found.name, { tensor, ...found });
      }
      for (const [name, { tensor, expert = 0 }] of named) {
        const entry = entries.get(name) ?? { width: site.width, columns: columnsOf(tensor), sites: [] };
        entries.set(name, entry);
        // experts come in the order of their numbers
        if (entry.sites.length !== expert) {
          throw new InternalError(`imatrix: ${tensor} is not expert ${entry.sites.length} of ${name}, which comes next`, {
            tensor,
          });
        }
        entry.sites.push([block.name, site.name]);
      }
    }
  }
  return [...entries].map(([name, entry]) => ({ name, ...entry })).sort((a, b) => (a.name < b.name ? -1 : 1));
}
