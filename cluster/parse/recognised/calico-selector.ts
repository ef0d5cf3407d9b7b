// Calico's selector language: `app == 'web' && has(tier) && !(env in {'test', 'dev'})`. Strings have no escapes.
import { type LabelTest, type Subject, unknownSubject } from '../../../model/recognised-policy.ts';

/** `testOf` gives the meaning of a test, and of `global()`. Unknown if the text is not a selector. */
export function calicoSelector(text: string, testOf: (test: LabelTest | 'global') => Subject): Subject {
  const tokens = tokensOf(text);
  if (tokens === undefined) return unknownSubject;
  if (tokens.length === 0) return everything;
  try {
    const parser = new Parser(tokens, testOf);
    return parser.whole();
  } catch (error) {
    if (error instanceof NotASelector) return unknownSubject;
    throw error;
  }
}

class NotASelector extends Error {}

const everything: Subject = { is: 'all', of: [] };
const maxTokens = 5_000;
const maxDepth = 100;

type Token = { is: 'text'; text: string } | { is: 'word'; text: string } | { is: 'sign'; text: string };

/** Undefined if a character begins no token. */
function tokensOf(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  const pattern = /\s+|"([^"]*)"|'([^']*)'|([A-Za-z0-9_./-]+)|(&&|\|\||==|!=|[!(){},])/y;
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (match === null || tokens.length > maxTokens) return undefined;
    const [, double, single, word, sign] = match;
    if (double !== undefined || single !== undefined) tokens.push({ is: 'text', text: double ?? single! });
    else if (word !== undefined) tokens.push({ is: 'word', text: word });
    else if (sign !== undefined) tokens.push({ is: 'sign', text: sign });
  }
  return tokens;
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #testOf: (test: LabelTest | 'global') => Subject;
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], testOf: (test: LabelTest | 'global') => Subject) {
    this.#tokens = tokens;
    this.#testOf = testOf;
  }

  whole(): Subject {
    const subject = this.#anyOf();
    if (this.#at < this.#tokens.length) throw new NotASelector();
    return subject;
  }

  /** `||` binds less than `&&`. */
  #anyOf(): Subject {
    const of = [this.#allOf()];
    while (this.#takes('||')) of.push(this.#allOf());
    return of.length === 1 ? of[0]! : { is: 'any', of };
  }

  #allOf(): Subject {
    const of = [this.#operand()];
    while (this.#takes('&&')) of.push(this.#operand());
    return of.length === 1 ? of[0]! : { is: 'all', of };
  }

  #operand(): Subject {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw new NotASelector();
    const subject = this.#notOrTest();
    this.#depth -= 1;
    return subject;
  }

  #notOrTest(): Subject {
    if (this.#takes('!')) return { is: 'not', of: this.#operand() };
    if (this.#takes('(')) {
      const subject = this.#anyOf();
      this.#expect(')');
      return subject;
    }
    const key = this.#next('word');
    return this.#takes('(') ? this.#call(key) : this.#comparison(key);
  }

  #call(name: string): Subject {
    if (name === 'has') {
      const key = this.#next('word');
      this.#expect(')');
      return this.#testOf({ key, operator: 'Exists', values: [] });
    }
    this.#expect(')');
    if (name === 'all') return everything;
    if (name === 'global') return this.#testOf('global');
    throw new NotASelector();
  }

  #comparison(key: string): Subject {
    const test = (operator: LabelTest['operator'], values: readonly string[]) =>
      this.#testOf({ key, operator, values });
    if (this.#takes('==')) return test('In', [this.#next('text')]);
    if (this.#takes('!=')) return test('NotIn', [this.#next('text')]);
    switch (this.#next('word')) {
      case 'in':
        return test('In', this.#set());
      case 'not':
        if (this.#next('word') !== 'in') throw new NotASelector();
        return test('NotIn', this.#set());
      case 'contains':
        return test('Contains', [this.#next('text')]);
      case 'starts':
        if (this.#next('word') !== 'with') throw new NotASelector();
        return test('StartsWith', [this.#next('text')]);
      case 'ends':
        if (this.#next('word') !== 'with') throw new NotASelector();
        return test('EndsWith', [this.#next('text')]);
      default:
        throw new NotASelector();
    }
  }

  #set(): string[] {
    this.#expect('{');
    const values: string[] = [];
    while (!this.#takes('}')) {
      if (values.length > 0) this.#expect(',');
      values.push(this.#next('text'));
    }
    return values;
  }

  #next(is: 'text' | 'word'): string {
    const token = this.#tokens[this.#at];
    if (token?.is !== is) throw new NotASelector();
    this.#at += 1;
    return token.text;
  }

  #takes(sign: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.is !== 'sign' || token.text !== sign) return false;
    this.#at += 1;
    return true;
  }

  #expect(sign: string): void {
    if (!this.#takes(sign)) throw new NotASelector();
  }
}
