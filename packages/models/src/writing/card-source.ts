import { trimmingKey } from "../config/trimming-record.ts";
import { cardFile } from "../folder/model-record.ts";
import type { Model } from "../folder/model.ts";

/** What is known of a model's origin, for the card of what is made from it. */
export interface CardSource {
  /** Its name on the Hub: "org/name". */
  readonly baseModel?: string;
  readonly license?: string;
  readonly licenseName?: string;
  readonly licenseLink?: string;
}

/** A model's name on the Hub: "org/name". */
export const hubName = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;
/** models--org--name/snapshots/commit, as a Hub cache has it. */
const snapshotPath = /models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\][^/\\]+[/\\]?$/;

/** A plain value of the YAML at the head of a card; what is not one line is left alone. */
function frontMatter(card: string, key: string): string | undefined {
  const head = /^---\r?\n([\s\S]*?)\r?\n---/.exec(card)?.[1] ?? "";
  const value = new RegExp(`^${key}:[ \\t]*(\\S.*?)[ \\t]*$`, "m").exec(head)?.[1];
  return value?.replace(/^(["'])(.*)\1$/, "$2");
}

/** What a model says of itself: its card's license, and its name by the cache's path, the card of `mbs trim`, or config.json. */
export async function readCardSource({ path: opened, files }: Pick<Model, "path" | "files">): Promise<CardSource> {
  const names = await files.list();
  const readText = async (name: string): Promise<string> => (names.includes(name) ? files.text(name) : "");
  const card = await readText(cardFile);
  const config = JSON.parse((await readText("config.json")) || "{}") as Record<string, unknown>;
  const [, organisation, name] = snapshotPath.exec(opened) ?? [];
  const path = config["_name_or_path"];
  // a card that mbs trim wrote says what the model was; the base_model of others is what theirs was tuned from
  const trimmed = Object.hasOwn(config, trimmingKey) ? frontMatter(card, "base_model") : undefined;
  const stated = trimmed ?? (typeof path === "string" && hubName.test(path) ? path : undefined);
  const baseModel = organisation === undefined ? stated : `${organisation}/${name}`;
  const [license, licenseName, licenseLink] = ["license", "license_name", "license_link"].map((key) => frontMatter(card, key));
  return {
    ...(baseModel !== undefined && { baseModel }),
    ...(license !== undefined && { license }),
    ...(licenseName !== undefined && { licenseName }),
    ...(licenseLink !== undefined && { licenseLink }),
  };
}
