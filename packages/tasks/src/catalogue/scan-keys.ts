import { dirname } from "node:path";
import { parseYaml, type YamlValue } from "../yaml/read-yaml.ts";

/** The settings that tell what a task file defines. */
export type CatalogueKey = "task" | "group" | "tag" | "include" | "class";

const keyLine = /^(["']?)(task|group|tag|include|class)\1[ \t]*:(.*(?:\n(?![A-Za-z_"'][^:\n]*:).*)*)/gm;
const plainName = /^[ \t]*(["']?)([A-Za-z][\w./-]*)\1[ \t\r]*(?:#.*)?\n*$/;
const words = /^(?:null|true|false|yes|no|on|off)$/i;

/**
 * The settings of a task file that the catalogue needs, by the lines that they stand on:
 * reading 14,000 files as YAML would take a minute.
 */
export function scanKeys(text: string, path: string): Map<CatalogueKey, YamlValue> {
  const found = new Map<CatalogueKey, YamlValue>();
  const source = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  for (const { 2: key = "", 3: rest = "" } of source.matchAll(keyLine)) {
    const name = plainName.exec(rest)?.[2];
    found.set(key as CatalogueKey, name === undefined || words.test(name) ? parseValue(rest, path) : name);
  }
  return found;
}

function parseValue(text: string, path: string): YamlValue {
  const parsed = parseYaml(`value:${text}`, path, dirname(path));
  return parsed instanceof Map ? (parsed.get("value") ?? null) : null;
}
