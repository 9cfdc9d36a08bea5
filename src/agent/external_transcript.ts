import type { ChildStatus } from "../world.ts";
import type { AgentLine, AgentSign, AgentTranscript, AgentVerdict } from "./agent_transcript.ts";
import { BuiltinTranscript } from "./builtin_transcript.ts";
import { ClassicTranscript } from "./classic_transcript.ts";

/**
 * Hears a program that is given from outside: the C ota-agent, or `flashjob agent` behind a script.
 *
 * It is taken for ours only if our `listening` event comes before any word of the C agent: later, that one repeats
 * what the attestation server says, and a server must not be able to speak for its agent.
 */
export class ExternalTranscript implements AgentTranscript {
  readonly #classic = new ClassicTranscript();
  readonly #events = new BuiltinTranscript();
  #dialect: "unknown" | "classic" | "events" = "unknown";

  /** What the line says in the dialect of those before it. */
  hear(line: AgentLine): AgentSign | undefined {
    if (this.#dialect === "unknown" && this.#events.hear(line)?.kind === "listening") {
      this.#dialect = "events";
    }
    if (this.#dialect === "events") return this.#events.hear(line);
    const sign = this.#classic.hear(line);
    if (sign !== undefined) this.#dialect = "classic";
    return sign;
  }

  /** As in the dialect that was heard, but no receipt is believed: whose word it is is not known. */
  verdict(status: ChildStatus): AgentVerdict {
    if (this.#dialect !== "events") return this.#classic.verdict(status);
    const verdict = this.#events.verdict(status);
    return verdict.kind === "delivered" ? { ...verdict, receipt: false } : verdict;
  }
}
