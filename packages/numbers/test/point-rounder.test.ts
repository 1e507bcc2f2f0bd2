import { createPointRounder, roundPointsReference, type PointTables } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { randomNumbers } from "./random-numbers.ts";
import { bellOf } from "./weight-kinds.ts";

const next = randomNumbers(29);
const bell = bellOf(next);

/** A made-up codebook: of each node a size goes on with some probability, and at least one does. */
function madeUp(span: number, width: number, sizes: number, share: number): PointTables {
  const rows: number[][] = [[]];
  let nodes = [0];
  for (let column = 0; column < width; column += 1) {
    const children: number[] = [];
    for (const node of nodes) {
      const sure = Math.floor(next() * sizes);
      rows[node] = Array.from({ length: sizes }, (_, size) => {
        if (size !== sure && next() >= share) return -1;
        if (column === width - 1) return 0;
        rows.push([]);
        children.push(rows.length - 1);
        return rows.length - 1;
      });
    }
    nodes = children;
  }
  const levels = Array.from({ length: sizes }, (_, size) => 3 + 7 * size);
  return {
    span,
    width,
    levels: Int8Array.from([...levels.toReversed().map((level) => -level), ...levels]),
    tree: Int16Array.from(rows.flat()),
    evenSigns: span === 8 && share < 0.6,
  };
}

for (const [span, width, sizes, share] of [
  [8, 8, 3, 0.5],
  [8, 8, 3, 0.8],
  [8, 4, 8, 0.5],
  [4, 4, 8, 0.7],
] as const) {
  test(`${sizes} sizes in points of ${width}, ${span} columns together: both forms give the same bits`, () => {
    const tables = madeUp(span, width, sizes, share);
    for (const rows of [1, 37]) {
      const round = createPointRounder(tables, rows);
      const panel = (size: number): Float32Array => Float32Array.from({ length: span * rows }, () => bell() * size);
      // a row of zeros has no scale
      const scales = Float32Array.from({ length: rows }, (_, row) => (row % 9 === 4 ? 0 : 0.05 * (0.5 + next())));
      const upper = new Float64Array(span * span);
      for (let row = 0; row < span; row += 1) {
        // a column without inputs costs nothing
        upper[row * (span + 1)] = row === 2 ? Infinity : 0.5 + next();
        for (let column = row + 1; column < span; column += 1) upper[row * span + column] = 0.4 * bell();
      }
      const codes = new Uint8Array(span * rows);
      const expected = new Uint8Array(span * rows);
      let wanted = panel(1);
      for (const keeps of [false, true]) {
        // close to what was chosen: some rows keep it, others do not
        if (keeps) wanted = wanted.map((value) => value + 0.1 * bell());
        const values = round({ wanted, upper, scales, codes, keeps }).slice();
        assert.equal(values, roundPointsReference(tables, { wanted, upper, scales, codes: expected, keeps }));
        assert.equal(codes, expected);
      }
    }
  });
}

test.run();
