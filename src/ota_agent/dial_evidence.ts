import type { StrangerKind } from "./greeting.ts";
import { OtaAgentError } from "./ota_agent_error.ts";

/** What was seen of those who dialled, for the verdict when the device was not among them. */
export class DialEvidence {
  readonly #expectedAddress: string | undefined;
  readonly #seen = new Map<
    StrangerKind,
    { readonly count: number; readonly peer: string; readonly reason: string }
  >();
  #servedInVain: OtaAgentError | undefined;
  #strangers = 0;
  #tlsRefusals = 0;

  /** Only peers at `expectedAddress` count as evidence, when it is known. */
  constructor(expectedAddress: string | undefined) {
    this.#expectedAddress = expectedAddress;
  }

  /** Connections that were turned away. */
  get strangers(): number {
    return this.#strangers;
  }

  /** Peers that refused our certificate with an alert. */
  get tlsRefusals(): number {
    return this.#tlsRefusals;
  }

  /** Remembers one stranger. */
  note(
    stranger: StrangerKind,
    seen: { readonly address: string; readonly peer: string; readonly reason: string },
  ): void {
    this.#strangers++;
    if (stranger === "refused-our-certificate") this.#tlsRefusals++;
    // Another device at another address is worth telling: it shows who took our address for its own.
    const counts = this.#expectedAddress === undefined || seen.address === this.#expectedAddress ||
      stranger === "other-device";
    if (!counts) return;
    this.#seen.set(stranger, {
      count: (this.#seen.get(stranger)?.count ?? 0) + 1,
      peer: seen.peer,
      reason: seen.reason,
    });
  }

  /** Remembers how the serving of a peer failed that could have been the device, or anyone. */
  noteServedInVain(failure: OtaAgentError): void {
    this.#servedInVain = failure;
  }

  /** Why no device was served within `milliseconds`: the strongest evidence first. */
  failure(milliseconds: number): OtaAgentError {
    const waited = `within ${milliseconds} ms`;
    if (this.#servedInVain) return this.#servedInVain;
    const other = this.#seen.get("other-device");
    if (other) {
      return new OtaAgentError(
        "wrong-device",
        `Cannot serve the device: it did not dial ${waited}, but '${other.peer}' did: ${other.reason}`,
      );
    }
    const refusal = this.#seen.get("refused-our-certificate");
    if (refusal) {
      return new OtaAgentError(
        "tls-refused",
        `Cannot serve the device: '${refusal.peer}' dialled ${refusal.count} times and ${refusal.reason}, ` +
          "give the certificate that is pinned in its firmware, or one issued by it",
      );
    }
    const broken = this.#expectedAddress === undefined ? undefined : this.#seen.get("broke-handshake");
    if (broken) {
      return new OtaAgentError(
        "tls-refused",
        `Cannot serve the device: '${broken.peer}' connected ${broken.count} times and finished no TLS handshake: ` +
          `${broken.reason}, give the certificate that is pinned in its firmware, or one issued by it`,
      );
    }
    const invalid = this.#seen.get("no-certificate");
    if (invalid) {
      return new OtaAgentError(
        "certificate-invalid",
        `Cannot serve the device: '${invalid.peer}' dialled and sent no usable certificate: ${invalid.reason}`,
      );
    }
    return new OtaAgentError(
      "never-dialled",
      `Cannot serve the device: it did not dial ${waited} (${this.#strangers} others did)`,
    );
  }
}
