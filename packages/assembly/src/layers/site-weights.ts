import type { ArchitectureModel, Model, SiteTensor } from "@mbs/models";

/** All weights of blocks that solvers can change, in order. */
export const siteWeights = (model: Model): readonly SiteTensor[] =>
  model.blocks.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights));

/** Embedding and head, where solvers can change them. */
export const embeddingsWeights = ({ embeddings }: Model): readonly SiteTensor[] =>
  embeddings?.sites.flatMap(({ weights }) => weights) ?? [];

/** The first weight of a block, to name in a message; every model has one. */
export const firstWeight = (model: Model): string => siteWeights(model)[0]?.tensor ?? model.path;

/** Linear weights that the checkpoint has as [columns, rows]. */
export const transposedTensors = (model: ArchitectureModel): ReadonlySet<string> =>
  new Set(model.layout.tensors.filter(({ transposed }) => transposed).map(({ name }) => name));
