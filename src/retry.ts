import type { Clock } from "./world.ts";

/** What a policy decides after a failure: wait so many milliseconds and try again, or give up. */
export type RetryDecision = { readonly retryAfter: number } | "stop";

/** Decides what follows failure number `attempt` (1 is the first). Pure: jitter comes in from outside. */
export type RetryPolicy = (attempt: number, failure: unknown) => RetryDecision;

/**
 * Capped exponential back-off in milliseconds with full jitter in its upper half, so that a fleet that failed
 * together does not return together.
 *
 * @example
 * backoffDelay(1, { base: 250, cap: 30_000, random: 0.5 }); // 187.5: between 125 and 250
 */
export function backoffDelay(
  attempt: number,
  options: { readonly base: number; readonly cap: number; readonly random: number },
): number {
  const full = Math.min(options.cap, options.base * 2 ** (attempt - 1));
  return full / 2 + full / 2 * options.random;
}

/** Runs `action` until it succeeds, the policy says stop, or the signal is aborted; rejects with the last failure. */
export async function retry<Result>(
  action: (attempt: number) => Promise<Result>,
  policy: RetryPolicy,
  options: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Result> {
  for (let attempt = 1;; attempt++) {
    options.signal.throwIfAborted();
    try {
      return await action(attempt);
    } catch (failure) {
      if (options.signal.aborted) throw options.signal.reason;
      const decision = policy(attempt, failure);
      if (decision === "stop") throw failure;
      await options.clock.sleep(decision.retryAfter, options.signal);
    }
  }
}
