/** Characters of a line that are kept. A path may have 4096, and an event may name two. */
export const MAX_LINE_LENGTH = 10_000;

/** Controls, formats (bidirectional marks among them), line and paragraph separators, halves of surrogate pairs. */
const ACTIVE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * Bytes of a child's pipe -> lines. Ends of lines are LF and CR, for progress that overwrites itself; empty lines
 * are left out. What the child writes is hostile: a line's length is bounded and what was left out is counted in its
 * end, and nothing in it can move a cursor or hide text.
 */
export class OutputLines {
  readonly #decoder = new TextDecoder();
  #line = "";
  #dropped = 0;

  /** The lines that `bytes` complete. */
  push(bytes: Uint8Array): string[] {
    return this.#split(this.#decoder.decode(bytes, { stream: true }));
  }

  /** The last line, when it had no end. */
  end(): string[] {
    return [...this.#split(this.#decoder.decode()), ...this.#complete()];
  }

  #split(text: string): string[] {
    const lines: string[] = [];
    let start = 0;
    for (const { index } of text.matchAll(/[\r\n]/g)) {
      this.#append(text.slice(start, index));
      lines.push(...this.#complete());
      start = index + 1;
    }
    this.#append(text.slice(start));
    return lines;
  }

  #append(text: string): void {
    const kept = text.slice(0, MAX_LINE_LENGTH - this.#line.length);
    this.#line += kept;
    this.#dropped += text.length - kept.length;
  }

  #complete(): string[] {
    const line = neutralised(this.#line) +
      (this.#dropped > 0 ? ` [${this.#dropped} characters left out]` : "");
    this.#line = "";
    this.#dropped = 0;
    return line === "" ? [] : [line];
  }
}

/** The same text, with every character that would act rather than show made visible as U+FFFD. */
export function neutralised(text: string): string {
  return text.replaceAll("\t", " ").replace(ACTIVE, "\ufffd");
}
