import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "node-html-parser";
import type { HTMLElement } from "node-html-parser";

/** Stands for the place that the site is served from. */
const origin = "http://site.invalid";

interface Page {
  /** Addresses that a reader may follow. */
  readonly links: readonly string[];
  /** Addresses that a browser fetches to show the page. */
  readonly parts: readonly string[];
  readonly anchors: ReadonlySet<string>;
}

const valuesOf = (page: HTMLElement, selector: string, name: string): string[] =>
  page.querySelectorAll(selector).flatMap((element) => element.getAttribute(name) ?? []);

function readPage(html: string): Page {
  const page = parse(html);
  return {
    links: valuesOf(page, "a[href]", "href"),
    parts: [...valuesOf(page, "link[href]", "href"), ...valuesOf(page, "[src]", "src")],
    anchors: new Set([...valuesOf(page, "[id]", "id"), ...valuesOf(page, "a[name]", "name")]),
  };
}

/** Whether a browser would fetch an address from another place than the site. */
const isElsewhere = (page: string, address: string): boolean =>
  !address.startsWith("data:") && new URL(address, `${origin}/${page}`).origin !== origin;

/**
 * What is wrong with the links of a built site, one line each: links to files or anchors that are not there, and parts of a page
 * or style that come from another place. The addresses of other sites are not asked.
 *
 * @param folder of the site, as it is served from the root of a host
 */
export function findFaults(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .toSorted();
  const known = new Set(files);
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  const pages = new Map<string, Page>(files.filter((file) => file.endsWith(".html")).map((file) => [file, readPage(read(file))]));

  const faultOf = (page: string, address: string): string[] => {
    const { origin: host, pathname, hash } = new URL(address, `${origin}/${page}`);
    if (host !== origin) return [];
    const path = decodeURIComponent(pathname.slice(1));
    const file = path === "" || path.endsWith("/") ? `${path}index.html` : path;
    if (!known.has(file)) return [`${page}: leads to ${address}, which is not there`];
    const target = pages.get(file);
    if (hash === "" || target === undefined || target.anchors.has(decodeURIComponent(hash.slice(1)))) return [];
    return [`${page}: leads to ${address}; ${file} has no such anchor`];
  };

  return [
    ...[...pages].flatMap(([page, { links, parts }]) => [
      ...[...new Set([...links, ...parts])].flatMap((address) => faultOf(page, address)),
      ...parts.flatMap((part) => (isElsewhere(page, part) ? [`${page}: fetches ${part} from another place`] : [])),
    ]),
    ...files
      .filter((file) => file.endsWith(".css"))
      .flatMap((file) =>
        [...read(file).matchAll(/(?:url\(|@import)\s*["']?((?:https?:)?\/\/[^"')\s]+)/g)].map(
          ([, at]) => `${file}: fetches ${at} from another place`,
        ),
      ),
  ];
}
