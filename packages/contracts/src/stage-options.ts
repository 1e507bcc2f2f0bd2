import type { Option, OptionTable } from "./options.ts";
import type { Stage, StageOptions } from "./stage.ts";

/** All options that a stage takes for the ones given: its own and, for example, its solver's, whose code is loaded for it. */
export async function optionTable(stage: Stage, options: StageOptions): Promise<OptionTable> {
  return { ...stage.options, ...(await stage.moreOptions?.(options)) };
}

/**
 * The first option that names code which the program does not have. Who runs what others ask for refuses it, before further
 * options are looked for and again with them.
 */
export function thirdPartyCode(
  table: OptionTable,
  options: StageOptions,
): { readonly name: string; readonly option: Option & { readonly kind: "code" } } | undefined {
  for (const [name, option] of Object.entries(table)) {
    const value = options[name];
    if (option.kind !== "code" || value === undefined) continue;
    if (typeof value !== "string" || !option.builtIn.includes(value)) return { name, option };
  }
  return undefined;
}
