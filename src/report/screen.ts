import { type Progress, progressBar, progressLine } from "./progress.ts";

/** A stream for people: standard error, or a test's memory. */
export interface TextOutput {
  /** Writes text as it is. */
  write(text: string): void;
  /** Width in cells when it is a terminal, otherwise `undefined`. */
  readonly columns: () => number | undefined;
}

/** How often a bar is drawn anew, in milliseconds. */
const FRAME = 100;

/** A log hears of progress at most this often, and of the end: a step that takes a moment is one line. Milliseconds. */
const PAUSE = 1000;

/** Lines and one progress bar on the same output, so that neither tears the other apart. */
export class Screen {
  readonly #output: TextOutput;
  #bar = "";
  #told: Progress | undefined;
  #step = "";
  #toldAt = -Infinity;
  #drawnAt = -Infinity;

  /** Writes nothing yet. */
  constructor(output: TextOutput) {
    this.#output = output;
  }

  /** Writes one whole line; a bar stays below it. */
  line(text: string): void {
    this.#output.write(this.#bar === "" ? `${text}\n` : `\r\x1b[K${text}\n${this.#bar}`);
  }

  /** Shows how far a step has come: a bar on a terminal, a line at each quarter elsewhere (given to `tell`). */
  progress(progress: Progress, now: number, tell: (line: string) => void): void {
    const columns = this.#output.columns();
    const isEnd = progress.totalBytes > 0 && progress.doneBytes >= progress.totalBytes;
    if (this.#step !== progress.step) [this.#step, this.#toldAt] = [progress.step, now];
    if (columns === undefined) {
      const line = progressLine(progress, this.#told);
      if (line === undefined || (!isEnd && now - this.#toldAt < PAUSE)) return;
      [this.#told, this.#toldAt] = [progress, now];
      return tell(line);
    }
    if (!isEnd && now - this.#drawnAt < FRAME) return;
    this.#drawnAt = now;
    this.#bar = progressBar(progress, columns);
    this.#output.write(`\r\x1b[K${this.#bar}`);
    if (isEnd) this.clear();
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#bar !== "") this.#output.write("\r\x1b[K");
    this.#bar = "";
  }
}
