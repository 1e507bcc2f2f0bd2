/** A rectangle in pixels, y downwards. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Pixels from the left and from the top. */
interface Place {
  readonly x: number;
  readonly y: number;
}

/** A point, and the name to be shown beside it. */
export interface NamedPoint extends Place {
  readonly text: string;
}

const fontSize = 11;
/** Width of a letter of a sans-serif font, in font sizes; rather too wide than too narrow. */
const letterWidth = 0.6;
const radius = 4;

const boxAround = (x: number, y: number, half: number): Box => ({
  left: x - half,
  top: y - half,
  right: x + half,
  bottom: y + half,
});

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

/** Where names at the end of a line stand, all around. */
const directions = Array.from({ length: 24 }, (_, index) => {
  const angle = (index * Math.PI) / 12;
  return [Math.cos(angle), Math.sin(angle)] as const;
});

/** How far from their points names may stand, pixels: next to them where there is space, else at the end of a line. */
const distances = Array.from({ length: 20 }, (_, index) => 4 * index);

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** Small boxes along the line from a point's edge to the end at its name. */
function boxesBetween(from: Place, to: Place): Box[] {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  return Array.from({ length: Math.max(0, Math.ceil((length - radius) / 2)) }, (_, index) => {
    const part = (radius + 2 * index) / length;
    return boxAround(from.x + (to.x - from.x) * part, from.y + (to.y - from.y) * part, 1);
  });
}

/** The middle of a name. */
export interface LabelPosition extends Place {
  /** The end at the name of the line that ties it to its point; absent next to the point. */
  readonly line?: Place;
}

/** A place for a name at this distance from its point that meets nothing, with the boxes that it then takes. */
function findPlace(
  { x, y, text }: NamedPoint,
  distance: number,
  size: { readonly width: number; readonly height: number },
  isFree: (box: Box, isLine: boolean) => boolean,
): { readonly position: LabelPosition; readonly boxes: readonly Box[] } | undefined {
  const [width, height] = [text.length * letterWidth * fontSize, fontSize];
  for (const [across, down] of distance === 0 ? sides : directions) {
    const middle = {
      x: x + across * (radius + 2 + distance + width / 2),
      y: y + down * (radius + distance + height / 2),
    };
    const box = {
      left: middle.x - width / 2,
      top: middle.y - height / 2,
      right: middle.x + width / 2,
      bottom: middle.y + height / 2,
    };
    const inside = box.left >= 0 && box.top >= 0 && box.right <= size.width && box.bottom <= size.height;
    if (!inside || !isFree(box, false)) continue;
    if (distance === 0) return { position: middle, boxes: [box] };
    const line = { x: clamp(x, box.left, box.right), y: clamp(y, box.top, box.bottom) };
    const between = boxesBetween({ x, y }, line);
    if (between.every((one) => isFree(one, true))) return { position: { ...middle, line }, boxes: [box, ...between] };
  }
  return undefined;
}

/** How often all names are placed, each time first those that found no space before. */
const rounds = 8;

/**
 * Positions of the names of points in a plot, so that none lies on a point, on another name or on a line, or leaves the plot.
 * Every name is first sought a place next to its point; those that have none there move away, and a line ties them to it.
 *
 * @param lines that names keep off
 * @returns in the order of the points; undefined where there is no space for a name
 */
export function labelPositions(
  points: readonly NamedPoint[],
  size: { readonly width: number; readonly height: number },
  lines: readonly Box[] = [],
): readonly (LabelPosition | undefined)[] {
  const dots = points.map(({ x, y }) => boxAround(x, y, radius));
  // a line may cross the edge of a dot that lies on its own, not its middle: there it would seem to end
  const middles = points.map(({ x, y }) => boxAround(x, y, 1));
  const placeAll = (order: readonly NamedPoint[]): ReadonlyMap<NamedPoint, LabelPosition> => {
    const taken = [...lines];
    const placed = new Map<NamedPoint, LabelPosition>();
    const isFree = (box: Box, isLine: boolean): boolean =>
      ![...taken, ...(isLine ? middles : dots)].some((other) => meet(box, other));
    for (const distance of distances) {
      for (const point of order.filter((one) => !placed.has(one))) {
        const found = findPlace(point, distance, size, isFree);
        if (found === undefined) continue;
        placed.set(point, found.position);
        taken.push(...found.boxes);
      }
    }
    return placed;
  };
  let order = points;
  let best: ReadonlyMap<NamedPoint, LabelPosition> = new Map();
  for (let round = 0; round < rounds && best.size < points.length; round += 1) {
    const placed = placeAll(order);
    if (placed.size > best.size) best = placed;
    order = [...order.filter((point) => !placed.has(point)), ...order.filter((point) => placed.has(point))];
  }
  return points.map((point) => best.get(point));
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
