import type { World } from "../world.ts";
import { type AttestationVerdict, attestDevice } from "./attestation.ts";
import type { DiceCertificate } from "./dice_certificate.ts";

/** How long a verdict holds for the identical certificate. */
const VERDICT_LIFETIME = 60_000;

/** A verdict that was obtained before the device dialled. */
export interface AttestedAhead {
  /** Lower-case hexadecimal fingerprint of the certificate that was found genuine. */
  readonly certificateSha256: string;
  /** When, in milliseconds since the Unix epoch. */
  readonly at: number;
}

/** What the desk needs to know. */
export interface AttestationDeskOptions {
  /** The attestation server. */
  readonly url: URL;
  /** Milliseconds for one inquiry. */
  readonly timeout: number;
  /** Ends every inquiry. */
  readonly signal: AbortSignal;
  /** A verdict of this device, obtained ahead of time. */
  readonly ahead?: AttestedAhead;
}

/**
 * Asks the attestation server once for each certificate, although its device may dial twice: the server takes
 * seconds and answers one inquiry at a time. A refusal stands for the whole run, a server that was unavailable is
 * asked again at the next dial.
 */
export class AttestationDesk {
  readonly #world: World;
  readonly #options: AttestationDeskOptions;
  readonly #inquiries = new Map<string, Promise<AttestationVerdict>>();
  readonly #genuineSince = new Map<string, number>();

  /** Opens it with what is known ahead. */
  constructor(world: World, options: AttestationDeskOptions) {
    this.#world = world;
    this.#options = options;
    if (options.ahead) {
      this.#genuineSince.set(options.ahead.certificateSha256.toLowerCase(), options.ahead.at);
    }
  }

  /** Whether this very certificate was found genuine so recently that it need not be asked about again. */
  isGenuine(certificate: DiceCertificate): boolean {
    const since = this.#genuineSince.get(certificate.sha256);
    if (since === undefined) return false;
    const age = this.#world.clock.now() - since;
    return age >= 0 && age <= VERDICT_LIFETIME;
  }

  /** The verdict on a certificate; callers with the same certificate share one inquiry. */
  verdict(certificate: DiceCertificate): Promise<AttestationVerdict> {
    const running = this.#inquiries.get(certificate.sha256);
    if (running) return running;
    const inquiry = this.#inquire(certificate);
    this.#inquiries.set(certificate.sha256, inquiry);
    return inquiry;
  }

  /** Resolves when no inquiry is running any more; the signal ends them. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#inquiries.values());
  }

  async #inquire(certificate: DiceCertificate): Promise<AttestationVerdict> {
    const { url, timeout, signal } = this.#options;
    const verdict = await attestDevice({ url, certificate }, this.#world, { timeout, signal });
    if (verdict.kind === "genuine") this.#genuineSince.set(certificate.sha256, this.#world.clock.now());
    if (verdict.kind !== "refused") this.#inquiries.delete(certificate.sha256);
    return verdict;
  }
}
