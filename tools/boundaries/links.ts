import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { markdownPages, sourceTexts, type TextFile } from "./text-files.ts";

/** Targets of Markdown links and pictures, without those that lead to the network. */
export const linkTargets = (text: string): string[] =>
  [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = ""]) => (/^[a-z]+:/.test(target) ? [] : [target]));

/** Pages of docs/ that a text names without a link, as messages, help and comments do. */
export const pagesNamed = (text: string): string[] =>
  [...text.matchAll(/(?<![\w./-])docs\/[\w/-]+\.md(?:#[\w-]+)?/g)].map(([named]) => named);

/** The fragment by which a link names a heading: "A built-in stage" → "a-built-in-stage". */
export const fragmentOf = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(/\s/g, "-");

/** The fragments that lead to a page's headings. */
export const fragmentsOf = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) => fragmentOf(title)));

/** What is wrong with a link of a page, or nothing. @param folder that relative targets start from, below `root` */
function faultOf(root: string, page: TextFile, target: string, folder: string): string[] {
  const [path = "", fragment] = target.split("#");
  const file = path === "" ? join(root, page.path) : join(root, folder, path);
  if (!existsSync(file)) return [`${page.path}: leads to ${target}, which is not there`];
  if (fragment === undefined || !file.endsWith(".md")) return [];
  if (fragmentsOf(readFileSync(file, "utf8")).has(fragment)) return [];
  return [`${page.path}: leads to ${target}; ${relative(root, file)} has no such heading`];
}

/** The test names pages that are not there. */
const quoting = "tools/boundaries/links.test.ts";

/** Links to files or headings that are not there, and pages of docs/ that a text names and that are not there, one line each. */
export function findDeadLinks(root: string): string[] {
  const pages = markdownPages(root);
  return [
    ...pages.flatMap((page) => linkTargets(page.text).flatMap((target) => faultOf(root, page, target, dirname(page.path)))),
    ...[...pages, ...sourceTexts(root)]
      .filter(({ path }) => path !== quoting)
      .flatMap((page) => pagesNamed(page.text).flatMap((named) => faultOf(root, page, named, ""))),
  ];
}
