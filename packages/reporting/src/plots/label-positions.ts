/** A rectangle in pixels, y downwards. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** A point, and the name to be shown beside it. */
export interface NamedPoint {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

const fontSize = 11;
/** Width of a letter of a sans-serif font, in font sizes; rather too wide than too narrow. */
const letterWidth = 0.6;
const radius = 4;

const meet = (a: Box, b: Box): boolean => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Right, left, above, below, then the corners: where readers look first. */
const sides = [
  [1, 0],
  [-1, 0],
  [0, -1],
  [0, 1],
  [1, -1],
  [1, 1],
  [-1, -1],
  [-1, 1],
] as const;

/**
 * Positions of the names of points in a plot, so that none lies on a point, on another name or on a line, or leaves the plot.
 *
 * @param lines that names keep off
 * @returns the middle of each name in the order of the points, undefined where there is no space for it
 */
export function labelPositions(
  points: readonly NamedPoint[],
  size: { readonly width: number; readonly height: number },
  lines: readonly Box[] = [],
): readonly ({ readonly x: number; readonly y: number } | undefined)[] {
  const taken = [
    ...points.map(({ x, y }) => ({ left: x - radius, top: y - radius, right: x + radius, bottom: y + radius })),
    ...lines,
  ];
  return points.map(({ x, y, text }) => {
    const [width, height] = [text.length * letterWidth * fontSize, fontSize];
    for (const [across, down] of sides) {
      const middle = { x: x + across * (radius + 2 + width / 2), y: y + down * (radius + height / 2) };
      const box = {
        left: middle.x - width / 2,
        top: middle.y - height / 2,
        right: middle.x + width / 2,
        bottom: middle.y + height / 2,
      };
      const inside = box.left >= 0 && box.top >= 0 && box.right <= size.width && box.bottom <= size.height;
      if (!inside || taken.some((other) => meet(box, other))) continue;
      taken.push(box);
      return middle;
    }
    return undefined;
  });
}

/** A scale of an axis: the values at its ends, with a margin beyond the outermost points, and the position of a value. */
export interface Axis {
  readonly domain: readonly [number, number];
  readonly toPixels: (value: number) => number;
  readonly toValue: (pixels: number) => number;
}

/** @param pixels the length of the axis */
export function paddedAxis(values: readonly number[], pixels: number): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = 0.08 * (most - least || Math.abs(most) || 1);
  const [low, high] = [least - margin, most + margin];
  return {
    domain: [low, high],
    toPixels: (value) => ((value - low) / (high - low)) * pixels,
    toValue: (position) => low + (position / pixels) * (high - low),
  };
}
