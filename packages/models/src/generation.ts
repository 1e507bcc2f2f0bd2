import type { Model } from "./model.ts";
import { InternalError } from "@mbs/contracts";

/**
 * Greedy continuation of a text.
 *
 * @param tokens how many to add
 * @returns the continuation alone
 */
export async function generate(model: Model, text: string, tokens: number, options: { threads: number }): Promise<string> {
  throw new InternalError(`generate is not written yet`, { model: model.folder, text, tokens, threads: options.threads });
}
