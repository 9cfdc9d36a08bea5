import * as fc from "fast-check";
import { type AttestationMode, attestationModes } from "./attestation.ts";
import type { DeviceBehaviour } from "./device_behaviour.ts";
import { blobRequests, drop, type FaultRule, manifestRequests, stall } from "./registry_fault.ts";
import { answer } from "./registry_fault.ts";
import { type StrangerKind, strangerKinds } from "./strangers.ts";

/**
 * Random worlds for a job: what the device, the attestation server, the registry and strangers do, when, and what the
 * job was told.
 *
 * @module
 */

/** One random world and the jobs that are run in it, one after the other. */
export interface Scenario {
  readonly behaviour: DeviceBehaviour;
  /** Version of the device; the image is 1.1.0. */
  readonly from: string;
  /** What the attestation server does from when on, in milliseconds. */
  readonly attestation: readonly { readonly mode: AttestationMode; readonly at: number }[];
  /** Whether every device is genuine, and so "another device" among the strangers too. */
  readonly knowsEveryone: boolean;
  /** Who connects to the agent's port, and when after the device was asked. */
  readonly strangers: readonly { readonly kind: StrangerKind; readonly at: number }[];
  readonly registryFault: keyof typeof REGISTRY_FAULTS;
  /** Variables of each job. */
  readonly jobs: readonly Readonly<Record<string, string>>[];
  /** Milliseconds after which the first job is told to stop. */
  readonly stopAt: number | undefined;
}

/** What the registry does to a few of its answers. */
export const REGISTRY_FAULTS = {
  "none": undefined,
  "drops a blob once": { match: blobRequests(), action: drop(1000), times: 1 },
  "drops every blob": { match: blobRequests(), action: drop(1000) },
  "stalls once": { match: blobRequests(), action: stall(1000), times: 1 },
  "503 twice": { match: manifestRequests(), action: answer(503), times: 2 },
  "404": { match: manifestRequests(), action: answer(404) },
} as const satisfies Record<string, FaultRule | undefined>;

const fraction = fc.double({ min: 0, max: 1, noNaN: true });

/** Each is one way in which a device may not be as it should. */
const oddities: readonly fc.Arbitrary<DeviceBehaviour>[] = [
  fc.constantFrom("cut", "html", "error", "slow", "absent", "silent", "reset").map((
    info,
  ) => ({ info } as const)),
  fc.constantFrom("pem", "error", "absent", "other").map((onboard) => ({ onboard } as const)),
  fc.constantFrom<NonNullable<DeviceBehaviour["update"]>>(
    404,
    405,
    408,
    500,
    "slow",
    "silent",
    "closed",
    "reset",
    "insecure",
  )
    .map((update) => ({ update } as const)),
  fc.constantFrom(3000, 6000, Infinity).map((refusedFor) => ({ refusedFor })),
  fc.constant({ dials: "never" }),
  fc.integer({ min: 1, max: 5 }).map((atAttempt) => ({ dials: { atAttempt } })),
  fc.constantFrom("at once", "after a break").map((dialsTwice) => ({ dialsTwice } as const)),
  fc.constant({ wrongPin: true }),
  fc.constant({ splitCertificate: true }),
  fc.constant({ bytesPerSecond: 60_000, receiveWindow: 5760 }),
  fc.record({ fraction, then: fc.constantFrom("stall", "reset", "close") }).map((transfer) => ({ transfer })),
  fc.constant({ rejectsImage: true }),
  fc.constant({ rejectsImage: true, awayFor: 20_000 }),
  fc.constantFrom<NonNullable<DeviceBehaviour["afterRestart"]>>("rollback", "gone", { device: "esp32c3" })
    .map((
      afterRestart,
    ) => ({ afterRestart } as const)),
  fc.constant({ alreadyUpdated: true }),
];

const behaviours: fc.Arbitrary<DeviceBehaviour> = fc.array(fc.oneof(...oddities), { maxLength: 3 })
  .map((parts) => Object.assign({}, ...parts) as DeviceBehaviour);

const attestation = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.array(
      fc.record({
        mode: fc.constantFrom(...attestationModes.filter((mode) => mode !== "down")),
        at: fc.integer({ min: 0, max: 300 }),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  },
);

/** Another device more often than the others: it may be a genuine one. */
const strangerKind: fc.Arbitrary<StrangerKind> = fc.oneof(
  { weight: 1, arbitrary: fc.constant("another device") },
  { weight: 2, arbitrary: fc.constantFrom(...strangerKinds) },
);

const strangers = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.array(
      fc.record({ kind: strangerKind, at: fc.integer({ min: 0, max: 150 }) }),
      { minLength: 1, maxLength: 6 },
    ),
  },
);

const environment: fc.Arbitrary<Record<string, string>> = fc.record({
  CONFIRM: mostly("auto", "require", "off"),
  VERIFY_IDENTITY: mostly("auto", "require", "off"),
  VERSION: mostly("1.1.0", "1.0.0", "9.9.9", ""),
  ALLOW_DOWNGRADE: fc.constantFrom("true", "false"),
  SKIP_IF_CURRENT: mostly("false", "true"),
  FLASHJOB_TIMEOUT: mostly("200s", "30s", "10s", "2s"),
});

/** Any scenario, but those in which nobody can tell the outcome (docs/outcomes.md, "What nobody can see"). */
export const scenarios: fc.Arbitrary<Scenario> = fc.record({
  behaviour: behaviours,
  from: mostly("1.0.0", "1.1.0", "2.0.0"),
  attestation,
  knowsEveryone: fc.boolean(),
  strangers,
  registryFault: mostly(
    "none",
    ...(Object.keys(REGISTRY_FAULTS) as (keyof typeof REGISTRY_FAULTS)[]).filter((name) => name !== "none"),
  ),
  jobs: fc.array(environment, { minLength: 1, maxLength: 2 }),
  stopAt: fc.oneof(
    { weight: 12, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 600 }) },
  ),
}).filter(({ behaviour, from }) => {
  const tellsVersion = behaviour.info === undefined || behaviour.info === "slow";
  return behaviour.afterRestart !== "rollback" || (tellsVersion && from !== "1.1.0");
});

/** The first more often than all the others together. */
function mostly<const Value>(first: Value, ...others: Value[]): fc.Arbitrary<Value> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant(first) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );
}
