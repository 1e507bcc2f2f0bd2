import { BadDataError, InternalError, InterruptedError, at, type Matrix } from "@mbs/contracts";
import { rowsAt } from "@mbs/models";
import type { Forward, TreeForward } from "@mbs/models";
import { findNonfinite } from "@mbs/numbers";
import type { ScoredBy } from "../run-windows.ts";
import type { EncodedText } from "./encode-texts.ts";
import type { TextPack } from "./text-packs.ts";

/** A group with its packs, and the states that predict, of the packs that have run. */
export interface PackedGroup {
  readonly texts: readonly EncodedText[];
  readonly packs: readonly TextPack[];
  readonly ended: Matrix[];
}

interface RunningPack {
  readonly group: PackedGroup;
  readonly pack: TextPack;
  states: Matrix;
}

/** Rows of the states of a pack. */
export const sizeOf = ({ run }: TextPack): number => ("tree" in run ? run.tree.tokens.length : run.tokens.length);

/** @throws {BadDataError} naming a text whose states are not finite */
function requireFinite(made: string, { group, pack, states }: RunningPack): void {
  const wrong = findNonfinite(states.values);
  if (wrong < 0) return;
  const row = Math.floor(wrong / states.columns);
  const text = pack.rows.findIndex((rows) => rows.includes(row));
  const { name } = at(group.texts, at(pack.texts, text));
  throw new BadDataError(
    `${made}: ${at(states.values, wrong)} in ${name}, channel ${wrong % states.columns}; a weight is broken or too large: take the model from its source again`,
    { made, text: name, channel: wrong % states.columns },
  );
}

function requireTrees({ tree }: Forward): TreeForward {
  if (tree === undefined) throw new InternalError("texts were packed into trees for a model that runs none");
  return tree;
}

/** Runs all blocks over some packs: blocks outside, packs inside, so that a block's weights are read once. */
export async function runPacks(
  forward: Forward,
  { model, label, activations }: ScoredBy,
  packs: readonly { readonly group: PackedGroup; readonly pack: TextPack }[],
  { signal, report }: { readonly signal: AbortSignal; readonly report: (share: number) => void },
): Promise<void> {
  const embed = ({ run }: TextPack): Promise<Matrix> =>
    "tree" in run ? requireTrees(forward).embed(run.tree) : forward.embed(run.tokens, run.batch);
  const advance = (block: number, { pack: { run }, states }: RunningPack): Promise<Matrix> =>
    "tree" in run
      ? requireTrees(forward).block(block, states, run.tree, { activations })
      : forward.block(block, states, { batch: run.batch, activations });
  const running: RunningPack[] = [];
  for (const { group, pack } of packs) {
    const begun = { group, pack, states: await embed(pack) };
    requireFinite(`${label}, embedding`, begun);
    running.push(begun);
  }
  for (const [block, { name }] of model.blocks.entries()) {
    for (const [index, one] of running.entries()) {
      if (signal.aborted) throw new InterruptedError("evaluate: stopped");
      one.states = await advance(block, one);
      requireFinite(`${label}, ${name}`, one);
      report((block * running.length + index + 1) / (model.blocks.length * running.length));
    }
  }
  for (const { group, pack, states } of running) group.ended.push(rowsAt(states, [...pack.predictions.keys()]));
}

/** The states that predict, of all packs of a group that have run, in their order. */
export function predictingStates({ ended }: PackedGroup): Matrix {
  const { columns } = at(ended, 0);
  const rows = ended.reduce((sum, states) => sum + states.rows, 0);
  const values = new Float32Array(rows * columns);
  let filled = 0;
  for (const states of ended) {
    values.set(states.values, filled);
    filled += states.values.length;
  }
  return { rows, columns, values };
}
