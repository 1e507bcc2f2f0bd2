import { BadDataError } from "@mbs/contracts";
import { repr } from "../python/print.ts";
import { endsWithSpace, startsWithSpace } from "../python/text.ts";
import { isInteger, type PythonValue } from "../python/values.ts";

/** Joins two texts by a space, unless one is empty or there is white space between them. */
export function joinBySpace(first: string, second: string): string {
  if (first === "" || second === "") return first + second;
  return endsWithSpace(first) || startsWithSpace(second) ? first + second : `${first} ${second}`;
}

/** A question, up to where its answer begins. */
export interface Question {
  readonly text: PythonValue;
  /** What an answer begins with, as part of the prompt; "" where nothing. */
  readonly prefix: string;
  readonly targetDelimiter: string;
}

function questionText({ text }: Question): string {
  if (typeof text !== "string") throw new BadDataError(`the text is ${repr(text)}, and has to be a text`);
  return text;
}

/** The question that is asked. The delimiter before the answer belongs to the answer. */
export function askedQuestion(question: Question): string {
  const text = questionText(question);
  const { prefix, targetDelimiter } = question;
  return prefix === "" ? text : text + delimiterBefore(prefix, text, targetDelimiter) + prefix;
}

function delimiterBefore(prefix: string, text: string, delimiter: string): string {
  return text === "" || endsWithSpace(text) || startsWithSpace(prefix) ? "" : delimiter;
}

/** A question with its answer, as an example. `choices` where a number names one of them. */
export function answeredQuestion(
  question: Question,
  answer: PythonValue,
  choices: readonly string[] | undefined,
  delimiter: string,
): string {
  // No answer, and none to show: the example is the question alone.
  if (answer === null || answer === "") return askedQuestion(question);
  const text = questionText(question);
  const { prefix, targetDelimiter } = question;
  const before = prefix === "" ? targetDelimiter : delimiterBefore(prefix, text, targetDelimiter);
  return text + before + joinBySpace(prefix, answerText(answer, choices)) + delimiter;
}

function answerText(answer: PythonValue, choices: readonly string[] | undefined): string {
  const text =
    choices !== undefined && choices.length > 0 && isInteger(answer)
      ? choices.at(Number(answer))
      : Array.isArray(answer)
        ? answer[0]
        : answer;
  if (typeof text !== "string")
    throw new BadDataError(`the answer of an example is ${repr(answer)}, and has to be a text or the number of a choice`);
  return text;
}
