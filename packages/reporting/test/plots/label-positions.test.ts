import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { paddedAxis, labelPositions } from "../../src/plots/label-positions.ts";

const size = { width: 200, height: 100 };
const boxOf = ({ x, y }: { x: number; y: number }, text: string) => ({
  left: x - text.length * 3.3,
  right: x + text.length * 3.3,
  top: y - 5.5,
  bottom: y + 5.5,
});

test("names stand to the right of their points, and to the left at the right edge", () => {
  const [free, edge] = labelPositions(
    [
      { x: 50, y: 50, text: "en" },
      { x: 195, y: 50, text: "zh-Hans" },
    ],
    size,
  );
  assert.ok((free?.x ?? 0) > 50 && free?.y === 50);
  assert.ok((edge?.x ?? 200) < 195);
});

test("in a crowd no name meets another, a point or the edge; those without space are left out", () => {
  const points = Array.from({ length: 60 }, (_, index) => ({
    x: 4 + ((index * 37) % 192),
    y: 4 + ((index * 53) % 92),
    text: `l${index}`,
  }));
  const positions = labelPositions(points, size);
  const boxes = positions.flatMap((position, index) => (position ? [boxOf(position, at(points, index).text)] : []));
  assert.ok(boxes.length > 5 && boxes.length < 60, String(boxes.length));
  for (const [index, box] of boxes.entries()) {
    assert.ok(box.left >= 0 && box.top >= 0 && box.right <= 200 && box.bottom <= 100);
    for (const { x, y } of points) assert.not.ok(x > box.left && x < box.right && y > box.top && y < box.bottom);
    for (const other of boxes.slice(index + 1))
      assert.ok(box.right <= other.left || other.right <= box.left || box.bottom <= other.top || other.bottom <= box.top);
  }
});

test("a name without space next to its point moves away, and a line that meets no name ties it to its point", () => {
  const points = Array.from({ length: 9 }, (_, index) => ({
    x: 90 + 12 * (index % 3),
    y: 40 + 12 * Math.floor(index / 3),
    text: `l${index}`,
  }));
  const positions = labelPositions(points, size);
  assert.ok(positions.every((position) => position !== undefined));
  const tied = positions.flatMap((position, index) => (position?.line ? [{ from: at(points, index), to: position.line }] : []));
  assert.ok(tied.length > 0);
  const boxes = positions.flatMap((position, index) => (position ? [boxOf(position, at(points, index).text)] : []));
  for (const { from, to } of tied) {
    const [x, y] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
    assert.not.ok(boxes.some(({ left, right, top, bottom }) => x > left && x < right && y > top && y < bottom));
  }
});

test("names keep off lines", () => {
  const [position] = labelPositions([{ x: 50, y: 50, text: "en" }], size, [{ left: 55, right: 57, top: 0, bottom: 100 }]);
  assert.ok((position?.x ?? 50) < 50);
});

test("an axis leaves a margin at both ends, also for one value", () => {
  const { domain, toPixels, toValue } = paddedAxis([0, 10], 116);
  assert.equal(domain, [-0.8, 10.8]);
  assert.ok(Math.abs(toPixels(0) - 8) < 1e-9 && Math.abs(toValue(toPixels(3)) - 3) < 1e-9);
  const [low, high] = paddedAxis([0], 100).domain;
  assert.ok(low < 0 && high > 0);
});

test.run();
