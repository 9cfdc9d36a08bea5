import { format as formatBytes } from "@std/fmt/bytes";

/** How far one long step has come. */
export interface Progress {
  /** What goes on: "Pulling", "Sending". */
  readonly step: string;
  /** Bytes so far. */
  readonly doneBytes: number;
  /** 0 when it is not known. */
  readonly totalBytes: number;
}

const BAR_CELLS = 24;

/**
 * One line for a terminal of `columns` cells, without line break.
 *
 * @example
 * progressBar({ step: "Sending", doneBytes: 512, totalBytes: 1024 }, 80);
 * // "Sending  ████████████░░░░░░░░░░░░   50%  512 B of 1.02 kB"
 */
export function progressBar(progress: Progress, columns: number): string {
  const share = shareOf(progress);
  const cells = Math.floor(share * BAR_CELLS);
  const bar = "█".repeat(cells) + "░".repeat(BAR_CELLS - cells);
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const amount = `${formatBytes(progress.doneBytes)} of ${formatBytes(progress.totalBytes)}`;
  const line = progress.totalBytes > 0
    ? `${progress.step.padEnd(8)} ${bar} ${percent}  ${amount}`
    : `${progress.step.padEnd(8)} ${formatBytes(progress.doneBytes)}`;
  return line.slice(0, Math.max(0, columns - 1));
}

/** Shares of a step that are worth a line in a log. */
const MILESTONES = 4;

/**
 * The line a log gets instead of a bar, at each quarter of a step; `undefined` when the last one still holds.
 * `previous` is the progress that was told last, of the same step or of another. Another total, or fewer bytes, is
 * another step.
 */
export function progressLine(progress: Progress, previous: Progress | undefined): string | undefined {
  if (progress.totalBytes === 0) return undefined;
  const quarter = quarterOf(progress);
  const told = previous !== undefined && goesOn(progress, previous) ? quarterOf(previous) : 0;
  if (quarter <= told) return undefined;
  return `${progress.step}: ${quarter * 100 / MILESTONES}% (${formatBytes(progress.doneBytes)} of ${
    formatBytes(progress.totalBytes)
  })`;
}

/** A layer after another, or a file sent again, is a step of its own although it has the same name. */
function goesOn(progress: Progress, previous: Progress): boolean {
  return progress.step === previous.step && progress.totalBytes === previous.totalBytes &&
    progress.doneBytes >= previous.doneBytes;
}

function quarterOf(progress: Progress): number {
  return Math.floor(shareOf(progress) * MILESTONES);
}

function shareOf({ doneBytes, totalBytes }: Progress): number {
  return totalBytes > 0 ? Math.min(1, doneBytes / totalBytes) : 0;
}
