import { dirname } from "node:path";
import { BadDataError, printable, quoted, UsageError } from "@mbs/contracts";
import type { TaskGroup } from "../task.ts";
import type { ReadSettings } from "../yaml/merged-settings.ts";
import { asSettings, type Settings, type YamlValue } from "../yaml/read-yaml.ts";
import type { Catalogue, Entry } from "./catalogue.ts";

/** A task with all of its settings: what is included, and what groups override. */
export interface ResolvedTask {
  readonly name: string;
  readonly settings: Settings;
  /** Folder of the file that has it, which paths of rows start from. */
  readonly folder: string;
  /** Tags of its file, which show what family it is of. */
  readonly tags: readonly string[];
}

export interface ResolvedSet {
  readonly tasks: readonly ResolvedTask[];
  readonly groups: readonly TaskGroup[];
}

const groupKeys = new Set(["group", "group_alias", "task", "aggregate_metric_list", "metadata"]);
const structuralKeys = new Set(["tag", "group", "task_list"]);

/** Resolves names of a catalogue to tasks: groups with their members, tags with their tasks. */
export async function resolveTasks(
  names: readonly string[],
  { entries }: Catalogue,
  readSettings: ReadSettings,
): Promise<ResolvedSet> {
  const resolver = new Resolver(entries, readSettings);
  for (const name of names) {
    const entry = entries.get(name);
    if (entry !== undefined) await resolver.resolve(entry, new Map());
  }
  return { tasks: [...resolver.tasks.values()], groups: [...resolver.groups.values()] };
}

/** Where a task or a group stands. */
interface Place {
  /** Folder of its file. */
  readonly folder: string;
  /** Groups that it is in, itself among them. */
  readonly above: readonly string[];
}

/** Members of groups, counted wherever they stand: groups of groups can double with each level. */
const mostMembers = 100_000;

const longestName = 200;

/** Names stand in tables, reports and terminals. */
function requireName(name: string): void {
  if (name.length <= longestName && printable(name) === name) return;
  throw new BadDataError(
    `the name ${quoted(name)} has control characters, or more than ${longestName} characters; rename the task or group`,
    { task: name },
  );
}

class Resolver {
  readonly tasks = new Map<string, ResolvedTask>();
  readonly groups = new Map<string, TaskGroup>();
  readonly #catalogue: Catalogue["entries"];
  readonly #readSettings: ReadSettings;
  #members = 0;

  constructor(catalogue: Catalogue["entries"], readSettings: ReadSettings) {
    this.#catalogue = catalogue;
    this.#readSettings = readSettings;
  }

  /** Adds what an entry stands for. @returns the names of its tasks */
  async resolve(entry: Entry, overrides: Settings, above: readonly string[] = []): Promise<string[]> {
    if (above.includes(entry.name))
      throw new BadDataError(`the group ${entry.name} is a member of itself; remove it from its tasks`);
    if (entry.kind === "tag") return this.#tag(entry, overrides);
    const path = entry.path ?? "";
    const settings = await this.#readSettings(path);
    const place = { folder: dirname(path), above: [...above, entry.name] };
    if (entry.kind === "group") return this.#group(entry.name, settings, overrides, place);
    return this.#task(entry.name, settings, overrides, place);
  }

  async #tag(entry: Entry, overrides: Settings): Promise<string[]> {
    const names: string[] = [];
    for (const name of [...entry.members].sort()) {
      const member = this.#catalogue.get(name);
      if (member !== undefined && member.kind === "task") names.push(...(await this.resolve(member, overrides)));
    }
    return names;
  }

  #task(fallback: string, settings: Settings, overrides: Settings, { folder }: Place): string[] {
    const merged = new Map([...settings, ...overrides]);
    const tags = merged.get("tag");
    for (const key of structuralKeys) merged.delete(key);
    const name = merged.get("task") ?? fallback;
    if (typeof name !== "string") throw new BadDataError(`the name of the task ${fallback} is no text; correct "task"`);
    requireName(name);
    const task = {
      name,
      settings: merged,
      folder,
      tags: (Array.isArray(tags) ? tags : [tags]).filter((tag) => typeof tag === "string"),
    };
    const known = this.tasks.get(name);
    if (known !== undefined && !areAlike(known.settings, merged)) {
      throw new UsageError(`the task ${name} is wanted twice with different settings, by two groups; ask for one of them`, {
        task: name,
      });
    }
    this.tasks.set(name, known ?? task);
    return [name];
  }

  async #group(name: string, settings: Settings, overrides: Settings, place: Place): Promise<string[]> {
    requireName(name);
    const own = [...settings].filter(([key]) => !groupKeys.has(key));
    const passed = new Map([...own, ...overrides]);
    const members = settings.get("task");
    const names: string[] = [];
    for (const member of Array.isArray(members) ? members : []) names.push(...(await this.#member(member, name, passed, place)));
    if (names.length === 0) throw new BadDataError(`the group ${name} has no tasks; list them under "task"`, { group: name });
    const aggregates = settings.get("aggregate_metric_list");
    if (aggregates !== undefined && aggregates !== null) {
      this.groups.set(name, { name, tasks: [...new Set(names)], weightBySize: isWeighted(aggregates, name) });
    }
    return names;
  }

  async #member(member: YamlValue, group: string, passed: Settings, place: Place): Promise<string[]> {
    this.#members += 1;
    if (this.#members > mostMembers)
      throw new BadDataError(`with the group ${group} there are more than ${mostMembers} members of groups; ask for fewer`, {
        group,
      });
    const item = typeof member === "string" ? new Map<string, YamlValue>() : asSettings(member, `a task of the group ${group}`);
    const subgroup = item.get("group");
    if (typeof subgroup === "string") {
      const known = this.#catalogue.get(subgroup);
      if (known === undefined) return this.#group(`${group}::${subgroup}`, item, passed, place);
      return this.resolve(known, new Map([...passed, ...[...item].filter(([key]) => key !== "group")]), place.above);
    }
    const name = typeof member === "string" ? member : item.get("task");
    if (typeof name !== "string") throw new BadDataError(`a task of the group ${group} has neither "task" nor "group"; name it`);
    const overrides = new Map([...passed, ...item]);
    const known = this.#catalogue.get(name);
    if (known !== undefined) return this.resolve(known, overrides, place.above);
    if (typeof member === "string" && overrides.size === 0) {
      throw new BadDataError(`the group ${group} names ${name}, which no file defines; add its folder, or remove it`, {
        group,
        task: name,
      });
    }
    return this.#task(name, overrides, new Map([["task", `${group}::${name}`]]), place);
  }
}

/** Whether tasks of a group count by their documents: 1 figure is shown, so all of its metrics have to agree. */
function isWeighted(aggregates: YamlValue, group: string): boolean {
  const weights = (Array.isArray(aggregates) ? aggregates : [aggregates]).map(
    (aggregate) => asSettings(aggregate, `aggregate_metric_list of ${group}`).get("weight_by_size") ?? true,
  );
  if (new Set(weights).size > 1)
    throw new BadDataError(`aggregate_metric_list of ${group} weights one metric by size and another not; choose one`);
  return weights[0] !== false;
}

function areAlike(left: Settings, right: Settings): boolean {
  return left.size === right.size && [...left].every(([key, value]) => right.get(key) === value);
}
