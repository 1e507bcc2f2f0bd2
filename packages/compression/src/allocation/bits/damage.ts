import { parseMetadata } from "@mbs/artifacts";
import { at, UsageError, type OptionTable } from "@mbs/contracts";
import { requireFactors } from "../allocation-method.ts";
import { averageOption, languageCosts, mixed, requireAverage } from "../language-costs.ts";
import { defineBitMethod, type BitRequest, type Chosen } from "./bit-method.ts";
import { chooseLeast, type ChoiceUnit } from "../choice-program.ts";
import { measureDamage, quick } from "./measured-damage.ts";
import { comparedPositions, passes } from "../output-change.ts";
import { choiceNamed, choosesEmbeddings, namesOf, type BitOptions } from "./storage-choices.ts";

const options = {
  average: averageOption,
  rows: {
    kind: "integer",
    description: "rows of a tensor that damage is measured on, spread evenly; 0 for all",
    default: 256,
    minimum: 0,
    maximum: 1_048_576,
  },
} as const satisfies OptionTable;

type Request = BitRequest<typeof options>;

/** What a choice for a tensor costs in each of the sums that are to be small. */
type Costs = (tensor: string, name: string) => readonly number[];

/** @throws {UsageError} where embedding and head are to be chosen for by less than what brings all tensors to one unit of loss */
function requireInputsOfEmbeddings({ options: values, inputs: { statistics, segments } }: Request): void {
  if (!choosesEmbeddings(values as unknown as BitOptions) || (statistics !== undefined && segments !== undefined)) return;
  throw new UsageError(
    "allocate: --embeddings on compares what embedding and head cost with what blocks do, in each language; give --statistics (of capture --embeddings) and --segments",
    { option: "--embeddings" },
  );
}

async function measureCosts(request: Request): Promise<Costs> {
  const { inputs, options: values } = request;
  const { weights } = parseMetadata("factors", requireFactors(inputs).schema);
  requireInputsOfEmbeddings(request);
  if (inputs.statistics === undefined) requireAverage(values.average, [mixed], weights, "give --statistics");
  const { languages, damageOf } = await measureDamage(request, values.rows);
  return (tensor, name) =>
    languageCosts(
      values.average,
      languages,
      weights,
      languages.map((language) => damageOf(tensor, name, language)),
    );
}

const addAll = (costs: readonly (readonly number[])[]): number[] =>
  at(costs, 0).map((_, place) => costs.reduce((sum, own) => sum + at(own, place), 0));

/** Bits or types by the damage that each of them does to each language. */
export const damage = defineBitMethod({
  name: "damage",
  source: "docs/quantisers.md",
  summary:
    "bits or types of each tensor that do the least measured damage to the languages at a given size; takes at most about three times as long as one compression",
  needs: { statistics: "gram", segments: true },
  options,
  work: (grids, { rows }) => ({
    solver: "gptq",
    options: quick,
    grids,
    rows: rows === 0 ? Infinity : rows,
    passes,
    comparisons: comparedPositions,
  }),
  async choose(request) {
    const { units, limit } = request;
    const costsOf = await measureCosts(request);
    const programUnits = units.map((unit): ChoiceUnit => ({
      choices: namesOf(at(unit, 0).choices).map((name) => ({
        name,
        size: unit.reduce((sum, { choices }) => sum + choiceNamed(choices, name).size, 0),
        costs: addAll(unit.map(({ tensor }) => costsOf(tensor, name))),
      })),
    }));
    const chosen = await chooseLeast(programUnits, limit);
    const rows = units.flatMap((unit, index): (readonly [string, Chosen])[] => {
      const { name } = at(at(programUnits, index).choices, at(chosen, index));
      return unit.map(({ tensor }) => [tensor, { name, importance: Math.max(...costsOf(tensor, name)) }]);
    });
    return new Map(rows);
  },
});
