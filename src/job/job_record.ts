import type {
  DeviceFacts,
  FileFactsOfJob,
  ImageFacts,
  JobReport,
  TransferFacts,
} from "../report/job_report.ts";
import type { Clock } from "../world.ts";
import { type Outcome, OUTCOMES } from "./job_outcome.ts";

/** How a job ended, before it is written up. */
export interface Ending {
  /** The name of the ending. */
  readonly outcome: Outcome;
  /** What happened, in one sentence. */
  readonly message: string;
  /** Which of the findings that this outcome covers. */
  readonly reason?: string;
  /** An exit code more exact than the outcome's. */
  readonly exit?: number;
  /** What to do, where it is not what the outcome says; empty where the message says it. */
  readonly remedy?: string;
}

/** What a job learns on its way, so that the report of a failure holds all that was known by then. */
export class JobRecord {
  /** See {@linkcode JobReport}; filled as the job goes on. */
  readonly facts: {
    reference?: string;
    image?: ImageFacts;
    file?: FileFactsOfJob;
    device?: DeviceFacts;
    transfer?: TransferFacts;
    confirmation?: { verdict: string; restarted: boolean };
    identity?: { uuid?: string; applicationType?: string };
  } = {};
  readonly #clock: Clock;
  readonly #begun: number;
  readonly #warnings: string[] = [];
  readonly #durations: Record<string, number> = {};

  /** Starts the clock of the job. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#begun = clock.now();
  }

  /** Keeps a warning for the report. */
  warn(message: string): void {
    this.#warnings.push(message);
  }

  /** Runs one phase and keeps how long it took, however it ends. */
  async phase<Result>(name: string, action: () => Promise<Result>): Promise<Result> {
    const begun = this.#clock.now();
    try {
      return await action();
    } finally {
      this.#durations[name] = Math.round(this.#clock.now() - begun);
    }
  }

  /** Milliseconds that a phase took, once it has ended. */
  duration(name: string): number | undefined {
    return this.#durations[name];
  }

  /** The report of a job that ended like this. */
  report(ending: Ending): JobReport {
    const { exit, remedy: usual } = OUTCOMES[ending.outcome];
    const { remedy = usual } = ending;
    return {
      outcome: ending.outcome,
      code: ending.exit ?? exit,
      ...(ending.reason === undefined ? {} : { reason: ending.reason }),
      message: ending.message,
      ...(remedy === "" ? {} : { remedy }),
      warnings: [...this.#warnings],
      ...this.facts,
      durations: { ...this.#durations, total: Math.round(this.#clock.now() - this.#begun) },
    };
  }
}
