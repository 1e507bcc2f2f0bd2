import { columnOf } from "./columns.ts";
import type { HelperFile, RowsFunction } from "./helper-file.ts";

const keepWhere =
  (column: string, matches: (text: string) => boolean): RowsFunction =>
  (rows) =>
    rows.filter((row) => {
      const value = columnOf(row, column);
      return typeof value === "string" && matches(value);
    });

const process = /^process_(\w+)$/;
const nameOf = (category: string): string => category.toLowerCase().replaceAll(" & ", "_").replaceAll(" ", "_");

/** Names of the categories: include-base-44's column `domain`, and Global-MMLU-Lite's column `subject_category`. */
const domains = [
  "Applied Science",
  "Arts & Humanities",
  "Business & Commerce",
  "Driving License",
  "General knowledge",
  "Health oriented education",
  "Marine License",
  "Medical License",
  "Professional certification",
  "STEM",
  "Social Science",
];
const subjectCategories = ["Business", "Humanities", "Medical", "Other", "STEM", "Social Sciences"];

function oneOf(column: string, categories: readonly string[]): (name: string) => RowsFunction | undefined {
  return (name) => {
    const category = categories.find((one) => nameOf(one) === process.exec(name)?.[1]);
    return category === undefined ? undefined : keepWhere(column, (text) => text === category);
  };
}

/** Tasks that are a part of a dataset: rows of one value of a column. */
export const columnFilters: readonly HelperFile[] = [
  {
    path: /(?:^|\/)include\/\w+\/[^/]+\/utils$/,
    digest: "280dbae55143a4d1be55783551e7d508b01a0d840066e5d5f3b9b6ae40966477",
    rows: oneOf("domain", domains),
  },
  {
    path: /(?:^|\/)global_mmlu\/default\/\w+\/utils$/,
    digest: "9776c2ffc09ae0569d2cea41856f7a9c712a38362c8ea33ac61239005062df0f",
    rows: oneOf("subject_category", subjectCategories),
  },
  {
    path: /(?:^|\/)global_mmlu\/full\/\w+\/utils$/,
    digest: "b4012dd2b1a508885d23ee2ddb12bc26f3e622081ba41ec1ab766edc31a4982b",
    rows: (name, source) => {
      const subject = process.exec(name)?.[1];
      return subject === undefined || !source.includes(`"${subject}"`)
        ? undefined
        : keepWhere("subject", (text) => text === subject);
    },
  },
];
