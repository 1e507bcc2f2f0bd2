import { BadDataError } from "@mbs/contracts";
import { print } from "../python/print.ts";
import { Float, isTruthy, Tuple, Undefined, type Callable, type PythonValue } from "../python/values.ts";
import { applyFilter } from "./filters.ts";
import { Namespace, globals } from "./globals.ts";
import { iterate, memberOf, sliceOf, subscriptOf } from "./members.ts";
import { operate, defined } from "./operators.ts";
import { passesTest } from "./tests.ts";
import { stepsOf } from "./weight.ts";
import type { Call, Node, Slice } from "./syntax.ts";

/** What one rendering may do: a template with nested loops over long lists would not end. */
const mostSteps = 1_000_000;
/** In UTF-16 units. */
const mostOutput = 10_000_000;

class LoopEnd extends Error {}
class LoopNext extends Error {}

type Scope = Map<string, PythonValue>;

/**
 * Renders a syntax tree with the values and rules of Python's Jinja: lists print as Python prints them, and an undefined
 * name is an error. The library's own interpreter prints JSON, and takes undefined for "".
 */
export class Interpreter {
  readonly #variables: ReadonlyMap<string, PythonValue>;
  #steps = 0;

  constructor(variables: ReadonlyMap<string, PythonValue>) {
    this.#variables = variables;
  }

  render(body: readonly Node[]): string {
    try {
      return this.#block(body, [new Map()]);
    } catch (error) {
      if (error instanceof LoopEnd || error instanceof LoopNext)
        throw new BadDataError("the template has break or continue outside of a loop");
      // of the stack, or of a text
      if (error instanceof RangeError)
        throw new BadDataError(
          `the template is nested too deep, or a text in it gets too long; simplify it`,
          {},
          { cause: error },
        );
      throw error;
    }
  }

  #block(body: readonly Node[], scopes: readonly Scope[]): string {
    let result = "";
    for (const node of body) {
      result += this.#statement(node, scopes);
      if (result.length > mostOutput)
        throw new BadDataError(`it is longer than ${mostOutput} characters; shorten what the template repeats`);
    }
    return result;
  }

  #count(steps = 1): void {
    this.#steps += steps;
    if (this.#steps > mostSteps)
      throw new BadDataError(`it takes more than ${mostSteps} steps; shorten the loops of the template`);
  }

  #statement(node: Node, scopes: readonly Scope[]): string {
    switch (node.type) {
      case "StringLiteral":
        return node.value;
      case "Comment":
        return "";
      case "If":
        return this.#block(isTruthy(defined(this.#value(node.test, scopes))) ? node.body : node.alternate, scopes);
      case "For":
        return this.#loop(node, scopes);
      case "Set":
        this.#set(node, scopes);
        return "";
      case "Break":
        throw new LoopEnd();
      case "Continue":
        throw new LoopNext();
      default:
        return print(defined(this.#value(node, scopes)));
    }
  }

  #assign(target: Node, value: PythonValue, scopes: readonly Scope[]): void {
    const [scope] = scopes;
    if (target.type === "Identifier") {
      scope?.set(target.value, value);
    } else if (target.type === "TupleLiteral") {
      const items = iterate(value);
      if (items.length !== target.value.length)
        throw new BadDataError(`${items.length} values cannot be assigned to ${target.value.length} names`);
      target.value.forEach((name, index) => this.#assign(name, items[index] ?? null, scopes));
    } else if (target.type === "MemberExpression" && target.property.type === "Identifier") {
      const owner = this.#value(target.object, scopes);
      if (!(owner instanceof Namespace)) throw new BadDataError("only attributes of a namespace can be set");
      owner.set(target.property.value, value);
    } else {
      throw new BadDataError("the template sets what is no name");
    }
  }

  #set(node: Extract<Node, { type: "Set" }>, scopes: readonly Scope[]): void {
    const value = node.value === null ? this.#block(node.body, scopes) : this.#value(node.value, scopes);
    this.#assign(node.assignee, value, scopes);
  }

  #loop(node: Extract<Node, { type: "For" }>, scopes: readonly Scope[]): string {
    const filtered = node.iterable.type === "SelectExpression" ? node.iterable : undefined;
    let items = iterate(defined(this.#value(filtered?.lhs ?? node.iterable, scopes)));
    if (filtered !== undefined) {
      items = items.filter((item) => {
        const inner = [new Map<string, PythonValue>(), ...scopes];
        this.#assign(node.loopvar, item, inner);
        return isTruthy(defined(this.#value(filtered.test, inner)));
      });
    }
    if (items.length === 0) return this.#block(node.defaultBlock, scopes);
    let result = "";
    for (const [index, item] of items.entries()) {
      this.#count();
      const scope: Scope = new Map([["loop", loopOf(items, index)]]);
      const inner = [scope, ...scopes];
      this.#assign(node.loopvar, item, inner);
      try {
        result += this.#block(node.body, inner);
      } catch (error) {
        if (error instanceof LoopEnd) break;
        if (!(error instanceof LoopNext)) throw error;
      }
      if (result.length > mostOutput)
        throw new BadDataError(`it is longer than ${mostOutput} characters; shorten what the template repeats`);
    }
    return result;
  }

  #name(name: string, scopes: readonly Scope[]): PythonValue {
    for (const scope of scopes) {
      const found = scope.get(name);
      if (found !== undefined) return found;
    }
    // None is a value: `??` would take it for missing.
    const found = this.#variables.get(name);
    if (found !== undefined) return found;
    const known = globals.get(name);
    return known === undefined ? new Undefined(`'${name}' is undefined`) : known;
  }

  #value(node: Node, scopes: readonly Scope[]): PythonValue {
    this.#count();
    const value = this.#evaluate(node, scopes);
    this.#count(stepsOf(value));
    return value;
  }

  #evaluate(node: Node, scopes: readonly Scope[]): PythonValue {
    switch (node.type) {
      case "Identifier":
        return this.#name(node.value, scopes);
      case "StringLiteral":
      case "IntegerLiteral":
        return node.value;
      case "FloatLiteral":
        return new Float(node.value);
      case "ArrayLiteral":
        return node.value.map((item) => this.#value(item, scopes));
      case "TupleLiteral":
        return new Tuple(node.value.map((item) => this.#value(item, scopes)));
      case "ObjectLiteral":
        return new Map(Array.from(node.value, ([key, item]) => [this.#value(key, scopes), this.#value(item, scopes)]));
      case "MemberExpression":
        return this.#member(node, scopes);
      case "CallExpression":
        return this.#call(node, scopes);
      case "FilterExpression":
        return this.#filter(node, scopes);
      case "TestExpression":
        return passesTest(node.test.value, this.#value(node.operand, scopes)) !== node.negate;
      case "Ternary":
        return this.#value(isTruthy(defined(this.#value(node.condition, scopes))) ? node.trueExpr : node.falseExpr, scopes);
      case "SelectExpression":
        return isTruthy(defined(this.#value(node.test, scopes)))
          ? this.#value(node.lhs, scopes)
          : new Undefined("the inline if-expression has no else, and its condition is false");
      case "UnaryExpression":
        return this.#unary(node, scopes);
      case "BinaryExpression":
        return this.#binary(node, scopes);
      default:
        throw new BadDataError(`the template has ${node.type}, which is not supported; write it without`);
    }
  }

  #member(node: Extract<Node, { type: "MemberExpression" }>, scopes: readonly Scope[]): PythonValue {
    const object = defined(this.#value(node.object, scopes));
    const { property } = node;
    if (!node.computed) {
      return property.type === "Identifier"
        ? memberOf(object, property.value)
        : subscriptOf(object, this.#value(property, scopes));
    }
    if (property.type !== "SliceExpression") return subscriptOf(object, defined(this.#value(property, scopes)));
    return sliceOf(object, ...this.#bounds(property, scopes));
  }

  #bounds(slice: Slice, scopes: readonly Scope[]): [PythonValue, PythonValue, PythonValue] {
    const bound = (node: Node | undefined): PythonValue => (node === undefined ? null : defined(this.#value(node, scopes)));
    return [bound(slice.start), bound(slice.stop), bound(slice.step)];
  }

  #arguments(call: Call, scopes: readonly Scope[]): Parameters<Callable> {
    const positional: PythonValue[] = [];
    const named = new Map<string, PythonValue>();
    for (const argument of call.args) {
      if (argument.type === "KeywordArgumentExpression") named.set(argument.key.value, this.#value(argument.value, scopes));
      else positional.push(this.#value(argument, scopes));
    }
    return [positional, named];
  }

  #call(node: Call, scopes: readonly Scope[]): PythonValue {
    const callee = defined(this.#value(node.callee, scopes));
    if (typeof callee !== "function") throw new BadDataError(`${print(callee)} is no function`);
    return callee(...this.#arguments(node, scopes));
  }

  #filter(node: Extract<Node, { type: "FilterExpression" }>, scopes: readonly Scope[]): PythonValue {
    const operand = this.#value(node.operand, scopes);
    const { filter } = node;
    if (filter.type === "Identifier") return applyFilter(filter.value, operand, [], new Map());
    if (filter.type !== "CallExpression" || filter.callee.type !== "Identifier") {
      throw new BadDataError("what follows | is no filter; of the result of one, write (x | name)[0]");
    }
    return applyFilter(filter.callee.value, operand, ...this.#arguments(filter, scopes));
  }

  #unary(node: Extract<Node, { type: "UnaryExpression" }>, scopes: readonly Scope[]): PythonValue {
    const argument = defined(this.#value(node.argument, scopes));
    if (node.operator.value === "not") return !isTruthy(argument);
    return node.operator.value === "-" ? operate("-", 0, argument) : operate("+", 0, argument);
  }

  #binary(node: Extract<Node, { type: "BinaryExpression" }>, scopes: readonly Scope[]): PythonValue {
    const operator = node.operator.value;
    const left = defined(this.#value(node.left, scopes));
    if (operator === "and") return isTruthy(left) ? this.#value(node.right, scopes) : left;
    if (operator === "or") return isTruthy(left) ? left : this.#value(node.right, scopes);
    return operate(operator, left, defined(this.#value(node.right, scopes)));
  }
}

function loopOf(items: readonly PythonValue[], index: number): PythonValue {
  const last = items.length - 1;
  return new Map<PythonValue, PythonValue>([
    ["index", index + 1],
    ["index0", index],
    ["revindex", items.length - index],
    ["revindex0", last - index],
    ["first", index === 0],
    ["last", index === last],
    ["length", items.length],
    ["previtem", items[index - 1] ?? new Undefined("there is no previous item")],
    ["nextitem", items[index + 1] ?? new Undefined("there is no next item")],
  ]);
}
