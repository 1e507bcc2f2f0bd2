import { createHash } from "node:crypto";
import type { AnswerScore, ChoiceScore, TaskScore } from "@mbs/artifacts";
import { at, rangeOfShards, type Progress, type Shards, type StageContext } from "@mbs/contracts";
import { readDatasetRows } from "@mbs/corpora";
import { defaultLength } from "@mbs/models";
import {
  openTasks,
  type ChoiceDocument,
  type GenerationDocument,
  type Task,
  type TaskDocument,
  type TaskGroup,
} from "@mbs/tasks";
import type { ScoredBy } from "../score-windows.ts";
import { encodeTexts, type EncodedText, type NamedText } from "./encode-texts.ts";
import { generateTexts } from "./generate-texts.ts";
import { scoreTexts, type TextScore } from "./score-texts.ts";
import type { ScoredGroup, ScoredTask } from "./scored-tasks.ts";
import type { TaskChoice } from "./task-options.ts";

/** Documents of a task that are packed together: their scores have the same bits in every shard. */
const groupDocuments = 128;

/** Texts that are encoded and scored before the next ones are encoded. */
const textsAtATime = 1 << 15;

/** A task with its rendered documents. */
export interface OpenedTask {
  readonly task: Task;
  readonly documents: readonly TaskDocument[];
}

export interface OpenedTasks {
  readonly tasks: readonly OpenedTask[];
  readonly groups: readonly TaskGroup[];
}

/** A document whose written answer has no more tokens than that. */
const limitAnswer = (document: TaskDocument, most = Infinity): TaskDocument =>
  document.kind === "choices" ? document : { ...document, maximumTokens: Math.min(document.maximumTokens, most) };

/**
 * Reads tasks and renders their documents.
 *
 * @throws {UsageError} on an unknown task
 * @throws {BadDataError} where a task or a row is broken, or a task has no document
 */
export async function readTasks(choice: TaskChoice, { warn, signal, progress }: StageContext): Promise<OpenedTasks> {
  const { tasks: names = [], taskPath: paths = [], taskRows: folder, fewShot, fewShotSeed, taskLimit, answerTokens } = choice;
  const { tasks, groups } = await openTasks(names, { paths, fewShotSeed, warn, ...(fewShot !== undefined && { fewShot }) });
  const opened: OpenedTask[] = [];
  for (const [done, task] of tasks.entries()) {
    signal.throwIfAborted();
    progress({ activity: "read tasks", done, total: tasks.length, unit: "tasks" });
    const rendered = await task.documents((dataset) => readDatasetRows(dataset, { folder, warn, signal, progress }), taskLimit);
    const documents = rendered.map((document) => limitAnswer(document, answerTokens));
    opened.push({ task, documents });
  }
  return { tasks: opened, groups };
}

/** SHA-256 of all that a model is asked, and what is right: of a list in JSON, which may be longer than a text can be. */
function documentsAddress(documents: readonly TaskDocument[]): string {
  const hash = createHash("sha256");
  for (const [index, document] of documents.entries()) hash.update(`${index === 0 ? "[" : ","}${JSON.stringify(document)}`);
  return hash.update("]").digest("hex");
}

/** What the scores' metadata say of tasks and groups. */
export function describeTasks({ tasks, groups }: OpenedTasks): {
  readonly tasks: Readonly<Record<string, ScoredTask>>;
  readonly groups: Readonly<Record<string, ScoredGroup>>;
} {
  const described = tasks.map(({ task, documents }): [string, ScoredTask] => {
    const { name, version, metrics, fewShot } = task;
    return [name, { version, metrics, fewShot, documents: documentsAddress(documents) }];
  });
  const named = groups.map(({ name, tasks: members, weightBySize }): [string, ScoredGroup] => [
    name,
    { tasks: members, weightBySize },
  ]);
  return { tasks: Object.fromEntries(described), groups: Object.fromEntries(named) };
}

/** Documents of one task that follow each other: what a shard has whole. */
interface DocumentGroup {
  readonly task: Task;
  readonly documents: readonly TaskDocument[];
}

function groupsOf({ tasks }: OpenedTasks): readonly DocumentGroup[] {
  return tasks.flatMap(({ task, documents }) =>
    Array.from({ length: Math.ceil(documents.length / groupDocuments) }, (_, index) => ({
      task,
      documents: documents.slice(index * groupDocuments, (index + 1) * groupDocuments),
    })),
  );
}

const nameOf = ({ name }: Task, { document }: TaskDocument): string => `document ${document} of ${name}`;

/** The choices of a document, then those without their context. */
function textsOf(task: Task, document: ChoiceDocument): readonly NamedText[] {
  const name = nameOf(task, document);
  const given = document.choices.map((choice, index) => ({ ...choice, name: `${name}, choice ${index}` }));
  const without = document.choices.flatMap(({ unconditional }, index) =>
    unconditional === undefined ? [] : [{ ...unconditional, name: `${name}, choice ${index} without context` }],
  );
  return [...given, ...without];
}

/** @param scores of `textsOf` the document */
function choiceScores(
  { choices, gold }: ChoiceDocument,
  texts: readonly EncodedText[],
  scores: readonly TextScore[],
): ChoiceScore[] {
  let next = choices.length;
  return choices.map(({ characters, bytes, unconditional }, choice) => {
    const { logLikelihood, tokens } = at(scores, choice);
    const { cut } = at(texts, choice);
    // a probability of one may come out as a little more
    const nll = Math.max(0, -logLikelihood);
    const score = { kind: "choice", choice, nll, tokens, bytes, characters, right: gold.includes(choice), cut } as const;
    return unconditional === undefined ? score : { ...score, unconditional: Math.max(0, -at(scores, next++).logLikelihood) };
  });
}

interface EncodedGroup extends DocumentGroup {
  readonly documents: readonly ChoiceDocument[];
  /** Of each document. */
  readonly texts: readonly (readonly EncodedText[])[];
}

const isChoice = (document: TaskDocument): document is ChoiceDocument => document.kind === "choices";

const isGeneration = (document: TaskDocument): document is GenerationDocument => document.kind === "generation";

const documentsOf = (groups: readonly DocumentGroup[]): number =>
  groups.reduce((sum, { documents }) => sum + documents.length, 0);

/** Tokens that written answers may have. */
const tokensOf = (documents: readonly GenerationDocument[]): number =>
  documents.reduce((sum, { maximumTokens }) => sum + maximumTokens, 0);

/** The scores of one model, in the order of the groups. */
class TaskScorer {
  readonly #scored: ScoredBy;
  readonly #longTexts: "cut" | "refuse";
  readonly #context: StageContext;

  constructor(scored: ScoredBy, longTexts: "cut" | "refuse", context: StageContext) {
    this.#scored = scored;
    this.#longTexts = longTexts;
    this.#context = context;
  }

  /** Whose progress is that of all groups, though groups are scored in parts. */
  #reporting(activity: string, unit: string, before: number, share: number, total: number): StageContext {
    const progress = (part: Progress): void => {
      const done = before + Math.floor((share * part.done) / Math.max(1, part.total ?? 0));
      this.#context.progress({ activity, unit, done, total });
    };
    return { ...this.#context, progress };
  }

  *#rows(task: Task, document: TaskDocument, scores: readonly (ChoiceScore | AnswerScore)[]): Generator<TaskScore> {
    const { label, model } = this.#scored;
    const { name, language = "" } = task;
    for (const score of scores) {
      yield { model: label, address: model.address, language, task: name, document: document.document, score };
    }
  }

  async #reading() {
    const { model } = this.#scored;
    // as lm-evaluation-harness takes it where a model names none
    const contextLength = model.contextLength ?? defaultLength(undefined);
    return { tokenizer: await model.tokenizer(), contextLength, longTexts: this.#longTexts };
  }

  async *#choices(groups: readonly EncodedGroup[], before: number, total: number): AsyncGenerator<TaskScore> {
    let index = 0;
    for await (const scores of scoreTexts(
      this.#scored,
      groups.map(({ texts }) => texts.flat()),
      this.#reporting(`evaluate ${this.#scored.label} on tasks`, "documents", before, documentsOf(groups), total),
    )) {
      const { task, documents, texts } = at(groups, index++);
      let first = 0;
      for (const [position, document] of documents.entries()) {
        const own = at(texts, position);
        yield* this.#rows(task, document, choiceScores(document, own, scores.slice(first, first + own.length)));
        first += own.length;
      }
    }
  }

  async *#answers({ task, documents }: DocumentGroup, before: number, total: number): AsyncGenerator<TaskScore> {
    const asked = documents.filter(isGeneration);
    // an answer may end early, so tokens are counted: with long ones no document may be done for minutes
    const activity = `write answers of ${this.#scored.label}`;
    const reporting = this.#reporting(activity, "tokens at most", before, tokensOf(asked), total);
    const prompts = asked.map((document) => {
      const { context, until, maximumTokens } = document;
      return { name: nameOf(task, document), context, until, maximumTokens };
    });
    let index = 0;
    for await (const { text, cut } of generateTexts(this.#scored, prompts, await this.#reading(), reporting)) {
      const document = at(asked, index++);
      const score = { kind: "answer", answer: text, right: task.judge(document, text) === 1, cut } as const;
      yield* this.#rows(task, document, [score]);
    }
  }

  async *score(groups: readonly DocumentGroup[]): AsyncGenerator<TaskScore> {
    const reading = await this.#reading();
    let waiting: EncodedGroup[] = [];
    let texts = 0;
    const all = groups.flatMap(({ documents }) => documents);
    const [toChoose, toWrite] = [all.filter(isChoice).length, tokensOf(all.filter(isGeneration))];
    let [chosen, written] = [0, 0];
    const choose = async function* (this: TaskScorer): AsyncGenerator<TaskScore> {
      // opening a model for no text takes time as well
      if (waiting.length > 0) yield* this.#choices(waiting, chosen, toChoose);
      chosen += documentsOf(waiting);
      [waiting, texts] = [[], 0];
    }.bind(this);
    for (const group of groups) {
      const documents = group.documents.filter(isChoice);
      // a task has documents of one kind
      if (documents.length < group.documents.length) {
        yield* choose();
        yield* this.#answers(group, written, toWrite);
        written += tokensOf(group.documents.filter(isGeneration));
        continue;
      }
      const encoded = documents.map((document) => encodeTexts(textsOf(group.task, document), reading.tokenizer, reading));
      waiting.push({ ...group, documents, texts: encoded });
      texts += encoded.reduce((sum, own) => sum + own.length, 0);
      if (texts >= textsAtATime) yield* choose();
    }
    yield* choose();
  }
}

/**
 * The scores of every model on every task: by model, then by task and document.
 *
 * Groups of 128 documents of a task are packed together, so that shards, which have whole groups, give the bits of one
 * evaluation.
 *
 * @param shards some of the groups; all where undefined
 * @throws as `encodeTexts`, `scoreTexts` and `generateTexts`
 */
export async function* scoreTasks(
  models: readonly ScoredBy[],
  opened: OpenedTasks,
  { longPrompts, shards }: { readonly longPrompts: TaskChoice["longPrompts"]; readonly shards: Shards | undefined },
  context: StageContext,
): AsyncGenerator<TaskScore> {
  const all = groupsOf(opened);
  const { start, end } = rangeOfShards(shards ?? { first: 0, count: 1, of: 1 }, all.length);
  const groups = all.slice(start, end);
  for (const scored of models) yield* new TaskScorer(scored, longPrompts, context).score(groups);
}
