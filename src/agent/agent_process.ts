import type { ChildCommand, World } from "../world.ts";
import type { AgentSign, AgentVerdict } from "./agent_transcript.ts";
import type { PhaseLimits } from "./classic_phases.ts";
import { SupervisedAgent } from "./supervised_agent.ts";

/** A program, and how it is watched: as our own `flashjob agent`, or from outside as the C ota-agent must be. */
export interface AgentProgram {
  /** Path, arguments and the whole environment. */
  readonly command: ChildCommand;
  /** How its output is read. */
  readonly dialect: "builtin" | "classic";
}

/** How an agent process is watched. Durations are milliseconds. */
export interface AgentProcessOptions {
  /** Ends the process: verdict `stopped`. */
  readonly signal: AbortSignal;
  /** Where it will listen; 0 when it chooses, which only the built-in agent can. */
  readonly port: number;
  /** From its start to its listening. */
  readonly readyTimeout: number;
  /** From its start to its end. */
  readonly timeout: number;
  /** Deadlines of the phases; the built-in agent keeps its own. */
  readonly phases: PhaseLimits;
  /** Tells the device from strangers when a phase is overdue. */
  readonly deviceAddress?: string;
  /** From asking it to end to ending it; 2000 when not given. */
  readonly killGrace?: number;
  /** Told of everything its output says of its progress. */
  readonly onEvent: (sign: AgentSign) => void;
}

/** A started agent. */
export interface AgentProcess extends AsyncDisposable {
  /**
   * Resolves when a device may dial. Rejects with {@linkcode AgentError}, or with a fault of our own: then nothing may be
   * told to the device.
   */
  readonly ready: Promise<void>;
  /** What it achieved, when it has ended; never rejects for what the process does. */
  readonly verdict: Promise<AgentVerdict>;
  /** Asks the process to end, makes it end, and resolves when it has. */
  stop(): Promise<void>;
}

/** Starts an agent and watches it to its end. It is stopped when the result is disposed. */
export function startAgent(program: AgentProgram, world: World, options: AgentProcessOptions): AgentProcess {
  return new SupervisedAgent(program, world, options);
}
