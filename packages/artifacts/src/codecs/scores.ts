import { FailedPreconditionError, type ArtifactStream } from "@mbs/contracts";
import { parseMetadata } from "../kinds/metadata.ts";
import type { ScoresMetadata } from "../kinds/metadata.ts";
import type { Score, TaskScore } from "../kinds/records.ts";
import { encodeRows, readRows, type Items, type Row } from "../rows/rows.ts";
import { checkedRows } from "./checks/checked-rows.ts";

type ScoreRow = Row<"scores">;

/** The choice of a row that has an answer in text. */
const noChoice = -1;

/** What only rows of tasks have, as rows of windows have it. */
const noTask = { task: "", choice: 0, characters: 0, right: 0, unconditional: 0, cut: 0, answer: "" } as const;

/** No distance is an empty list. */
const rowOfWindow = ({ distance: { kl, agreed } = { kl: new Float32Array(), agreed: 0 }, ...score }: Score): ScoreRow => ({
  ...score,
  kl,
  agreed,
  ...noTask,
});

function rowOfTask({ model, address, language, task, document, score }: TaskScore): ScoreRow {
  const { cut } = score;
  const right = Number(score.right);
  const row = { model, address, language, source: "", window: document, kl: new Float32Array(), agreed: 0, task, cut };
  if (score.kind === "answer") {
    const { answer } = score;
    return { ...row, nll: 0, tokens: 0, bytes: 0, choice: noChoice, characters: 0, right, unconditional: NaN, answer };
  }
  const { nll, tokens, bytes, choice, characters, unconditional = NaN } = score;
  return { ...row, nll, tokens, bytes, choice, characters, right, unconditional, answer: "" };
}

async function* rowsOf(scores: Items<Score | TaskScore>): AsyncGenerator<ScoreRow> {
  for await (const score of scores) yield "task" in score ? rowOfTask(score) : rowOfWindow(score);
}

function windowOf(row: ScoreRow): Score {
  const { model, address, language, source, window, nll, tokens, bytes, kl, agreed } = row;
  const score = { model, address, language, source, window, nll, tokens, bytes };
  return kl.length === 0 ? score : { ...score, distance: { kl, agreed } };
}

function taskScoreOf({ model, address, language, task, window: document, ...row }: ScoreRow): TaskScore {
  const common = { model, address, language, task, document };
  const right = row.right === 1;
  const { cut } = row;
  if (row.choice === noChoice) return { ...common, score: { kind: "answer", answer: row.answer, right, cut } };
  const { nll, tokens, bytes, choice, characters, unconditional } = row;
  const known = Number.isNaN(unconditional) ? {} : { unconditional };
  return { ...common, score: { kind: "choice", choice, nll, tokens, bytes, characters, right, cut, ...known } };
}

function fault({ task, tokens, kl, agreed, right, choice }: ScoreRow): string | undefined {
  // only an answer in text has no tokens whose loss was measured
  if (tokens < 1 && choice !== noChoice) return `tokens is ${tokens}, not a finite number of at least 1`;
  if (choice === noChoice && task === "") return `choice is ${choice}, and there is no task`;
  if (right !== 0 && right !== 1) return `right is ${right}, neither 0 nor 1`;
  if (kl.length !== 0 && kl.length !== tokens) return `kl has ${kl.length} values for ${tokens} tokens`;
  if (agreed > kl.length) return `agreed is ${agreed} of ${kl.length} tokens`;
  const wrong = kl.find((value) => !(value >= 0 && Number.isFinite(value)));
  return wrong === undefined ? undefined : `kl has ${wrong}, not a finite number of at least 0`;
}

/** Scores of windows and of tasks → artifact: a row for each window, each choice of a document, and each answer in text. */
export const encodeScores = (items: Items<Score | TaskScore>, metadata: ScoresMetadata): ArtifactStream =>
  encodeRows("scores", metadata, rowsOf(items));

/** Which scores are wanted. */
export interface ReadScoresOptions {
  /** Those of some of the windows and documents alone too. */
  readonly shards?: boolean;
}

function checkedScores(stream: ArtifactStream, { shards: wanted = false }: ReadScoresOptions): AsyncIterable<ScoreRow> {
  const { shards } = parseMetadata("scores", stream.schema);
  if (shards !== undefined && !wanted) {
    throw new FailedPreconditionError(
      `these scores are of shard ${shards.first + 1} of ${shards.of}; join all shards first (mbs join-scores)`,
      { ...shards },
    );
  }
  return checkedRows(readRows("scores", stream), {
    least: { window: 0, nll: 0, bytes: 0, agreed: 0, choice: noChoice, characters: 0, cut: 0 },
    fault,
    name: ({ model, language, window, task }) =>
      task === "" ? `scores: window ${window} of ${language} by ${model}` : `scores: document ${window} of ${task} by ${model}`,
    remedy: "evaluate again",
  });
}

async function* windowsOf(rows: AsyncIterable<ScoreRow>): AsyncGenerator<Score> {
  for await (const row of rows) if (row.task === "") yield windowOf(row);
}

/**
 * The windows of an artifact of scores, in order. A window may have no bytes: its target is the end token alone.
 *
 * @throws {FailedPreconditionError} on scores of some of the windows, unless they are wanted
 * @throws {BadDataError} on an invalid window, loss, distance, or number of tokens or bytes
 */
export const readScores = (stream: ArtifactStream, options: ReadScoresOptions = {}): AsyncIterable<Score> =>
  windowsOf(checkedScores(stream, options));

/** All that an artifact of scores holds. */
export interface AllScores {
  readonly windows: readonly Score[];
  readonly tasks: readonly TaskScore[];
}

/**
 * Windows and tasks of an artifact of scores, each in order.
 *
 * @throws as `readScores`
 */
export async function collectScores(stream: ArtifactStream, options: ReadScoresOptions = {}): Promise<AllScores> {
  const windows: Score[] = [];
  const tasks: TaskScore[] = [];
  for await (const row of checkedScores(stream, options)) {
    if (row.task === "") windows.push(windowOf(row));
    else tasks.push(taskScoreOf(row));
  }
  return { windows, tasks };
}
