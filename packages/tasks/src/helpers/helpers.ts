import { createHash } from "node:crypto";
import { join } from "node:path";
import { FailedPreconditionError } from "@mbs/contracts";
import type { FunctionReference } from "../yaml/function-reference.ts";
import { readText } from "../yaml/merged-settings.ts";
import { columnFilters } from "./column-filters.ts";
import { copaHelpers } from "./copa.ts";
import type { HelperFile, RowFunction, RowsFunction } from "./helper-file.ts";
import { hellaswagHelpers } from "./hellaswag.ts";
import { pawsHelpers } from "./paws.ts";
import { winogradHelpers } from "./winograd.ts";

const helperFiles: readonly HelperFile[] = [...columnFilters, ...copaHelpers, hellaswagHelpers, pawsHelpers, ...winogradHelpers];

/** Looks up the functions that tasks name. Python is never run. */
export interface Helpers {
  rowsFunction(reference: FunctionReference, task: string): Promise<RowsFunction>;
  rowFunction(reference: FunctionReference, task: string): Promise<RowFunction>;
}

export function createHelpers(warnOnce: (key: string, message: string) => void): Helpers {
  const files = new Map<string, Promise<{ text: string; digest: string }>>();
  const open = (reference: FunctionReference): Promise<{ text: string; digest: string }> => {
    const path = pathOf(reference);
    const known = files.get(path);
    if (known !== undefined) return known;
    const opened = readText(path).then((text) => ({ text, digest: createHash("sha256").update(text).digest("hex") }));
    files.set(path, opened);
    return opened;
  };
  async function find<Kind>(
    reference: FunctionReference,
    task: string,
    take: (file: HelperFile, source: string) => Kind | undefined,
  ): Promise<Kind> {
    const stem = pathOf(reference).replaceAll("\\", "/").replace(/\.py$/, "");
    const file = helperFiles.find(({ path }) => path.test(stem));
    if (file === undefined) throw unknownFunction(reference, task);
    const { text, digest } = await open(reference);
    const found = take(file, text);
    if (found === undefined) throw unknownFunction(reference, task);
    if (digest !== file.digest) {
      warnOnce(
        `helper ${pathOf(reference)}`,
        `${pathOf(reference)} is not the file of lm-evaluation-harness 0.4.13, which our functions follow; prompts may differ`,
      );
    }
    return found;
  }
  return {
    rowsFunction: (reference, task) => find(reference, task, (file, source) => file.rows?.(reference.name, source)),
    rowFunction: (reference, task) => find(reference, task, (file, source) => file.row?.(reference.name, source)),
  };
}

const pathOf = (reference: FunctionReference): string => join(reference.folder, `${reference.module.replaceAll(".", "/")}.py`);

const unknownFunction = (reference: FunctionReference, task: string): FailedPreconditionError =>
  new FailedPreconditionError(
    `the task ${task} calls ${reference.toString()} of ${reference.folder}, and Python is not run here; write it as a template, or leave the task out`,
    { task, function: reference.toString() },
  );
