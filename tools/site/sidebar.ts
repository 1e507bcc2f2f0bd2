import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { sitePage } from "./site-pages.ts";

export interface SidebarItem {
  readonly text: string;
  readonly link?: string;
  readonly collapsed?: boolean;
  readonly items?: SidebarItem[];
}

interface Link {
  readonly text: string;
  /** Relative to the repository. */
  readonly page: string;
}

/** Links of docs/README.md to pages of the site. */
const linksIn = (cell: string): Link[] =>
  [...cell.matchAll(/\[([^\]]+)\]\(([^)#]+)\)/g)].flatMap(([, text = "", target = ""]) => {
    const page = posix.join("docs", target);
    return sitePage(page) === undefined ? [] : [{ text: text.replace(/^./, (letter) => letter.toUpperCase()), page }];
  });

const titleOf = (root: string, page: string): string =>
  (/^# (.*)$/m.exec(readFileSync(join(root, page), "utf8"))?.[1] ?? page).replaceAll("`", "");

/** Pages of a folder in order of name, as links by their titles. */
const pagesIn = (root: string, folder: string): Link[] =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder))
        .filter((name) => name.endsWith(".md") && name !== "README.md")
        .toSorted()
        .map((name) => ({ text: titleOf(root, `${folder}/${name}`), page: `${folder}/${name}` }))
    : [];

/** A page, and below it those of the folder that has its name: docs/studies.md and docs/studies/. */
function item(root: string, { text, page }: Link, further: readonly Link[] = []): SidebarItem {
  const below = [...further, ...pagesIn(root, page.replace(/\.md$/, ""))].map((link) => item(root, link));
  const link = `/${sitePage(page)?.replace(/\.md$/, "")}`;
  return below.length > 0 ? { text, link, collapsed: true, items: below } : { text, link };
}

/** The first cell of a row names its pages; pages that the second one names stand below the first. */
function row(root: string, line: string): SidebarItem[] {
  const [, names = "", answers = ""] = line.split("|");
  const [first, ...others] = linksIn(names);
  if (first === undefined) return [];
  const further = linksIn(answers).map(({ page }) => ({ text: titleOf(root, page), page }));
  return [item(root, first, further), ...others.map((link) => item(root, link))];
}

/** The sidebar of the guides: the sections of docs/README.md. @param root of the repository */
export function guides(root: string): SidebarItem[] {
  const [, ...sections] = readFileSync(join(root, "docs/README.md"), "utf8").split(/^## /m);
  return sections.map((section) => {
    const [text = "", ...lines] = section.split("\n");
    return { text, items: lines.flatMap((line) => row(root, line)) };
  });
}

/** The sidebar of the library: its packages, where TypeDoc has written their pages. @param root of the repository */
export const packages = (root: string): SidebarItem[] => [
  { text: "Library", items: pagesIn(root, "tools/site/generated/api").map((link) => item(root, link)) },
];
