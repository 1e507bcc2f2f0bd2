import type { StageOptions } from "@mbs/contracts";
import type { Recipe } from "../recipe/recipe.ts";

/** What a candidate changes of a recipe; what it does not name stays. */
export type Changes = Partial<Pick<Recipe, "compress" | "factor" | "allocate">>;

/** One of the ways of compressing that `--quality best` tries. */
export interface Candidate {
  /** For tables. */
  readonly name: string;
  /** Why it may be the best. */
  readonly reason: string;
  readonly changes: Changes;
}

/** Solvers that answer one question, and what is tried for a recipe that names one of them. */
interface Family {
  readonly solvers: readonly string[];
  readonly candidates: readonly Candidate[];
}

/** The first candidate of every family: what others are measured against. */
export const asGiven: Candidate = {
  name: "as given",
  reason: "what the recipe says, with its defaults",
  changes: {},
};

// all that the family varies is stated, so that a candidate is the same whatever the recipe or the defaults say
const feedback: StageOptions = { solver: "gptq", search: "hessian", sweeps: 4, qep: 0.5 };

const rounding = (name: string, reason: string, options: StageOptions): Candidate => ({
  name,
  reason,
  changes: { compress: { ...feedback, ...options } },
});

const pruning = (name: string, reason: string, options: StageOptions, allocate?: StageOptions): Candidate => ({
  name,
  reason,
  changes: { compress: options, ...(allocate !== undefined && { allocate }) },
});

const outliers = "blocks with more outliers keep more";
const owl = { method: "owl" };
const cheap = "tensors whose loss costs the model's output least lose most";
const damage = { method: "pruning-damage" };
const uniform = { method: "uniform" };
const alike = "blocks that languages use alike keep more";
const shared = { method: "correlation", favour: "shared" };

/** Options that decide the size of the model, or what it is: no candidate changes them. */
export const sizeOptions: readonly string[] = ["bits", "groupSize", "symmetric", "sparsity", "pattern", "grid", "typeMix"];

/** What is tried, by families of solvers: the most promising first, since a budget may end the search. */
const families: readonly Family[] = [
  {
    solvers: ["gptq", "gptaq"],
    candidates: [
      rounding("qep 0.5", "grids by the Hessian, sweeps, and half of the correction for earlier layers", {}),
      rounding("no correction", "the correction fits the calibration text: a language with little of it may do without", {
        qep: 0,
      }),
      rounding("qep 1", "the whole correction, where earlier layers lose much", { qep: 1 }),
      rounding("qep 0.25", "a weaker correction, between the two", { qep: 0.25 }),
      {
        name: "damping 0.01",
        reason: "less damping: H as the calibration text has it, where there is much of it",
        changes: { compress: feedback, factor: { damping: 0.01 } },
      },
      {
        name: "gptaq",
        reason: "corrects for earlier layers column by column instead of beforehand",
        changes: { compress: { solver: "gptaq", search: "hessian", alpha: 0.25 } },
      },
    ],
  },
  {
    solvers: ["rtn"],
    candidates: [
      {
        name: "search error",
        reason: "ranges of least error instead of all of each group's range",
        changes: { compress: { solver: "rtn", search: "error" } },
      },
    ],
  },
  {
    solvers: ["awq"],
    candidates: [
      {
        name: "clip off",
        reason: "clipping fits the calibration text: a language with little of it may do without",
        changes: { compress: { solver: "awq", clip: false } },
      },
    ],
  },
  {
    solvers: ["sparsegpt", "alps"],
    candidates: [
      pruning("alps, qep 0.5", "mask and weights together, aimed at the dense model's outputs", { solver: "alps", qep: 0.5 }),
      pruning("alps", "the same without the correction, which fits the calibration text", { solver: "alps", qep: 0 }),
      pruning("sparsegpt, qep 0.5", "a mask block by block, aimed at the dense model's outputs", {
        solver: "sparsegpt",
        qep: 0.5,
      }),
      pruning("alps, uniform", "the same sparsity everywhere", { solver: "alps", qep: 0.5 }, uniform),
      pruning("alps, owl", outliers, { solver: "alps", qep: 0.5 }, owl),
      pruning("alps, shared blocks", alike, { solver: "alps", qep: 0.5 }, shared),
    ],
  },
  {
    solvers: ["wanda", "m-wanda", "magnitude"],
    candidates: [
      pruning("wanda, damage", cheap, { solver: "wanda" }, damage),
      pruning("m-wanda", "channels that languages use differently count more", { solver: "m-wanda", variance: 1 }),
      pruning("wanda, owl", outliers, { solver: "wanda" }, owl),
      pruning("m-wanda, owl", "both", { solver: "m-wanda", variance: 1 }, owl),
      pruning("m-wanda, shared blocks", alike, { solver: "m-wanda", variance: 1 }, shared),
    ],
  },
];

/**
 * The candidates for a recipe's solver, the recipe as it is given first.
 *
 * @returns undefined for a solver of no family
 */
export function candidatesFor({ compress: { solver, pattern } }: Recipe): readonly Candidate[] | undefined {
  const family = families.find(({ solvers }) => solvers.some((name) => name === solver));
  if (family === undefined) return undefined;
  // a pattern is the same in every block
  const fitting = family.candidates.filter(({ changes }) => pattern === undefined || changes.allocate === undefined);
  return [asGiven, ...fitting];
}
