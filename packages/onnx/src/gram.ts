import { InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { GraphBuilder } from "./graph-builder.ts";
import { createSession } from "./session.ts";
import type { Session } from "./session.ts";
import { floatTensor, floatValues, integerTensor } from "./tensor.ts";

/** A running sum of x xᵀ over tokens. */
export interface GramSum {
  readonly width: number;
  /** Tokens seen so far. */
  readonly tokens: number;
  /** Adds XᵀX of X, shape [tokens, width]. */
  add(states: Matrix): Promise<void>;
  /** The sum as it stands (not a mean): upper half packed, row i holds columns i … width-1. A view, not a copy. */
  packed(): Float32Array;
}

/** Makes Gram sums that share their sessions, one a width. */
export interface GramKernel {
  sum(width: number): GramSum;
  /** Frees the sessions; sums keep what they have. */
  release(): Promise<void>;
}

/** Columns a panel. Narrower panels save more of the lower half, wider ones run nearer to the peak. */
const panelColumns = 512;

interface Panel {
  readonly first: number;
  readonly last: number;
}

function panelsOf(width: number): Panel[] {
  const count = Math.max(1, Math.round(width / panelColumns));
  return Array.from({ length: count }, (_, index) => ({
    first: Math.round((index * width) / count),
    last: Math.round(((index + 1) * width) / count),
  }));
}

const panelName = ({ first }: Panel): string => `panel-${first}`;

/** One product a panel: columns first … last-1 against first … width-1, so that little below the diagonal is computed. */
function gramGraph(width: number): Uint8Array {
  const graph = new GraphBuilder("gram");
  const x = graph.input("x", "float32", ["T", width]);
  const columns = (from: number, to: number): string => {
    if (from === 0 && to === width) return x;
    const bounds = [[from], [to], [1]].map((values) => graph.constant(integerTensor(values)));
    return graph.node("Slice", [x, ...bounds]);
  };
  for (const panel of panelsOf(width)) {
    const inputs = [columns(panel.first, panel.last), columns(panel.first, width)];
    const product = graph.node("Gemm", inputs, { attributes: { transA: 1 }, name: `gram-${panelName(panel)}` });
    graph.output(panelName(panel), product, "float32", [panel.last - panel.first, width - panel.first]);
  }
  return graph.build();
}

/** Adds the upper half of a panel's product, [last - first, width - first], to the packed sum. */
function addPanel(sum: Float32Array, start: number, panel: Panel, width: number, product: Float32Array): number {
  const columns = width - panel.first;
  let target = start;
  for (let row = 0; row < panel.last - panel.first; row += 1) {
    const end = (row + 1) * columns;
    for (let index = row * columns + row; index < end; index += 1) {
      sum[target] += product[index];
      target += 1;
    }
  }
  return target;
}

function createSum(width: number, sessionFor: (width: number) => Promise<Session>): GramSum {
  const sum = new Float32Array((width * (width + 1)) / 2);
  let tokens = 0;
  return {
    width,
    get tokens() {
      return tokens;
    },
    async add(states) {
      if (states.columns !== width || states.values.length !== states.rows * width) {
        throw new InternalError(`a Gram sum of width ${width} was given states of shape ${states.rows}×${states.columns}`, {
          width,
        });
      }
      if (states.rows === 0) return;
      const session = await sessionFor(width);
      const products = await session.run({ x: floatTensor(states.values, [states.rows, width]) });
      let target = 0;
      for (const panel of panelsOf(width)) target = addPanel(sum, target, panel, width, floatValues(products, panelName(panel)));
      tokens += states.rows;
    },
    packed: () => sum,
  };
}

/**
 * Gram matrices Σ x xᵀ on ONNX Runtime, computed in upper block panels: about half the work of the whole product.
 *
 * A segment's product is summed by the engine and then added once to the running float32 sum; over 256 segments that is
 * good to 1e-6 of the largest value.
 *
 * @param options threads of one product, ≥ 1
 */
export function createGramKernel({ threads }: { readonly threads: number }): GramKernel {
  const sessions = new Map<number, Promise<Session>>();
  const sessionFor = (width: number): Promise<Session> => {
    const session = sessions.get(width) ?? createSession(gramGraph(width), { threads });
    sessions.set(width, session);
    return session;
  };
  return {
    sum: (width) => createSum(width, sessionFor),
    async release() {
      const open = await Promise.all(sessions.values());
      sessions.clear();
      await Promise.all(open.map((session) => session.release()));
    },
  };
}
