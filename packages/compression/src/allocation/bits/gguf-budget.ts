import { bytesIn, ggufBytes } from "@mbs/gguf";
import type { Model } from "@mbs/models";
import { ggufTypesOf } from "../../gguf-types.ts";

/** For the name and the licence of the model, which `assemble` adds to the header. */
const spareBytes = 512;

/** What each tensor of a file begins on multiples of. */
const mostPadding = 32;

/**
 * Bytes of a GGUF file beside the blocks of some tensors: its header, tokenizer included, and the other tensors.
 *
 * @param typeMix that gives the other tensors their types
 * @param allocated tensors by their names in the model
 * @throws {FailedPreconditionError} where no GGUF file is made of the model
 */
export async function ggufBytesBeside(model: Model, typeMix: string, allocated: ReadonlySet<string>): Promise<number> {
  const { plan, types } = await ggufTypesOf(model, typeMix, "give --bits-per-weight instead of --size");
  const written = plan.tensors.map(({ name, shape, sources }) => {
    const type = types.get(name);
    const isOther = type !== undefined && !sources.some((source) => allocated.has(source));
    return { name, shape, type: type?.number ?? 0, bytes: isOther ? bytesIn(type, shape) : 0 };
  });
  return ggufBytes(plan.metadata, written) + spareBytes + mostPadding * allocated.size;
}
