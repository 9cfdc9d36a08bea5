/** Lines kept to explain a failure. */
const LINES = 10;

/** What an agent said last. */
export class OutputTail {
  readonly #lines: string[] = [];

  /** Keeps a line, and lets an older one go. */
  push(text: string): void {
    this.#lines.push(text);
    if (this.#lines.length > LINES) this.#lines.shift();
  }

  /** The end of a sentence on a failure; empty when nothing was said. */
  get words(): string {
    return this.#lines.length === 0 ? "" : `; it said last: '${this.#lines.slice(-3).join("' '")}'`;
  }
}
