/** What a program cost, its children included. */
export interface Cost {
  /** Seconds from start to end. */
  readonly wall: number;
  /** Seconds of processor time, user and system. */
  readonly cpu: number;
  /** Largest resident memory of any one process, in MiB. */
  readonly peak: number;
}

/** A program to measure. */
export interface MeasuredCommand {
  readonly path: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** GNU time: what the kernel accounts for a child and all its children when they end (wait4). */
const TIME_PROGRAM = "/usr/bin/time";

/** Whether {@linkcode measure} can run here. */
export async function canMeasure(): Promise<boolean> {
  return await Deno.stat(TIME_PROGRAM).then((facts) => facts.isFile, () => false);
}

/** Runs a program to its end under GNU time. Throws when it fails. */
export async function measure(command: MeasuredCommand): Promise<Cost> {
  const report = await Deno.makeTempFile({ prefix: "bench-time-" });
  try {
    const { success, stderr } = await new Deno.Command(TIME_PROGRAM, {
      args: ["-q", "-f", "%e %U %S %M", "-o", report, command.path, ...command.args],
      ...(command.env === undefined ? {} : { env: { ...command.env }, clearEnv: true }),
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`Cannot run '${command.path}': ${new TextDecoder().decode(stderr)}`);
    const [wall = NaN, user = NaN, system = NaN, peak = NaN] = (await Deno.readTextFile(report)).trim().split(
      " ",
    ).map(Number);
    return { wall, cpu: user + system, peak: peak / 1024 };
  } finally {
    await Deno.remove(report);
  }
}

/** The middle value of an odd number of runs, each figure for itself. */
export function median(costs: readonly Cost[]): Cost {
  const middle = (figure: keyof Cost): number => {
    const sorted = costs.map((cost) => cost[figure]).sort((left, right) => left - right);
    return sorted[Math.floor(sorted.length / 2)] ?? NaN;
  };
  return { wall: middle("wall"), cpu: middle("cpu"), peak: middle("peak") };
}
