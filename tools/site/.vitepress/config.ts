import { readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { defineConfig } from "vitepress";
import type { MarkdownRenderer } from "vitepress";
import { fragmentOf } from "../../boundaries/links.ts";
import { searchOptions } from "../search.ts";
import { guides, packages } from "../sidebar.ts";
import { siteLink, sitePage, webAddress } from "../site-pages.ts";

const root = resolve(import.meta.dirname, "../../..");
const { repository } = JSON.parse(readFileSync(resolve(root, "package.json"), "utf8"));
const address = webAddress(repository);

/** Leads links to the site's pages and the repository's files. One that leads nowhere becomes text. */
function leadLinks(md: MarkdownRenderer): void {
  md.core.ruler.push("lead-links", ({ tokens, env }) => {
    const page = relative(root, env.realPath ?? env.path).replaceAll("\\", "/");
    for (const { children } of tokens) {
      let leadsNowhere = false;
      for (const token of children ?? []) {
        if (token.type === "link_open") {
          const target = siteLink(page, token.attrGet("href") ?? "", address);
          leadsNowhere = target === undefined;
          token.attrSet("href", target ?? "");
        }
        if (leadsNowhere && token.tag === "a") Object.assign(token, { type: "span", tag: "span", attrs: [] });
      }
    }
  });
}

/** Keeps `{{` in a page: its HTML becomes a Vue template, where that begins an expression. */
function keepBraces(md: MarkdownRenderer): void {
  const render = md.render.bind(md);
  md.render = (source, env) => render(source, env).replaceAll("{{", "&#123;&#123;");
}

/** Pages lie in docs/, from where Node finds no Vue. What renders them on the server lies here, and finds it. */
const vueForPages = {
  name: "vue-for-pages",
  enforce: "pre" as const,
  resolveId: (name: string, _from: unknown, { ssr }: { ssr?: boolean }) =>
    ssr && /^vue(?:\/|$)/.test(name) ? { id: name, external: true } : undefined,
};

export default defineConfig({
  title: "Multilingual Brain Surgeon",
  description: "Make a multilingual language model smaller without losing its smaller languages.",
  // no icon: browsers would ask for one
  head: [["link", { rel: "icon", href: "data:," }]],
  base: process.env["SITE_BASE"] ?? "/",
  srcDir: root,
  srcExclude: ["!(docs|tools)/*/**", "tools/!(site)/**", "tools/site/README.md"],
  outDir: resolve(import.meta.dirname, "../dist"),
  rewrites: (path) => sitePage(path) ?? path,
  vite: {
    plugins: [vueForPages],
    // the index of the search is a file of its own, read when somebody searches
    build: { chunkSizeWarningLimit: 4000 },
  },
  markdown: {
    anchor: { slugify: fragmentOf },
    // pages are written for any Markdown reader: no syntax of this generator's own
    attrs: { disable: true },
    emoji: { defs: {} },
    config(md) {
      leadLinks(md);
      keepBraces(md);
    },
  },
  themeConfig: {
    siteTitle: "mbs",
    nav: [
      { text: "Documentation", link: "/documentation" },
      { text: "Library", link: "/api/" },
      { text: "Changelog", link: "/changelog" },
      ...(address === "" ? [] : [{ text: "Repository", link: address }]),
    ],
    sidebar: { "/": guides(root), "/api/": packages(root) },
    outline: [2, 3],
    search: {
      provider: "local",
      options: {
        miniSearch: { searchOptions },
        // "Parameters" and "Returns" of every function would be sections of their own
        _render: (source, env, md) => md.render(source, env).replace(/<(\/?)h[4-6]\b[^>]*>/g, "<$1p>"),
      },
    },
  },
});
