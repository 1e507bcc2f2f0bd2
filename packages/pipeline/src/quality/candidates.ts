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
  /** About how much longer it takes than the recipe as it is given; decides what the budget leaves out before it is begun. */
  readonly cost: number;
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
  cost: 1,
};

const rounding = (name: string, reason: string, options: StageOptions, cost: number): Candidate => ({
  name,
  reason,
  // all that the family varies is stated, so that a candidate is the same whatever the recipe or the defaults say
  changes: { compress: { solver: "gptq", search: "hessian", sweeps: 3, qep: 0.5, ...options } },
  cost,
});

const pruning = (name: string, reason: string, solver: string, options: StageOptions, cost: number): Candidate => ({
  name,
  reason,
  changes: { compress: { solver, ...options } },
  cost,
});

/** Pruning with another sparsity in each step. */
const spread = (
  name: string,
  reason: string,
  allocate: StageOptions,
  solver: string,
  options: StageOptions = {},
  cost = 1.2,
): Candidate => ({ name, reason, changes: { compress: { solver, ...options }, allocate }, cost });

/** Options that decide the size of the model, or what it is: no candidate changes them. */
export const sizeOptions: readonly string[] = ["bits", "groupSize", "symmetric", "sparsity", "pattern"];

/**
 * What is tried, by families of solvers: the most promising first, since a budget may end the search.
 */
const families: readonly Family[] = [
  {
    solvers: ["gptq", "gptaq"],
    candidates: [
      rounding("qep 0.5", "grids by the Hessian, sweeps, and half of the correction for earlier layers", {}, 1.6),
      rounding(
        "no correction",
        "the correction fits the calibration text: without it a language with little of it may lose less",
        { qep: 0 },
        1.2,
      ),
      rounding("qep 1", "the whole correction, where earlier layers lose much", { qep: 1 }, 1.6),
      rounding("qep 0.25", "a weaker correction, between the two", { qep: 0.25 }, 1.6),
      {
        ...rounding("damping 0.05", "more damping: a calmer H where a language has few tokens", {}, 1.6),
        changes: { ...rounding("", "", {}, 1).changes, factor: { damping: 0.05 } },
      },
      {
        name: "gptaq",
        reason: "corrects for earlier layers column by column instead of beforehand",
        changes: { compress: { solver: "gptaq", search: "hessian", alpha: 0.25 } },
        cost: 1.5,
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
        cost: 1.5,
      },
    ],
  },
  {
    solvers: ["awq"],
    candidates: [
      {
        name: "clip off",
        reason: "clipping fits the calibration text: without it a language with little text may lose less",
        changes: { compress: { solver: "awq", clip: false } },
        cost: 1,
      },
    ],
  },
  {
    solvers: ["sparsegpt", "alps"],
    candidates: [
      pruning("alps, qep 0.5", "mask and weights together, aimed at the dense model's outputs", "alps", { qep: 0.5 }, 2),
      pruning("alps", "the same without the correction, which fits the calibration text", "alps", { qep: 0 }, 1.6),
      pruning("sparsegpt, qep 0.5", "a mask block by block, aimed at the dense model's outputs", "sparsegpt", { qep: 0.5 }, 1.3),
      spread("alps, owl", "steps with more outliers keep more", { method: "owl" }, "alps", { qep: 0.5 }, 2.2),
      spread(
        "alps, shared steps",
        "steps that languages use alike keep more",
        { method: "correlation", favour: "shared" },
        "alps",
        { qep: 0.5 },
        2.2,
      ),
    ],
  },
  {
    solvers: ["wanda", "m-wanda", "magnitude"],
    candidates: [
      pruning("m-wanda", "channels that languages use differently count more", "m-wanda", { variance: 1 }, 1),
      spread("wanda, owl", "steps with more outliers keep more", { method: "owl" }, "wanda"),
      spread("m-wanda, owl", "both", { method: "owl" }, "m-wanda"),
      spread(
        "m-wanda, shared steps",
        "steps that languages use alike keep more",
        { method: "correlation", favour: "shared" },
        "m-wanda",
      ),
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
  // a pattern is the same in every step
  const fitting = family.candidates.filter(({ changes }) => pattern === undefined || changes.allocate === undefined);
  return [asGiven, ...fitting];
}
