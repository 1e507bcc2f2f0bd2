import { parseMetadata } from "@mbs/artifacts";
import { at, type OptionTable } from "@mbs/contracts";
import { requireFactors } from "../allocation-method.ts";
import { defineBitMethod, type BitRequest, type ChosenBits } from "./bit-method.ts";
import { chooseBits } from "./bit-program.ts";
import { measureDamage } from "./measured-damage.ts";

const options = {
  average: {
    kind: "choice",
    choices: ["weighted", "unweighted", "worst"],
    description: "which damage is made small: each language by its share in the mix, all alike, or that of the worst language",
    default: "weighted",
  },
  rows: {
    kind: "integer",
    description: "rows of a tensor that damage is measured on, spread evenly; 0 for all",
    default: 256,
    minimum: 0,
    maximum: 1_048_576,
  },
} as const satisfies OptionTable;

type Request = BitRequest<typeof options>;

/** What a choice of bits for a tensor costs in each of the sums that are to be small. */
type Costs = (tensor: string, bits: number) => readonly number[];

async function measureCosts(request: Request): Promise<Costs> {
  const { inputs, options: values } = request;
  const { languages, damageOf } = await measureDamage(request, values.rows);
  const { weights } = parseMetadata("factors", requireFactors(inputs).schema);
  const shareOf = (language: string): number => {
    if (languages.length === 1) return 1;
    return values.average === "weighted" ? (weights[language] ?? 0) : 1 / languages.length;
  };
  return (tensor, bits) => {
    const own = languages.map((language) => damageOf(tensor, bits, language));
    if (values.average === "worst") return own;
    return [own.reduce((sum, cost, index) => sum + cost * shareOf(at(languages, index)), 0)];
  };
}

const addAll = (costs: readonly (readonly number[])[]): number[] =>
  costs.reduce<number[]>((sum, own) => own.map((cost, index) => cost + (sum[index] ?? 0)), []);

/** Bits by the damage that each number of them does to each language. */
export const damage = defineBitMethod({
  name: "damage",
  source: "docs/quantisers.md",
  summary:
    "bits of each tensor that do the least measured damage to the languages at a given size; takes at most about three times as long as one compression",
  needs: { statistics: "gram", segments: true },
  options,
  async choose(request) {
    const { units, limit } = request;
    const costsOf = await measureCosts(request);
    const programUnits = units.map((unit) => ({
      choices: [...at(unit, 0).sizes.keys()].map((bits) => ({
        bits,
        size: unit.reduce((sum, { sizes }) => sum + (sizes.get(bits) ?? 0), 0),
        costs: addAll(unit.map(({ tensor }) => costsOf(tensor, bits))),
      })),
    }));
    const chosen = await chooseBits(programUnits, limit);
    const rows = units.flatMap((unit, index): (readonly [string, ChosenBits])[] => {
      const { bits } = at(at(programUnits, index).choices, at(chosen, index));
      return unit.map(({ tensor }) => [tensor, { bits, importance: Math.max(...costsOf(tensor, bits)) }]);
    });
    return new Map(rows);
  },
});
