import { Throttle } from "../throttle.ts";
import { untilAborted } from "../until_aborted.ts";
import type { Child, ChildStatus, Log, World } from "../world.ts";
import { AgentError, type AgentErrorCode } from "./agent_error.ts";
import {
  type AgentSign,
  type AgentTranscript,
  type AgentVerdict,
  failed,
  type FailedVerdict,
} from "./agent_transcript.ts";
import type { AgentProcess, AgentProcessOptions, AgentProgram } from "./agent_process.ts";
import { BuiltinTranscript } from "./builtin_transcript.ts";
import { ClassicPhases } from "./classic_phases.ts";
import { endProcess, signalProcess } from "./end_process.ts";
import { ExternalTranscript } from "./external_transcript.ts";
import { OutputTail } from "./output_tail.ts";
import { readPipeLines } from "./pipe_lines.ts";
import { connectedPeers, isListening } from "./port_watch.ts";

const KILL_GRACE = 2_000;

/** A process that has ended may have left children that hold its pipes open: they are not waited for. */
const DRAIN_TIMEOUT = 500;

/** Between two looks at the port. */
const READY_INTERVAL = 25;
const PHASE_INTERVAL = 250;

/** A child must not fill our log. */
const LOG_LINES = { burst: 100, interval: 100 };

/** One agent process with both its pipes and all its deadlines: see `startAgent`. */
export class SupervisedAgent implements AgentProcess {
  readonly verdict: Promise<AgentVerdict>;
  readonly #program: AgentProgram;
  readonly #world: World;
  readonly #options: AgentProcessOptions;
  readonly #log: Log;
  readonly #throttle: Throttle;
  readonly #transcript: AgentTranscript;
  readonly #ready = Promise.withResolvers<void>();
  /** Aborted when the process is to end; the reason is the verdict if its output holds no better one. */
  readonly #ending = new AbortController();
  /** Aborted when the process has ended. */
  readonly #ended = new AbortController();
  /** Resolved when the process does not end, whatever it is told. */
  readonly #stays = Promise.withResolvers<"stays">();
  readonly #tail = new OutputTail();
  #phases: ClassicPhases | undefined;

  /** Starts it; use `startAgent`. */
  constructor(program: AgentProgram, world: World, options: AgentProcessOptions) {
    this.#program = program;
    this.#world = world;
    this.#options = options;
    this.#log = world.log.room("agent");
    this.#throttle = new Throttle(world.clock, LOG_LINES);
    this.#transcript = program.dialect === "builtin" ? new BuiltinTranscript() : new ExternalTranscript();
    this.verdict = this.#run();
    // Whoever waits for one of the two need not look at the other.
    for (const promise of [this.#ready.promise, this.verdict]) promise.catch(() => undefined);
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  async stop(): Promise<void> {
    this.#endWith(failed("stopped", "Cannot go on: the agent was stopped"));
    await this.verdict;
  }

  /** Stops it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<AgentVerdict> {
    const { signal } = this.#options;
    const onAbort = (): void => this.#endWith(failed("stopped", "Cannot go on: the job was stopped"));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const child = await this.#start();
      return await this.#supervise(child);
    } catch (error) {
      this.#ready.reject(error);
      if (!(error instanceof AgentError)) throw error;
      return failed(error.code === "port-in-use" ? "listen-failed" : "died", error.message);
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#ended.abort();
    }
  }

  async #start(): Promise<Child> {
    const { command } = this.#program;
    const { port } = this.#options;
    const ending = this.#ending.signal;
    const isTaken = port !== 0 && await isListening(port, this.#world, ending).catch(() => false);
    if (isTaken) {
      throw this.#notReady(
        "port-in-use",
        `something else listens on port ${port}, free it or choose another`,
      );
    }
    if (ending.aborted) throw this.#notReady("stopped", "it was stopped");
    try {
      return this.#world.spawn(command);
    } catch (cause) {
      const found = cause instanceof Error ? cause.message : String(cause);
      throw this.#notReady("cannot-start", `${found}, an executable program is needed`, cause);
    }
  }

  /** The process and both its pipes are one: what they say counts only when all three have ended. */
  async #supervise(child: Child): Promise<AgentVerdict> {
    const drained = new AbortController();
    const pumps = Promise.all([
      this.#pump(child.stdout, "stdout", drained.signal),
      this.#pump(child.stderr, "stderr", drained.signal),
    ]);
    const watches = Promise.all([this.#awaitReady(), this.#endInTime(), this.#kill(child)]);
    for (const part of [pumps, watches]) part.catch((fault) => this.#endBecauseOf(fault));
    try {
      const status = await Promise.race([child.status, this.#stays.promise]);
      if (status === "stays") return this.#leave(child);
      this.#ended.abort();
      const patience = new AbortController();
      const late = this.#world.clock.sleep(DRAIN_TIMEOUT, patience.signal)
        .then(() => drained.abort(), () => undefined);
      await pumps.finally(() => patience.abort());
      // A wrapper may have ended before the agent that it started, which must not serve a device after the verdict.
      signalProcess(child, "SIGKILL", this.#log);
      await Promise.all([late, watches]);
      const code = this.#ending.signal.aborted ? "stopped" : "exited-early";
      this.#ready.reject(this.#notReady(code, `it ended with ${statusWords(status)}${this.#tail.words}`));
      return this.#judge(status);
    } finally {
      drained.abort();
    }
  }

  /** A fault of ours while the process lives: nobody may rely on it, and it is not left alone. */
  #endBecauseOf(fault: unknown): void {
    this.#ready.reject(fault);
    this.#endWith(failed("stopped", "Cannot go on: the agent can no longer be watched"));
  }

  async #pump(
    pipe: ReadableStream<Uint8Array>,
    stream: "stdout" | "stderr",
    drained: AbortSignal,
  ): Promise<void> {
    const failure = await readPipeLines(pipe, drained, (text) => this.#hear(stream, text));
    if (failure !== undefined) this.#log.warn(`Cannot read the agent's ${stream}: ${String(failure)}`);
  }

  #hear(stream: "stdout" | "stderr", text: string): void {
    const sign = this.#transcript.hear({ stream, text });
    if (sign?.kind !== "sending") this.#tail.push(text);
    this.#tell(stream, text, sign);
    if (sign === undefined) return;
    if (sign.kind === "listening" && this.#program.dialect === "builtin") this.#ready.resolve();
    this.#phases?.hear(sign, this.#world.clock.now());
    this.#options.onEvent(sign);
  }

  #tell(stream: string, text: string, sign: AgentSign | undefined): void {
    if (sign?.kind === "sending") return this.#log.debug(sign.detail);
    const suppressed = this.#throttle.pass();
    if (suppressed === undefined) return;
    this.#log.info(sign?.detail ?? text, {
      // Which pipe it was says something only of words we do not know.
      ...(sign === undefined ? { stream } : {}),
      ...(suppressed > 0 ? { suppressed } : {}),
    });
  }

  /** The classic agent's stdout is buffered, so its readiness is seen at its port. */
  async #awaitReady(): Promise<void> {
    const { port, readyTimeout } = this.#options;
    const { clock } = this.#world;
    const start = clock.now();
    const isOver = this.#over();
    const onReady = this.#ready.promise.then(() => true, () => true);
    try {
      for (
        let seen = 0;
        !await Promise.race([onReady, clock.sleep(READY_INTERVAL, isOver).then(() => false)]);
      ) {
        if (this.#program.dialect === "classic") {
          seen = await isListening(port, this.#world, isOver) ? seen + 1 : 0;
          // Twice, so that a process that loses the race for its port has ended before.
          if (seen === 2) this.#ready.resolve();
        }
        if (clock.now() - start < readyTimeout) continue;
        const error = this.#notReady(
          "never-ready",
          `it did not listen within ${readyTimeout} ms${this.#tail.words}`,
        );
        this.#ready.reject(error);
        this.#endWith(failed("deadline", error.message));
      }
      if (this.#program.dialect === "classic") await this.#watchPhases(isOver);
    } catch (error) {
      if (!isOver.aborted) throw error;
    }
  }

  async #watchPhases(isOver: AbortSignal): Promise<void> {
    const { phases, deviceAddress, port } = this.#options;
    const { clock } = this.#world;
    this.#phases = new ClassicPhases(phases, { now: clock.now(), deviceAddress });
    while (!isOver.aborted) {
      const overdue = this.#phases.overdue(await connectedPeers(port, this.#world), clock.now());
      if (overdue !== undefined) return this.#endWith(overdue);
      await clock.sleep(PHASE_INTERVAL, isOver);
    }
  }

  async #endInTime(): Promise<void> {
    const { timeout } = this.#options;
    const isOver = this.#over();
    try {
      await this.#world.clock.sleep(timeout, isOver);
      this.#endWith(failed("deadline", `Cannot wait any longer for the agent: its ${timeout} ms are over`));
    } catch (error) {
      if (!isOver.aborted) throw error;
    }
  }

  /** Once the process is to end: asks it, and after the grace period makes it. */
  async #kill(child: Child): Promise<void> {
    const ended = this.#ended.signal;
    const ending = this.#ending.signal;
    try {
      if (!ending.aborted) {
        const asked = Promise.withResolvers<void>();
        ending.addEventListener("abort", () => asked.resolve(), { once: true });
        await untilAborted(asked.promise, ended);
      }
      const { clock } = this.#world;
      await endProcess(child, { clock, grace: this.#options.killGrace ?? KILL_GRACE, log: this.#log, ended });
      this.#stays.resolve("stays");
    } catch (error) {
      if (!ended.aborted) throw error;
    }
  }

  /** The job ends in time even where its agent does not. */
  #leave(child: Child): AgentVerdict {
    const reason: FailedVerdict = this.#ending.signal.reason;
    const message = `${reason.message}; the agent's process ${child.pid} does not end, end it by hand`;
    this.#log.error(message);
    this.#ready.reject(this.#notReady("stopped", message));
    return { ...reason, message };
  }

  #judge(status: ChildStatus): AgentVerdict {
    const verdict = this.#transcript.verdict(status);
    if (verdict.kind === "delivered") return verdict;
    const { aborted, reason } = this.#ending.signal;
    if (aborted && isWeakerThan(verdict, reason)) return reason;
    return verdict.code === "died" || verdict.code === "unproven"
      ? failed(verdict.code, `${verdict.message}${this.#tail.words}`)
      : verdict;
  }

  #endWith(reason: FailedVerdict): void {
    if (!this.#ended.signal.aborted) this.#ending.abort(reason);
  }

  #over(): AbortSignal {
    return AbortSignal.any([this.#ended.signal, this.#ending.signal]);
  }

  #notReady(code: AgentErrorCode, found: string, cause?: unknown): AgentError {
    const { dialect, command } = this.#program;
    const agent = dialect === "builtin" ? "built-in agent" : `agent '${command.path}'`;
    return new AgentError(code, `Cannot start the ${agent}: ${found}`, { cause });
  }
}

/** Whether what the output says is less than the reason for which we ended the process. */
function isWeakerThan(verdict: FailedVerdict, reason: FailedVerdict): boolean {
  if (verdict.code === "tls-refused") return reason.code !== "never-dialled";
  return verdict.code === "died" || verdict.code === "unproven" || verdict.code === "stopped";
}

function statusWords(status: ChildStatus): string {
  return status.signal === null ? `status ${status.code}` : `signal ${status.signal}`;
}
