import { at } from "@mbs/contracts";
import { defineBitMethod } from "./bit-method.ts";

/** As near to the same bits everywhere as the size allows: what any choice of bits is to be compared with. */
export const even = defineBitMethod({
  name: "even",
  source: "https://arxiv.org/abs/2210.17323",
  summary: "the same bits or type for all tensors, and the next larger for as many as fit, spread evenly over the model",
  needs: { statistics: "none", segments: false },
  options: {},
  choose({ units, limit }) {
    const count = at(at(units, 0), 0).choices.length;
    const sizeOf = (unit: (typeof units)[number], index: number): number =>
      unit.reduce((sum, { choices }) => sum + at(choices, index).size, 0);
    const total = (index: number): number => units.reduce((sum, unit) => sum + sizeOf(unit, index), 0);
    const indices = Array.from({ length: count }, (_, index) => index);
    const base = indices.findLast((index) => total(index) <= limit) ?? 0;
    const next = base + 1 < count ? base + 1 : undefined;
    const spare = limit - total(base);
    const whole = next === undefined ? 0 : total(next) - total(base);
    let [passed, given] = [0, 0];
    const chosen = units.flatMap((unit) => {
      const more = next === undefined ? 0 : sizeOf(unit, next) - sizeOf(unit, base);
      // a unit is raised where the share that was given lags behind the share of the way
      passed += more;
      const raised = next !== undefined && given + more <= spare && given + more <= (passed / whole) * spare + more / 2;
      if (raised) given += more;
      const taken = raised ? next : base;
      return unit.map(({ tensor, choices }) => [tensor, { name: at(choices, taken).name, importance: 0 }] as const);
    });
    return Promise.resolve(new Map(chosen));
  },
});
