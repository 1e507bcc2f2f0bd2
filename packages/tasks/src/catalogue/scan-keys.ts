import { dirname } from "node:path";
import { parseYaml, type YamlValue } from "../yaml/read-yaml.ts";

const catalogueKeys = ["task", "group", "tag", "include", "class"] as const;

/** The settings that tell what a task file defines. */
export type CatalogueKey = (typeof catalogueKeys)[number];

/** The beginning of a file that is one flow mapping: `{task: t, …}`. */
const flowMapping = /^(?:\s|[#%][^\n]*\n|---(?=\s))*\{/;
const keyLine = /^(["']?)(task|group|tag|include|class)\1[ \t]*:(.*(?:\n(?![A-Za-z_"'][^:\n]*:).*)*)/gm;
const plainName = /^[ \t]*(["']?)([A-Za-z][\w./-]*)\1[ \t\r]*(?:#.*)?\n*$/;
const words = /^(?:null|true|false|yes|no|on|off)$/i;

/**
 * The settings of a task file that the catalogue needs, by the lines that they stand on: reading 14,000 files as YAML would
 * take a minute. A file that has none of them at the beginning of a line is read as YAML.
 */
export function scanKeys(text: string, path: string): Map<CatalogueKey, YamlValue> {
  const found = new Map<CatalogueKey, YamlValue>();
  const source = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  if (flowMapping.test(source)) return parseKeys(source, path);
  for (const { 2: key = "", 3: rest = "" } of source.matchAll(keyLine)) {
    const name = plainName.exec(rest)?.[2];
    found.set(key as CatalogueKey, name === undefined || words.test(name) ? parseValue(rest, path) : name);
  }
  return found.size > 0 ? found : parseKeys(source, path);
}

function parseKeys(text: string, path: string): Map<CatalogueKey, YamlValue> {
  const parsed = parseYaml(text, path, dirname(path));
  const settings = parsed instanceof Map ? parsed : new Map<YamlValue, YamlValue>();
  return new Map(catalogueKeys.flatMap((key) => (settings.has(key) ? [[key, settings.get(key) ?? null]] : [])));
}

function parseValue(text: string, path: string): YamlValue {
  const parsed = parseYaml(`value:${text}`, path, dirname(path));
  return parsed instanceof Map ? (parsed.get("value") ?? null) : null;
}
