import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** Targets of Markdown links and pictures, without those that lead to the network or to a heading of the same page. */
export const linkTargets = (text: string): string[] =>
  [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = ""]) => (/^(?:[a-z]+:|#)/.test(target) ? [] : [target]));

/** The heading that a link's fragment names: "## A built-in stage" → "a-built-in-stage". */
const fragmentsOf = (text: string): ReadonlySet<string> =>
  new Set(
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(/\s/g, "-"),
    ),
  );

function pages(root: string): string[] {
  const folders = ["docs", ...readdirSync(join(root, "packages")).map((name) => `packages/${name}`)];
  return [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    ...folders.flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`)),
  ].filter((path) => path.endsWith(".md"));
}

/** Links of our pages to files or headings that are not there, one line each. */
export function findDeadLinks(root: string): string[] {
  return pages(root).flatMap((page) =>
    linkTargets(readFileSync(join(root, page), "utf8")).flatMap((target) => {
      const [path = "", fragment] = target.split("#");
      const file = join(root, dirname(page), path);
      if (!existsSync(file)) return [`${page}: links to ${target}, which is not there`];
      if (fragment === undefined || !path.endsWith(".md")) return [];
      const known = fragmentsOf(readFileSync(file, "utf8"));
      return known.has(fragment) ? [] : [`${page}: links to ${target}; ${relative(root, file)} has no such heading`];
    }),
  );
}
