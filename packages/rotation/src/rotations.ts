import { FailedPreconditionError, UsageError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { hasNoBasis, requireDense } from "@mbs/models";
import type { ArchitectureModel, Model, NoBasis, RotationKind, RotationRecord } from "@mbs/models";
import { keepingMean, randomHadamard, randomOrthogonal, seededGenerator } from "@mbs/numbers";

/** What a rotation is made of. */
export type RotationSettings = Pick<RotationRecord, "stream" | "values" | "seed">;

/** The matrices of a rotation; absent where a part of the model is not rotated. */
export interface Rotations {
  /** R of the residual stream, [hidden, hidden]: states x become Rᵀx. */
  readonly stream: Matrix<Float64Array> | undefined;
  /** Of each block R of the values of every head, [head size, head size]. */
  readonly values: readonly Matrix<Float64Array>[] | undefined;
}

/** @throws {FailedPreconditionError} where the architecture forbids it */
function requireBasis({ path, architecture, layout: { bases } }: ArchitectureModel, part: "stream" | "values"): void {
  const basis: object | NoBasis = bases[part];
  if (!hasNoBasis(basis)) return;
  const other = part === "stream" ? bases.values : bases.stream;
  const remedy = hasNoBasis(other) ? "compress the model as it is" : `give --${part} none`;
  throw new FailedPreconditionError(
    `${path}: the ${part === "stream" ? "residual stream" : "values"} of ${architecture} cannot be rotated: ${basis.reason}; ${remedy}`,
    { model: path, architecture },
  );
}

/**
 * A model whose weights can be rotated as the settings say.
 *
 * @throws {UsageError} where they ask for nothing
 * @throws {FailedPreconditionError} on a model of another form, one that is quantised or rotated already, and where the result
 *   would compute something else
 */
export async function requireRotatable(model: Model, { stream, values }: RotationSettings): Promise<ArchitectureModel> {
  if (stream === "none" && values === "none") {
    throw new UsageError("rotate: --stream none and --values none leave nothing to rotate", { option: "--stream" });
  }
  if (model.kind === "graph") {
    throw new FailedPreconditionError(
      `${model.path} is an ONNX model, whose graph does not say what reads its residual stream; rotate the safetensors that it was made from`,
      { model: model.path },
    );
  }
  await requireDense(model);
  if (model.rotation !== undefined) {
    throw new FailedPreconditionError(`${model.path} is rotated already; give the model that it was made from`, {
      model: model.path,
    });
  }
  if (stream !== "none") requireBasis(model, "stream");
  if (values !== "none") requireBasis(model, "values");
  return model;
}

function makeRotation(
  kind: Exclude<RotationKind, "none">,
  size: number,
  random: ReturnType<typeof seededGenerator>,
): Matrix<Float64Array> {
  return (kind === "hadamard" ? randomHadamard(size, random) : undefined) ?? randomOrthogonal(size, random);
}

/**
 * The matrices of a rotation, the same for the same settings and shapes. Where no Hadamard matrix of a size is known, a random
 * orthogonal one takes its place.
 */
export function makeRotations({ layout }: ArchitectureModel, { stream, values, seed }: RotationSettings): Rotations {
  const { bases, blocks, hiddenSize } = layout;
  const ofStream = (): Matrix<Float64Array> | undefined => {
    if (stream === "none" || hasNoBasis(bases.stream)) return undefined;
    const rotation = makeRotation(stream, hiddenSize, seededGenerator(seed, "stream"));
    return bases.stream.centred ? keepingMean(rotation) : rotation;
  };
  const ofValues = (): readonly Matrix<Float64Array>[] | undefined => {
    if (values === "none" || hasNoBasis(bases.values)) return undefined;
    return bases.values.map(({ headSize }, index) =>
      makeRotation(values, headSize, seededGenerator(seed, "values", blocks[index]?.name ?? index)),
    );
  };
  return { stream: ofStream(), values: ofValues() };
}
