import type { AnswerScore, ChoiceScore, TaskScore } from "@mbs/artifacts";
import { at, rangeOfShards, type Progress, type Shards, type StageContext } from "@mbs/contracts";
import { defaultLength } from "@mbs/models";
import type { ChoiceDocument, GenerationDocument, Task, TaskDocument } from "@mbs/tasks";
import type { ScoredBy } from "../run-windows.ts";
import { encodeTexts, type EncodedText, type NamedText } from "./encode-texts.ts";
import { generateTexts } from "./generate-texts.ts";
import type { OpenedTasks } from "./read-tasks.ts";
import { scoreTexts, type TextScore } from "./score-texts.ts";
import type { TaskChoice } from "./task-options.ts";

/** Documents of a task that are packed together: their scores have the same bits in every shard. */
const groupDocuments = 128;

/** Texts that are encoded and scored before the next ones are encoded. */
const textsAtATime = 1 << 15;

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
