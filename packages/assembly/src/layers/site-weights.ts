import type { ArchitectureModel, Model, SiteTensor } from "@mbs/models";

/** All weights that solvers can change, in the order of the steps. */
export const siteWeights = (model: Model): readonly SiteTensor[] =>
  model.steps.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights));

/** The first of them, to name in a message; every model has one. */
export const firstWeight = (model: Model): string => siteWeights(model)[0]?.tensor ?? model.path;

/** Linear weights that the checkpoint has as [columns, rows]. */
export const transposedTensors = (model: ArchitectureModel): ReadonlySet<string> =>
  new Set(model.layout.tensors.filter(({ transposed }) => transposed).map(({ name }) => name));
