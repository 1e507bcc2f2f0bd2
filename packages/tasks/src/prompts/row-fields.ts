import { BadDataError, MbsError } from "@mbs/contracts";
import type { Field } from "../configuration/task-settings.ts";
import { parseLiteral } from "../python/literal.ts";
import { repr } from "../python/print.ts";
import type { PythonValue, Row } from "../python/values.ts";

/** What is being rendered, for errors. */
export interface Place {
  readonly task: string;
  /** `row 12`, or `example row 3` */
  readonly row: string;
}

/** Of a message: a row may have a thousand choices. */
const mostShown = 500;

/**
 * Does one step with a row.
 *
 * @throws {BadDataError} naming task, row and setting, where it fails
 */
export function inPlace<Result>({ task, row }: Place, setting: string, step: () => Result): Result {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof MbsError)) throw error;
    const remedy = /; /.test(error.message) ? "" : "; correct the row, or the task";
    const { length } = error.message;
    const problem = length <= mostShown ? error.message : `${error.message.slice(0, mostShown)}… (${length} characters)`;
    throw new BadDataError(`task ${task}, ${row}, ${setting}: ${problem}${remedy}`, { task, row, setting }, { cause: error });
  }
}

/** How the settings of a task are applied to its rows; `columns` are those of the evaluated split. */
export class RowFields {
  readonly columns: ReadonlySet<string>;
  /** Whether the task names choices: then a text of digits is the number of one. */
  readonly #hasChoices: boolean;

  constructor(columns: ReadonlySet<string>, hasChoices: boolean) {
    this.columns = columns;
    this.#hasChoices = hasChoices;
  }

  /** A column by its name, or a rendered template. */
  #textOrColumn(field: Extract<Field, { kind: "template" }>, row: Row): { column: PythonValue } | { text: string } {
    const { template } = field;
    if (!this.columns.has(template.source)) return { text: template.render(row) };
    const column = row.get(template.source);
    if (column === undefined)
      throw new BadDataError(`there is no column ${template.source}; the columns are ${[...row.keys()].join(", ")}`);
    return { column };
  }

  /** `doc_to_text`: mostly a text; a number where the choices are contexts, and it says which one is right. */
  text(field: Field, row: Row): PythonValue {
    if (field.kind === "fixed") return field.value;
    if (field.kind === "helper") return field.call(row);
    const found = this.#textOrColumn(field, row);
    return "column" in found ? found.column : this.#numberOrText(found.text);
  }

  /** `doc_to_target`: a text, the number of a choice, or a list. */
  target(field: Field, row: Row): PythonValue {
    if (field.kind === "fixed") return field.value;
    if (field.kind === "helper") return field.call(row);
    const found = this.#textOrColumn(field, row);
    if ("column" in found) return found.column;
    const { text } = found;
    const value = this.#numberOrText(text);
    if (typeof value === "number" || text.length < 2 || !text.startsWith("[") || !text.endsWith("]")) return value;
    try {
      return parseLiteral(text);
    } catch (error) {
      if (error instanceof BadDataError) return text;
      throw error;
    }
  }

  #numberOrText(text: string): PythonValue {
    return this.#hasChoices && /^[\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089]+$/u.test(text)
      ? parseLiteral(text)
      : text;
  }

  /** `doc_to_choice`. @throws {BadDataError} where it is no list of texts */
  choices(field: Field, row: Row): string[] {
    const value = this.#choiceValue(field, row);
    if (!Array.isArray(value) || !value.every((choice) => typeof choice === "string")) {
      throw new BadDataError(`the choices are ${repr(value)}, and have to be a list of texts`);
    }
    return value;
  }

  #choiceValue(field: Field, row: Row): PythonValue {
    if (field.kind === "fixed") return field.value;
    if (field.kind === "helper") return field.call(row);
    const found = this.#textOrColumn(field, row);
    return "column" in found ? found.column : parseLiteral(found.text);
  }

  /** A text around the question: `description`, `gen_prefix`. A column counts where the row has it. */
  wrapping(field: Field | undefined, row: Row): string {
    if (field === undefined) return "";
    if (field.kind !== "template") throw new BadDataError("it has to be a text");
    const column = row.get(field.template.source);
    if (column === undefined || field.template.source === "") return field.template.render(row);
    if (typeof column !== "string")
      throw new BadDataError(`the column ${field.template.source} is ${repr(column)}, and has to be a text`);
    return column;
  }
}
