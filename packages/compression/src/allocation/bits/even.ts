import { at } from "@mbs/contracts";
import { defineBitMethod } from "./bit-method.ts";

/** As near to the same bits everywhere as the size allows: what any choice of bits is to be compared with. */
export const even = defineBitMethod({
  name: "even",
  source: "https://arxiv.org/abs/2210.17323",
  summary: "the same bits for all tensors, and one step more for as many as fit, spread evenly over the model",
  needs: { statistics: "none", segments: false },
  options: {},
  choose({ units, limit }) {
    const choices = [...at(at(units, 0), 0).sizes.keys()];
    const sizeOf = (unit: (typeof units)[number], bits: number): number =>
      unit.reduce((sum, { sizes }) => sum + (sizes.get(bits) ?? 0), 0);
    const total = (bits: number): number => units.reduce((sum, unit) => sum + sizeOf(unit, bits), 0);
    const base = choices.findLast((bits) => total(bits) <= limit) ?? at(choices, 0);
    const next = choices[choices.indexOf(base) + 1];
    const spare = limit - total(base);
    const whole = next === undefined ? 0 : total(next) - total(base);
    let [passed, given] = [0, 0];
    const chosen = units.flatMap((unit) => {
      const more = next === undefined ? 0 : sizeOf(unit, next) - sizeOf(unit, base);
      // a unit is raised where the share that was given lags behind the share of the way
      passed += more;
      const raised = next !== undefined && given + more <= spare && given + more <= (passed / whole) * spare + more / 2;
      if (raised) given += more;
      return unit.map(({ tensor }) => [tensor, { bits: raised && next !== undefined ? next : base, importance: 0 }] as const);
    });
    return Promise.resolve(new Map(chosen));
  },
});
