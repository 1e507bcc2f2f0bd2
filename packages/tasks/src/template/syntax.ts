import { parse, tokenize } from "@huggingface/jinja";
import { FailedPreconditionError, quoted } from "@mbs/contracts";
import { widenEscapes } from "./escapes.ts";

interface Token {
  readonly value: string;
}
export interface Identifier {
  readonly type: "Identifier";
  readonly value: string;
}
export interface Call {
  readonly type: "CallExpression";
  readonly callee: Node;
  readonly args: readonly Node[];
}
export interface Slice {
  readonly type: "SliceExpression";
  readonly start?: Node;
  readonly stop?: Node;
  readonly step?: Node;
}
interface TupleNode {
  readonly type: "TupleLiteral";
  readonly value: readonly Node[];
}

/** The syntax tree of @huggingface/jinja, which exports its parser but not these types. */
export type Node =
  | Identifier
  | Call
  | Slice
  | TupleNode
  | { readonly type: "Program"; readonly body: readonly Node[] }
  | { readonly type: "If"; readonly test: Node; readonly body: readonly Node[]; readonly alternate: readonly Node[] }
  | {
      readonly type: "For";
      readonly loopvar: Identifier | TupleNode;
      readonly iterable: Node;
      readonly body: readonly Node[];
      readonly defaultBlock: readonly Node[];
    }
  | { readonly type: "Break" | "Continue" | "Comment" }
  | { readonly type: "Set"; readonly assignee: Node; readonly value: Node | null; readonly body: readonly Node[] }
  | { readonly type: "MemberExpression"; readonly object: Node; readonly property: Node; readonly computed: boolean }
  | { readonly type: "IntegerLiteral" | "FloatLiteral"; readonly value: number }
  | { readonly type: "StringLiteral"; readonly value: string }
  | { readonly type: "ArrayLiteral"; readonly value: readonly Node[] }
  | { readonly type: "ObjectLiteral"; readonly value: ReadonlyMap<Node, Node> }
  | { readonly type: "BinaryExpression"; readonly operator: Token; readonly left: Node; readonly right: Node }
  | { readonly type: "FilterExpression"; readonly operand: Node; readonly filter: Node }
  | { readonly type: "SelectExpression"; readonly lhs: Node; readonly test: Node }
  | { readonly type: "TestExpression"; readonly operand: Node; readonly negate: boolean; readonly test: Identifier }
  | { readonly type: "UnaryExpression"; readonly operator: Token; readonly argument: Node }
  | { readonly type: "KeywordArgumentExpression"; readonly key: Identifier; readonly value: Node }
  | { readonly type: "Ternary"; readonly condition: Node; readonly trueExpr: Node; readonly falseExpr: Node };

/**
 * The syntax tree of a template, read with Jinja's defaults: blocks are not trimmed, the last line end stays.
 *
 * @param about what an error names: task and key
 * @throws {FailedPreconditionError} where the parser does not know the syntax
 */
export function parseTemplate(source: string, about: string): readonly Node[] {
  // The tokenizer takes off one line end at the end of a template, as Jinja does unless it is told to keep it.
  const kept = `${widenEscapes(source.replace(/\r\n?/g, "\n"))}\n`;
  try {
    return (parse(tokenize(kept)) as unknown as { body: readonly Node[] }).body;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FailedPreconditionError(
      `${about}: the template ${quoted(source)} cannot be read (${reason}); simplify it`,
      {},
      { cause: error },
    );
  }
}
