import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { BadDataError, InputOutputError, isObject, MbsError, quoted, UsageError } from "@mbs/contracts";
import { fetchAnswer, reasonOf } from "./patient-fetch.ts";

/** A model or a dataset on the Hub. */
export interface HubRepository {
  readonly type: "model" | "dataset";
  /** "org/name", or "name" for the oldest ones. */
  readonly name: string;
}

/** A repository at a revision, as its user named it. */
export interface HubAddress {
  readonly repository: HubRepository;
  /** A branch, a tag or a commit. */
  readonly revision: string;
  /** What the user wrote, for messages. */
  readonly text: string;
  /** Whether it is written to. */
  readonly isTarget?: true;
}

const repositoryPattern = /^((?:[A-Za-z0-9][\w.-]*\/)?[A-Za-z0-9][\w.-]*)(?:@([A-Za-z0-9][\w./-]*))?$/;

/**
 * Parses "org/name@revision"; undefined where a text has another form. Both become parts of paths: the caller refuses "..".
 */
export function parseRepository(text: string): { readonly name: string; readonly revision: string | undefined } | undefined {
  const [, name, revision] = repositoryPattern.exec(text) ?? [];
  return name === undefined ? undefined : { name, revision };
}

/** HF_HUB_OFFLINE=1 forbids the network. */
export const isOffline = (): boolean => /^(1|true|yes|on)$/i.test(process.env["HF_HUB_OFFLINE"] ?? "");

/** HF_ENDPOINT names another Hub. */
export const endpoint = (): string => (process.env["HF_ENDPOINT"] ?? "https://huggingface.co").replace(/\/+$/, "");

/** Where Hugging Face's programs keep the token of a user who has logged in; HF_TOKEN_PATH or HF_HOME move it. */
function tokenFile(): string {
  const { HF_TOKEN_PATH: path, HF_HOME: home, XDG_CACHE_HOME: cache } = process.env;
  return path || join(home || join(cache || join(homedir(), ".cache"), "huggingface"), "token");
}

/** The token that says who the user is: HF_TOKEN, else that of `hf auth login`. */
export function tokenOf(): string | undefined {
  const given = process.env["HF_TOKEN"];
  if (given) return given;
  try {
    return readFileSync(tokenFile(), "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}

/** What a client error says for a file: a wrong name, or no access. */
export const refusedFile = (url: string, status: number): BadDataError =>
  new BadDataError(
    `${url} answers ${status}; check the name, and where it is private or gated HF_TOKEN and that its terms are accepted`,
    { url, status },
  );

/** What a call of the Hub's client takes. */
export const access = (): { hubUrl: string; fetch: typeof fetch; accessToken?: string } => {
  const accessToken = tokenOf();
  // the Hub's client takes no others
  if (accessToken !== undefined && !accessToken.startsWith("hf_")) {
    throw new UsageError(
      "the token (HF_TOKEN, or that of hf auth login) is none of the Hub, which starts with hf_; set another, or none",
    );
  }
  return { hubUrl: endpoint(), fetch: fetchAnswer, ...(accessToken !== undefined && { accessToken }) };
};

const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && "statusCode" in error ? Number(error.statusCode) : undefined;

/** Whether a request got no answer; what the client makes of an answer that it cannot read has no cause. */
const isUnanswered = (error: unknown): boolean =>
  error instanceof Error && (error.cause !== undefined || error.name === "AbortError");

/** What the Hub says of a refusal: ` ("Invalid metadata in README.md")`. */
function saidWith(error: unknown): string {
  const data = error instanceof Error && "data" in error ? error.data : undefined;
  const said = isObject(data) ? (data["error"] ?? data["message"]) : undefined;
  return typeof said === "string" && said.trim() !== "" ? ` (${quoted(said.trim())})` : "";
}

/** Asks the Hub; whatever fails becomes an error of one line. */
export async function ask<Answer>(address: HubAddress, question: () => Promise<Answer>): Promise<Answer> {
  const { text, repository, isTarget } = address;
  const { type } = repository;
  const about = { [type]: text, endpoint: endpoint() };
  try {
    return await question();
  } catch (cause) {
    if (cause instanceof MbsError) throw cause;
    const status = statusOf(cause);
    if (status === undefined && !isUnanswered(cause)) {
      throw new BadDataError(
        `${text}: ${endpoint()} answers as no Hub does (${reasonOf(cause)}); check HF_ENDPOINT, and what stands between`,
        about,
        { cause },
      );
    }
    if (status !== undefined && status >= 400 && status < 500 && status !== 429) {
      const said = isTarget
        ? `${saidWith(cause)}; mend what it names, and push again`
        : `; check name and revision, and set HF_TOKEN where the ${type} is private or gated`;
      throw new BadDataError(`${text}: ${endpoint()} answers ${status}${said}`, { ...about, status }, { cause });
    }
    const remedy = isTarget
      ? "check the network, or push again later"
      : `check the network, or use --offline with a ${type} that is in the cache`;
    throw new InputOutputError(`${text}: cannot reach ${endpoint()} (${status ?? reasonOf(cause)}); ${remedy}`, about, { cause });
  }
}
