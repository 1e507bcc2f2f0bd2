import { posix } from "node:path";

/** Where TypeDoc writes the pages of the library. */
const library = /^tools\/site\/generated\/api\/(.*\.md)$/;

/**
 * The site's page that a Markdown page of the repository becomes, or undefined where it is none.
 *
 * @param path relative to the repository, with `/`
 */
export function sitePage(path: string): string | undefined {
  if (path === "README.md") return "index.md";
  if (path === "docs/README.md") return "documentation.md";
  if (/^(?:CHANGELOG|CONTRIBUTING|SECURITY)\.md$/.test(path)) return path.toLowerCase();
  const inDocs = /^docs\/(.*\.md)$/.exec(path)?.[1];
  if (inDocs !== undefined) return inDocs;
  const inLibrary = library.exec(path)?.[1];
  if (inLibrary !== undefined) return posix.join("api", inLibrary === "README.md" ? "index.md" : inLibrary);
  return undefined;
}

/** The web address of a repository as package.json names it, or "" where it names none. */
export function webAddress(repository: string | { readonly url: string } | undefined): string {
  const url = typeof repository === "object" ? repository.url : (repository ?? "");
  return url
    .replace(/^git\+/, "")
    .replace(/\.git$/, "")
    .replace(/^github:/, "https://github.com/");
}

/**
 * Where a link leads on the site: to a page, to a file at the repository's web address, or nowhere (undefined) where the
 * repository has no address. Links to headings of the same page and to other sites stay.
 *
 * @param page that has the link, relative to the repository; a link that starts with `/` does so too
 * @param address of the repository, or ""
 */
export function siteLink(page: string, link: string, address: string): string | undefined {
  if (/^(?:#|[a-z]+:)/i.test(link)) return link;
  const [path = "", fragment] = link.split("#");
  const file = path.startsWith("/") ? path.slice(1) : posix.join(posix.dirname(page), path);
  const anchor = fragment === undefined ? "" : `#${fragment}`;
  const target = sitePage(file);
  if (target !== undefined) return `/${target}${anchor}`;
  return address === "" ? undefined : `${address}/blob/main/${file}${anchor}`;
}
