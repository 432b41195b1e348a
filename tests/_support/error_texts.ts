/**
 * Reads the texts of errors from TypeScript source, without running it: the text arguments of `new …Error(…)` and of
 * `super(…)`, every other text that begins with "Cannot ", which a helper passes on to an error, and what the rules
 * of options say with `must(…)`.
 */

/** A token: a word, a punctuation mark, a string, or a template with its literal and its inserted parts. */
type Token =
  | { kind: "word" | "mark" | "string"; text: string }
  | { kind: "template"; parts: (string | Token[])[] };

/** Lists the error texts of `source` in its order, each as `Class: text`, or only the text of a helper. */
export function errorTexts(source: string): string[] {
  const texts: string[] = [];
  collect(new Lexer(source).tokens(), texts);
  return texts;
}

function collect(tokens: Token[], texts: string[]): void {
  let owner = "";
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    if (wordAt(tokens, at) === "class") owner = wordAt(tokens, at + 1);
    if (wordAt(tokens, at) === "must" && isMark(tokens[at + 1], "(")) {
      const [be] = split(tokens.slice(at + 2, closeAtEnd(tokens, at + 1)), ",");
      if (be !== undefined && holdsText(be)) texts.push(`… must be ${render(be)}`);
    } else if (isMade(tokens, at)) {
      const own = wordAt(tokens, at) === "super";
      const name = own ? owner : wordAt(tokens, at + 1);
      const open = own ? at + 1 : at + 2;
      const close = closeAtEnd(tokens, open);
      const told = split(tokens.slice(open + 1, close), ",").filter(holdsText).map(render);
      if (told.length > 0) {
        texts.push(`${name}: ${told.join(" / ")}`);
        at = close;
      }
    } else if (begins(token, "Cannot ")) {
      let end = at + 1;
      while (isMark(tokens[end], "+")) end = termEnd(tokens, end + 1);
      texts.push(render(tokens.slice(at, end)));
      at = end - 1;
    } else if (token.kind === "template") {
      for (const part of token.parts) if (typeof part !== "string") collect(part, texts);
    }
  }
}

/** Returns whether an error is made at `at`: `new …Error(`, also with a class in a variable, or `super(`. */
function isMade(tokens: Token[], at: number): boolean {
  if (wordAt(tokens, at) === "super") return isMark(tokens[at + 1], "(");
  return wordAt(tokens, at) === "new" && /Error(Class)?$/.test(wordAt(tokens, at + 1)) &&
    isMark(tokens[at + 2], "(");
}

/** Returns whether an argument is a text: a literal, or a choice or a sum of some. */
function holdsText(tokens: Token[]): boolean {
  return topLevel(tokens).some((token) => token.kind === "string" || token.kind === "template");
}

/** Writes an expression as a reader sees its text: `‹name›` where a value is inserted, `‹a | b›` for a choice. */
function render(expression: Token[]): string {
  const tokens = unwrap(expression);
  const [condition, ...choices] = split(tokens, "?");
  if (condition !== undefined && choices.length > 0) {
    const [yes, ...no] = splitChoice(tokens.slice(condition.length + 1));
    const both = [yes!, no.flat()].map((tokens) => render(tokens).replace(/^‹(.*)›$/, "$1"));
    return `‹${both.join(" | ")}›`;
  }
  const terms = split(tokens, "+");
  if (terms.length > 1) return terms.map(render).join("");
  const [only] = tokens;
  if (tokens.length === 1 && only?.kind === "string") return only.text;
  if (tokens.length === 1 && only?.kind === "template") {
    return only.parts.map((part) => typeof part === "string" ? part : render(part)).join("");
  }
  return `‹${nameOf(tokens)}›`;
}

/** Names the value of an expression: `name` of `this.#flow.name`, of `describe(name)` and of `name.join(", ")`. */
function nameOf(tokens: Token[]): string {
  const [first] = split(tokens, "??");
  const value = first!;
  if (isMark(value.at(-1), ")")) {
    let open = value.length - 2;
    while (closeAtEnd(value, open) !== value.length - 1) open--;
    const [argument] = split(value.slice(open + 1, -1), ",");
    const callee = value.slice(0, open);
    const words = callee.filter((token) => token.kind === "word");
    if (open === 0) return nameOf(value.slice(1, -1));
    if (words.length <= 2 && argument?.[0]?.kind === "word") return nameOf(argument);
    return nameOf(words.length === 1 ? callee : callee.slice(0, -2));
  }
  const words = topLevel(value).flatMap((token) => token.kind === "word" ? [token.text] : []);
  return words.at(-1)?.replace("#", "") ?? "…";
}

/** The tokens that are in no brackets. */
function topLevel(tokens: Token[]): Token[] {
  const top: Token[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    if (opens(token)) at = closeAtEnd(tokens, at);
    else top.push(token);
  }
  return top;
}

/** Splits at a mark outside of brackets; what is empty is left out. */
function split(tokens: Token[], mark: string): Token[][] {
  const parts: Token[][] = [];
  let start = 0;
  for (let at = 0; at <= tokens.length; at++) {
    const token = tokens[at];
    if (token !== undefined && opens(token)) at = closeAtEnd(tokens, at);
    else if (token === undefined || isMark(token, mark)) {
      if (at > start) parts.push(tokens.slice(start, at));
      start = at + 1;
    }
  }
  return parts;
}

/** Splits `a : b` of a conditional, whose `a` and `b` may be conditionals. */
function splitChoice(tokens: Token[]): [Token[], Token[]] {
  let open = 1;
  for (let at = 0; at < tokens.length; at++) {
    if (opens(tokens[at]!)) at = closeAtEnd(tokens, at);
    else if (isMark(tokens[at], "?")) open++;
    else if (isMark(tokens[at], ":") && --open === 0) {
      return [tokens.slice(0, at), tokens.slice(at + 1)];
    }
  }
  throw new Error("A conditional has no second choice");
}

function unwrap(tokens: Token[]): Token[] {
  const wrapped = isMark(tokens[0], "(") && closeAtEnd(tokens, 0) === tokens.length - 1;
  return wrapped ? unwrap(tokens.slice(1, -1)) : tokens;
}

function termEnd(tokens: Token[], start: number): number {
  for (let at = start; at < tokens.length; at++) {
    const token = tokens[at]!;
    if (opens(token)) at = closeAtEnd(tokens, at);
    else if (token.kind === "mark" && ![".", "?.", "!"].includes(token.text)) return at;
  }
  return tokens.length;
}

/** The index of the bracket that closes the one at `open`. */
function closeAtEnd(tokens: Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    if (opens(tokens[at]!)) depth++;
    else if (isMark(tokens[at], ")", "]", "}") && --depth <= 0) return depth === 0 ? at : -1;
  }
  return tokens.length;
}

function opens(token: Token): boolean {
  return isMark(token, "(", "[", "{");
}

function isMark(token: Token | undefined, ...marks: string[]): boolean {
  return token?.kind === "mark" && marks.includes(token.text);
}

function wordAt(tokens: Token[], at: number): string {
  const token = tokens[at];
  return token?.kind === "word" ? token.text : "";
}

function begins(token: Token, start: string): boolean {
  if (token.kind === "template") {
    return typeof token.parts[0] === "string" && token.parts[0].startsWith(start);
  }
  return token.kind === "string" && token.text.startsWith(start);
}

const WORD = /[#\w$]+/y;
const COMMENT = /\/\/.*|\/\*[\s\S]*?\*\//y;
const STRING = /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y;
const REGEXP = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const MARK = /\?\?=?|\?\.(?!\d)|=>|\+\+|\+=|[^\s]/y;

/** Cuts source into tokens; comments and regular expressions are left out. */
class Lexer {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  /** Reads to the end, or in a template up to the brace that closes what is inserted. */
  tokens(inserted = false): Token[] {
    const tokens: Token[] = [];
    let depth = 0;
    while (this.#at < this.#source.length) {
      const start = this.#source[this.#at]!;
      if (inserted && start === "}" && depth === 0) break;
      if (start === "`") tokens.push(this.#template());
      else if (this.#take(/\s+/y) !== "" || this.#take(COMMENT) !== "") continue;
      else if (endsValue(tokens.at(-1)) || this.#take(REGEXP) === "") {
        const string = this.#take(STRING);
        const word = string === "" ? this.#take(WORD) : "";
        if (string !== "") tokens.push({ kind: "string", text: unescape(string.slice(1, -1)) });
        else if (word !== "") tokens.push({ kind: "word", text: word });
        else {
          const mark = this.#take(MARK);
          if (mark === "{") depth++;
          if (mark === "}") depth--;
          tokens.push({ kind: "mark", text: mark });
        }
      }
    }
    return tokens;
  }

  #template(): Token {
    const parts: (string | Token[])[] = [];
    this.#at++;
    while (this.#at < this.#source.length) {
      const literal = this.#take(/(?:[^`\\$]|\\[\s\S]|\$(?!\{))+/y);
      if (literal !== "") parts.push(unescape(literal));
      if (this.#take(/`/y) !== "") break;
      if (this.#take(/\$\{/y) !== "") {
        parts.push(this.tokens(true));
        this.#at++;
      }
    }
    return { kind: "template", parts };
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#source)?.[0] ?? "";
    this.#at += text.length;
    return text;
  }
}

/** Returns whether a slash after `token` divides, and begins no regular expression. */
function endsValue(token: Token | undefined): boolean {
  if (token === undefined || isMark(token, ")", "]", "}")) return token !== undefined;
  if (token.kind === "mark") return false;
  return token.kind !== "word" || !["return", "case", "typeof"].includes(token.text);
}

function unescape(literal: string): string {
  return literal.replaceAll("\\n", "\n").replace(/\\(["'`\\$])/g, "$1");
}
