import { BadDataError, FailedPreconditionError, InterruptedError, at, type Matrix, type StageContext } from "@mbs/contracts";
import { rowsAt } from "@mbs/models";
import type { Forward } from "@mbs/models";
import type { ScoredBy } from "../run-windows.ts";
import type { EncodedText } from "./encode-texts.ts";
import { predictingStates, runPacks, sizeOf } from "./run-packs.ts";
import type { PackedGroup } from "./run-packs.ts";
import { packTexts } from "./text-packs.ts";
import type { PackedFor, TextPack } from "./text-packs.ts";

/** States that are kept between blocks, in bytes. Each block's weights are then read once for as many packs as that holds. */
const stateBytes = 256 * 1024 * 1024;

/** What a model says of a text. */
export interface TextScore {
  /** Σ ln p of the continuation's tokens, each given all before it. */
  readonly logLikelihood: number;
  /** Tokens of the continuation. */
  readonly tokens: number;
}

/** Tokens that a model computes for a group of texts, and those of all texts: context and continuation of each. */
export function countTokens(
  group: readonly EncodedText[],
  packedFor: PackedFor,
): { readonly computed: number; readonly all: number } {
  const computed = [...packTexts(group, packedFor)].reduce((sum, pack) => sum + sizeOf(pack), 0);
  return { computed, all: group.reduce((sum, { tokens }) => sum + tokens.length, 0) };
}

/** Losses of the tokens wanted of each row, one row's after the other's. */
function scoreRows(forward: Forward, states: Matrix, next: readonly (readonly number[])[]): Promise<Float64Array> {
  if (forward.tree !== undefined) return forward.tree.score(states, next);
  // each prediction as a segment of one token that was read, whatever it was, and one that follows
  const rows = next.flatMap((tokens, row) => tokens.map(() => row));
  const pairs = next.flatMap((tokens) => tokens.flatMap((token) => [0, token]));
  return forward.score(rowsAt(states, rows), Int32Array.from(pairs), rows.length);
}

/** The scores of a group whose packs have all run. */
async function scoresOf(forward: Forward, label: string, group: PackedGroup): Promise<readonly TextScore[]> {
  const { texts, packs } = group;
  const predictions = packs.flatMap((pack) => [...pack.predictions.values()]);
  const losses = await scoreRows(
    forward,
    predictingStates(group),
    predictions.map((own) => own.map(({ token }) => token)),
  );
  const sums = new Float64Array(texts.length);
  for (const [index, { texts: wanting }] of predictions.flat().entries()) {
    for (const text of wanting) sums[text] = at(sums, text) - at(losses, index);
  }
  return texts.map(({ name, predicted }, index) => {
    const logLikelihood = at(sums, index);
    if (!Number.isFinite(logLikelihood)) {
      throw new BadDataError(
        `${label}: the log-likelihood of ${name} is ${logLikelihood}; the weights of its head overflow or are broken: take the model from its source again`,
        { model: label, text: name },
      );
    }
    return { logLikelihood, tokens: predicted };
  });
}

/** @throws {FailedPreconditionError} where a model is no decoder */
export function requireDecoder({ model, label }: Pick<ScoredBy, "model" | "label">): void {
  if (model.stacks === "decoder") return;
  throw new FailedPreconditionError(`${model.path} is an ${model.stacks}; tasks are for decoders: leave out --tasks`, {
    model: label,
  });
}

/**
 * The log-likelihood of each text's continuation by a decoder. What texts of a group share at their beginning is computed once,
 * nothing is padded, and the head is computed where a token is predicted.
 *
 * The scores of a group have the same bits whatever other groups there are: packs and products hold texts of one group only. So
 * a shard of whole groups gives what all groups give at once. They depend on the texts of the group and their order only by
 * rounding, and on the threads and the kind of processor as all results do. Measured: at most 1e-4 nats a text from the text
 * run alone.
 *
 * Memory: the weights of a few blocks, the head, 256 MiB of states at most, and the predicting states of a group.
 *
 * @param groups texts of fixed groups, such as 128 documents of a task that follow each other; none is empty
 * @returns the scores of a group, in the order of its texts; groups in their order
 * @throws {FailedPreconditionError} where the model is no decoder
 * @throws {BadDataError} naming model, block and text where states, or else the log-likelihood, are not finite
 */
export async function* scoreTexts(
  scored: ScoredBy,
  groups: readonly (readonly EncodedText[])[],
  context: StageContext,
): AsyncGenerator<readonly TextScore[], void, undefined> {
  const { model, label } = scored;
  const { threads, device, signal } = context;
  requireDecoder(scored);
  const total = groups.reduce((sum, { length }) => sum + length, 0);
  const forward = await model.forward({ threads, device });
  try {
    let done = 0;
    let waiting: { group: PackedGroup; pack: TextPack }[] = [];
    let open: PackedGroup[] = [];
    const run = async (): Promise<void> => {
      const texts = waiting.reduce((sum, { pack }) => sum + pack.texts.length, 0);
      const report = (share: number): void =>
        context.progress({ activity: `evaluate ${label}`, done: done + Math.floor(share * texts), total, unit: "texts" });
      report(0);
      await runPacks(forward, scored, waiting, { signal, report });
      done += texts;
      waiting = [];
    };
    const finish = async function* (): AsyncGenerator<readonly TextScore[], void, undefined> {
      const ended = open.filter(({ packs, ended: states }) => states.length === packs.length);
      open = open.filter((group) => !ended.includes(group));
      for (const group of ended) {
        if (signal.aborted) throw new InterruptedError("evaluate: stopped");
        yield await scoresOf(forward, label, group);
      }
    };
    let bytes = 0;
    for (const texts of groups) {
      const group = { texts, packs: [...packTexts(texts, { hiddenSize: model.hiddenSize, trees: forward.tree })], ended: [] };
      open.push(group);
      for (const pack of group.packs) {
        const own = 4 * model.stateWidth * sizeOf(pack);
        if (waiting.length > 0 && bytes + own > stateBytes) {
          await run();
          yield* finish();
          bytes = 0;
        }
        waiting.push({ group, pack });
        bytes += own;
      }
    }
    if (waiting.length > 0) await run();
    yield* finish();
  } finally {
    await forward.close();
  }
}
