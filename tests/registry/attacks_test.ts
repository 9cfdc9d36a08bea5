import { assert, assertEquals } from "@std/assert";
import { testAttacks } from "./attack_bench.ts";
import { ATTACKS_ON_CREDENTIALS } from "./attacks_on_credentials.ts";
import { ATTACKS_ON_REDIRECTS } from "./attacks_on_redirects.ts";
import { ATTACKS_ON_TOKENS } from "./attacks_on_tokens.ts";
import { FAULTS_OF_DOCUMENTS } from "./faults_of_documents.ts";
import { FAULTS_OF_NETWORK } from "./faults_of_network.ts";

/** What the client must have been tried with at least. */
const LEAST = 60;

const CASES = [
  ...ATTACKS_ON_CREDENTIALS,
  ...ATTACKS_ON_REDIRECTS,
  ...ATTACKS_ON_TOKENS,
  ...FAULTS_OF_DOCUMENTS,
  ...FAULTS_OF_NETWORK,
];

const passed = testAttacks(CASES);

// `.ci/run` repeats the line.
Deno.test(`attacks and faults: at least ${LEAST}, each under a name of its own`, () => {
  const names = new Set(CASES.map(({ name }) => name));
  assertEquals(names.size, CASES.length);
  assert(CASES.length >= LEAST);
  console.log(`${CASES.length} attacks and faults: ${passed()} passed`);
});
