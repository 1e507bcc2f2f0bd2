import { BadDataError } from "@mbs/contracts";
import type { FewShotSettings, TaskSettings } from "../configuration/task-settings.ts";
import type { Sampler } from "../few-shot/sampler.ts";
import { print, repr } from "../python/print.ts";
import { lengthOf } from "../python/text.ts";
import { isInteger, type PythonValue, type Row, Float } from "../python/values.ts";
import type { Choice, ChoiceDocument, GenerationDocument, ScoredText } from "../task.ts";
import type { GenerationLimits } from "../answers/generation-limits.ts";
import { inPlace, type Place, type RowFields } from "./row-fields.ts";
import { answeredQuestion, askedQuestion } from "./turns.ts";

/**
 * Numbers of the right choices.
 *
 * @throws {BadDataError} with the value, where it names no choice: such a row would count as wrong whatever a model says
 */
function goldChoices(target: PythonValue, choices: readonly string[]): number[] {
  const targets = Array.isArray(target) ? target : [target];
  if (targets.length === 0) throw new BadDataError("the target is empty, and has to name a choice");
  return targets.map((value) => {
    const index = indexOf(value, choices);
    if (index === undefined || index < 0 || index >= choices.length) {
      throw new BadDataError(
        `the target is ${repr(value)}, and has to be one of the choices ${repr([...choices])} or its number`,
      );
    }
    return index;
  });
}

function indexOf(value: PythonValue, choices: readonly string[]): number | undefined {
  if (typeof value === "string") return choices.indexOf(value);
  if (isInteger(value)) return Number(value);
  return value instanceof Float && Number.isInteger(value.value) ? value.value : undefined;
}

export interface PromptOptions {
  readonly fewShot: number;
  /** Whether the unconditional log-likelihoods of choices are wanted. */
  readonly withUnconditional: boolean;
  /** Whether the evaluated document may be among the examples. */
  readonly excludesDocument: boolean;
  readonly limits: GenerationLimits;
}

/** Renders the documents of a task, in order: the examples of each are drawn by one generator. */
export class PromptWriter {
  readonly #settings: TaskSettings;
  readonly #fields: RowFields;
  readonly #sampler: Sampler;
  readonly #options: PromptOptions;
  /** Whether choices are contexts, and the target follows each: decided by the first row. */
  readonly #hasChoiceContexts: boolean;
  readonly #hasTargetLists: boolean;

  constructor(settings: TaskSettings, fields: RowFields, sampler: Sampler, options: PromptOptions, first: Row) {
    this.#settings = settings;
    this.#fields = fields;
    this.#sampler = sampler;
    this.#options = options;
    const place = { task: settings.name, row: "row 0" };
    this.#hasChoiceContexts =
      settings.choices !== undefined && isInteger(inPlace(place, "doc_to_text", () => fields.text(settings.text, first)));
    this.#hasTargetLists = Array.isArray(inPlace(place, "doc_to_target", () => fields.target(settings.target, first)));
  }

  write(row: Row, document: number): ChoiceDocument | GenerationDocument {
    const place = { task: this.#settings.name, row: `row ${document}` };
    const before = this.#before(row, place);
    return this.#settings.outputType === "multiple_choice"
      ? { kind: "choices", document, ...this.#choices(row, place, before) }
      : {
          kind: "generation",
          document,
          context: this.#context(row, place, before),
          ...this.#options.limits,
          targets: this.#targets(row, place),
        };
  }

  /** Description and examples. */
  #before(row: Row, place: Place): string {
    const { fewShot, name, description } = this.#settings;
    let text = inPlace(place, "description", () => this.#fields.wrapping(description, row));
    const examples = inPlace(place, "examples", () =>
      this.#sampler(this.#options.fewShot, this.#options.excludesDocument ? row : undefined),
    );
    for (const example of examples) text += this.#example(example, fewShot, { task: name, row: `an example of ${place.row}` });
    return text;
  }

  #example(row: Row, settings: FewShotSettings, place: Place): string {
    const fields = this.#fields;
    const text = inPlace(place, "doc_to_text", () => fields.text(settings.text, row));
    const { choices: field } = settings;
    const choices = field === undefined ? undefined : inPlace(place, "doc_to_choice", () => fields.choices(field, row));
    const target = inPlace(place, "doc_to_target", () => fields.target(settings.target, row));
    const prefix = inPlace(place, "gen_prefix", () => fields.wrapping(settings.prefix, row));
    const { targetDelimiter, delimiter } = settings;
    return inPlace(place, "doc_to_target", () => {
      if (!this.#hasChoiceContexts) return answeredQuestion({ text, prefix, targetDelimiter }, target, choices, delimiter);
      const context = isInteger(text) ? choices?.at(Number(text)) : undefined;
      if (context === undefined) throw new BadDataError(`doc_to_text is ${repr(text)}, and has to be the number of a choice`);
      return answeredQuestion({ text: context, prefix, targetDelimiter }, target, undefined, delimiter);
    });
  }

  #text(row: Row, place: Place): PythonValue {
    return inPlace(place, "doc_to_text", () => this.#fields.text(this.#settings.text, row));
  }

  #target(row: Row, place: Place): PythonValue {
    return inPlace(place, "doc_to_target", () => this.#fields.target(this.#settings.target, row));
  }

  #context(row: Row, place: Place, before: string): string {
    const prefix = this.#prefix(row, place);
    return inPlace(
      place,
      "doc_to_text",
      () => before + askedQuestion({ text: this.#text(row, place), prefix, targetDelimiter: this.#settings.targetDelimiter }),
    );
  }

  #prefix(row: Row, place: Place): string {
    return inPlace(place, "gen_prefix", () => this.#fields.wrapping(this.#settings.prefix, row));
  }

  #choiceTexts(row: Row, place: Place): string[] {
    const { choices } = this.#settings;
    if (choices === undefined) throw new BadDataError(`task ${place.task} has no doc_to_choice; add it`, { task: place.task });
    return inPlace(place, "doc_to_choice", () => this.#fields.choices(choices, row));
  }

  #choices(row: Row, place: Place, before: string): Pick<ChoiceDocument, "choices" | "gold"> {
    const texts = this.#choiceTexts(row, place);
    if (texts.length < 2)
      inPlace(place, "doc_to_choice", () => {
        throw new BadDataError(`the choices are ${repr(texts)}, and there have to be two or more`);
      });
    const text = this.#text(row, place);
    const target = this.#target(row, place);
    const { targetDelimiter } = this.#settings;
    const scored = (): ScoredText[] => {
      if (!this.#hasChoiceContexts) {
        const context = this.#context(row, place, before);
        return texts.map((choice) => ({ context, continuation: targetDelimiter + choice }));
      }
      const prefix = this.#prefix(row, place);
      return texts.map((choice) => ({
        context: before + askedQuestion({ text: choice, prefix, targetDelimiter: "" }),
        continuation: targetDelimiter + print(target),
      }));
    };
    const gold = inPlace(place, this.#hasChoiceContexts ? "doc_to_text" : "doc_to_target", () =>
      goldChoices(this.#hasChoiceContexts ? text : target, texts),
    );
    const choices = scored().map((item, index) => this.#measured(item, texts[index] ?? ""));
    return { choices, gold };
  }

  #measured(item: ScoredText, choice: string): Choice {
    const lengths = { characters: lengthOf(choice), bytes: Buffer.byteLength(choice) };
    if (!this.#options.withUnconditional) return { ...item, ...lengths };
    return { ...item, ...lengths, unconditional: { context: "", continuation: this.#settings.targetDelimiter + choice } };
  }

  #targets(row: Row, place: Place): string[] {
    const target = this.#target(row, place);
    return inPlace(place, "doc_to_target", () => {
      if (target === null) throw new BadDataError("the target is None, and has to be a text");
      if (this.#settings.choices !== undefined)
        return goldChoices(target, this.#choiceTexts(row, place)).map((index) => this.#choiceTexts(row, place)[index] ?? "");
      return this.#hasTargetLists && Array.isArray(target) ? target.map(print) : [print(target)];
    });
  }
}
